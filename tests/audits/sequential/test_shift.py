"""Who comes: everyone within the season, groups beside the rest; bets never come out by chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from audits.measure.groups import EVERYONE
from audits.sequential.plan import load_plan
from audits.sequential.shift import Shifts, part_of_year, parts_of, shifts, week_of_arrivals
from contracts.evidence.arrivals import Arrivals
from contracts.vocabulary import NOT_RECORDED

FIRST = 105_000
QUANTITIES = ("steps", "missing")


def came(rng: np.random.Generator, week: int, **how: Any) -> Arrivals:
    site_N = np.where(rng.random(20) < 0.3, "second", "first").astype(object)
    is_hit_N = (site_N == "second") if how.get("site") else np.ones(20, dtype=np.bool_)
    season = how.get("season", 0.0) * np.sin(2 * np.pi * 7 * week / 365.2425)
    value_N = rng.normal(16 + 4 * season, 4, 20)
    value_N += 3 * (site_N == "second")
    chance_N = 0.1 * np.ones(20)
    if week - FIRST >= 120:
        value_N = np.where(is_hit_N, value_N + 4 * how.get("shift", 0.0), value_N)
        chance_N = np.where(is_hit_N, how.get("missing", 0.1), chance_N)
    level_N = np.clip(value_N, 0, 31).astype(np.int64)
    missing_N = (rng.random(20) < chance_N).astype(np.int64)
    level_N[missing_N == 1] = -1
    return Arrivals(
        quantities=QUANTITIES,
        level_NQ=np.stack([level_N, missing_N], axis=1),
        groups={"site": site_N, "sex": np.full(20, NOT_RECORDED, dtype=object)},
    )


def followed(seed: int, weeks: int = 200, **how: Any) -> Shifts:
    def each() -> Iterator[tuple[int, dict[str, Any]]]:
        seen: dict[str, Any] = {}
        rng = np.random.default_rng(seed)
        for week in range(FIRST, FIRST + weeks):
            found = week_of_arrivals(came(rng, week, **how), week, seen, rng)
            assert set(found.seen) <= {
                part_of_year(week),
                "pairs site | first",
                "pairs site | second",
            }
            seen |= found.seen
            yield week, asdict(found)

    return shifts(FIRST, list(each()), QUANTITIES, ("site", "sex"), load_plan())


def test_people_who_come_as_they_came_and_a_season_are_no_shift() -> None:
    found = [followed(seed) for seed in range(4)]
    found += [followed(seed, season=1.0) for seed in range(4)]
    assert [each.since_week for each in found] == [None] * 8
    assert found[0].people == 4000
    assert len(found[0].tests) == 3 * len(QUANTITIES)
    assert not found[0].named(load_plan())


@pytest.mark.parametrize(
    ("how", "quantity", "group", "direction"),
    [
        ({"site": True, "shift": 1.0}, "steps", ("site", "second"), "higher"),
        ({"shift": -0.7, "season": 0.5}, "steps", (EVERYONE, EVERYONE), "lower"),
        ({"site": True, "missing": 0.6}, "missing", ("site", "second"), "higher"),
    ],
)
def test_a_shift_is_named_with_quantity_group_and_direction(
    how: dict[str, Any], quantity: str, group: tuple[str, str], direction: str
) -> None:
    found = followed(7, **how)
    assert found.since_week is not None
    assert 120 < found.since_week < 180
    named = {(t.quantity, t.attribute, t.group): t.direction for t in found.named(load_plan())}
    assert named[quantity, *group] == direction


def test_weights_of_the_error_budget_never_exceed_it_however_many_groups_come() -> None:
    rng = np.random.default_rng(1)
    weeks = []
    for week in range(FIRST, FIRST + 40):
        people = came(rng, week)
        people.groups["site"][:] = np.where(
            np.arange(20) < 10, f"site {week % 30}", f"site {week % 30 + 1}"
        )
        weeks.append((week, asdict(week_of_arrivals(people, week, {}, rng))))
    found = shifts(FIRST, weeks, QUANTITIES, ("site", "sex"), load_plan())
    assert len(found.tests) == len(QUANTITIES) * 32
    assert sum(test.weight for test in found.tests) <= 0.5 + 0.25
    assert min(test.weight for test in found.tests) > 0
    assert found.mean == pytest.approx(
        1 + sum(test.weight * (test.e_value - 1) for test in found.tests)
    )


def test_before_anybody_came_there_is_nothing_to_say() -> None:
    found = shifts(0, [], QUANTITIES, ("site",), load_plan())
    assert (found.people, found.tests, found.mean, found.since_week) == (0, (), 1.0, None)


def test_a_year_has_a_part_for_each_week_and_people_are_compared_within_theirs() -> None:
    parts = [part_of_year(week) for week in range(FIRST, FIRST + 522)]
    assert len(set(parts)) == 52
    assert max(parts.count(part) for part in set(parts)) <= 20
    people = came(np.random.default_rng(2), FIRST)
    assert parts_of(people, FIRST) == [
        part_of_year(FIRST), "pairs site | first", "pairs site | second"
    ]  # fmt: skip
