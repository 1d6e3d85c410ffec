"""Only what was looked at is known, and what does not count is said with its reason."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from contracts.errors import ContractError
from contracts.exercise import SetFile, Span
from features.adherence import observed as reasons
from features.adherence.observed import hours_of_days, observe
from tests.simulated_exercise import PROGRAMME, ROTATION, SLIDE, a_set, day, set_file

ALL_DAY = PROGRAMME.model_copy(update={"recording": "all day"})


def span(number: int, start: int, hours: float) -> Span:
    at = datetime.combine(day(number), datetime.min.time()) + timedelta(hours=start)
    return Span(start=at, end=at + timedelta(hours=hours))


def test_a_sensor_that_is_worn_in_sessions_makes_every_day_known() -> None:
    found = observe(PROGRAMME, set_file([a_set(2, ROTATION, 10)]))
    assert found.days == {day(0), day(1), day(2)}
    assert found.on(day(2), ROTATION)[0].repetitions
    assert found.on(day(1), ROTATION) == ()


def test_a_sensor_that_is_worn_all_day_makes_known_what_it_recorded() -> None:
    recorded = (span(0, 8, 12), span(1, 8, 5), span(1, 9, 6), span(2, 20, 14))
    found = observe(ALL_DAY, set_file([], recorded))
    assert hours_of_days(recorded) == {day(0): 12.0, day(1): 7.0, day(2): 4.0, day(3): 10.0}
    assert found.days == {day(0), day(3)}


def test_without_recorded_times_nothing_is_known_of_a_sensor_worn_all_day() -> None:
    with pytest.raises(ContractError, match="do not say when the sensor recorded"):
        observe(ALL_DAY, set_file([a_set(0, ROTATION, 10)]))


@pytest.mark.parametrize(
    ("file", "last", "says"),
    [
        (SetFile(sets=()), None, "no set and no recording"),
        (set_file([a_set(-3, ROTATION, 10)]), None, "before the programme begins"),
        (set_file([]), day(-1), "before the programme begins"),
    ],
)
def test_where_there_is_nothing_of_the_programme_it_says_so(
    file: SetFile, last: object, says: str
) -> None:
    with pytest.raises(ContractError, match=says):
        observe(PROGRAMME, file, last)  # type: ignore[arg-type]


def test_what_does_not_count_is_said_by_its_reason() -> None:
    sets = [
        a_set(1, ROTATION, 10, hour=8), a_set(1, ROTATION, 10, hour=9, name=None),
        a_set(1, ROTATION, 10, hour=10, name="squat"), a_set(1, ROTATION, 10, hour=11, side="left"),
        a_set(1, ROTATION, 10, hour=12, side=None), a_set(1, ROTATION, 0, hour=13),
        a_set(-1, SLIDE, 10), a_set(1, SLIDE, 12, hour=14, name="Wall Slide"),
    ]  # fmt: skip
    found = observe(PROGRAMME, set_file(sets))
    assert found.left_out == dict.fromkeys(
        [
            reasons.UNKNOWN, reasons.NOT_PRESCRIBED, reasons.OTHER_SIDE, reasons.NO_SIDE,
            reasons.NO_REPETITION, reasons.OTHER_DAYS,
        ], 1,
    )  # fmt: skip
    assert len(found.on(day(1), ROTATION)) == len(found.on(day(1), SLIDE)) == 1


@pytest.mark.parametrize("side", ["left", None])
def test_sets_of_no_side_that_is_prescribed_are_refused_and_not_told_as_nothing_done(
    side: str | None,
) -> None:
    sets = [a_set(number, ROTATION, 10, side=side) for number in range(14)]
    with pytest.raises(ContractError, match="14 are of the other side, or do not say theirs"):
        observe(PROGRAMME, set_file(sets))
    # One that counts says that the side is right.
    assert observe(PROGRAMME, set_file([*sets, a_set(3, ROTATION, 10, hour=20)])).sets


def test_after_its_end_a_programme_is_looked_at_no_more() -> None:
    found = observe(PROGRAMME, set_file([a_set(0, ROTATION, 10)]), day(400))
    assert (found.last, len(found.days)) == (PROGRAMME.end, 28)
