"""Biomarkers, wear, therapy and silence: who is told of, and who is not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

import serving.monitoring as package
from contracts.vocabulary import Kind as CodeKind
from contracts.vocabulary import vocabulary
from serving.monitoring.alert import Alert, Kind
from serving.monitoring.daily import daily_alerts
from serving.monitoring.limits import OF_EXERCISE, PLACES, limit_of, limits, silent_days
from serving.monitoring.series import series_of
from serving.monitoring.words import sentence
from tests.serving.monitoring.records import observed

STEPS, WEAR, THERAPY = "LOINC//41950-7", "REHABCAST//WEAR_TIME", "REHABCAST//THERAPY"
HEART = "LOINC//40443-4"


def days(first: int, last: int, *values: float) -> dict[int, float]:
    return {day: values[n % len(values)] for n, day in enumerate(range(first, last + 1))}


def alerts(values: dict[str, dict[int, float]], today: int) -> dict[str, Alert]:
    return {alert.kind.value: alert for alert in daily_alerts(series_of(observed(values), today))}


WALKED = days(5, 32, 4500, 5200, 4800, 5000)


@pytest.mark.parametrize("today", [36, 38, 44])
def test_walking_that_collapses_is_told_with_its_first_day(today: int) -> None:
    values = {STEPS: WALKED | days(33, today, 310, 280, 350), WEAR: days(5, today, 15)}
    (alert,) = alerts(values, today).values()
    assert (alert.kind, alert.code, alert.since_day, alert.rises) == (
        Kind.BIOMARKER, STEPS, 33, False,
    )  # fmt: skip
    assert (alert.before, alert.days_before, alert.days_now) == (4900, 28, today - 32)
    assert 280 <= alert.now <= 350


def test_more_walking_alarms_nobody_and_a_heart_that_changes_either_way_does() -> None:
    assert alerts({STEPS: WALKED | days(33, 44, 9000, 9500)}, 44) == {}
    beats = days(5, 32, 68, 70, 72, 69)
    for changed in (95.0, 45.0):
        (alert,) = alerts({HEART: beats | days(33, 44, changed, changed + 1)}, 44).values()
        assert alert.rises == (changed > 70)


def test_a_day_on_which_the_device_was_hardly_worn_is_no_day_without_walking() -> None:
    values = {STEPS: WALKED | days(33, 44, 300), WEAR: days(5, 32, 15) | days(33, 44, 2)}
    found = alerts(values, 44)
    assert set(found) == {"not worn"}
    assert (found["not worn"].since_day, found["not worn"].days_now) == (33, 12)


@pytest.mark.parametrize("with_wear", [False, True])
def test_silence_is_told_and_not_taken_for_rest(with_wear: bool) -> None:
    values = {STEPS: days(6, 20, 3900, 4200)}
    if with_wear:
        values[WEAR] = days(6, 20, 15, 16)
    (alert,) = alerts(values, 34).values()
    assert (alert.kind, alert.since_day, alert.days_now) == (Kind.SILENCE, 21, 14)
    assert (alert.before, alert.now) == (1.0, 0.0)


def test_silence_begins_on_the_day_that_its_rate_allows() -> None:
    values = {STEPS: days(6, 20, 3900, 4200)}
    assert alerts(values, 20 + silent_days() - 1) == {}
    assert set(alerts(values, 20 + silent_days())) == {"no data"}


def test_a_kind_of_therapy_is_no_wearable_and_is_not_watched_beside_the_whole() -> None:
    physio = "REHABCAST//THERAPY_PHYSIO"
    # The wearable is as silent as without it.
    worn = {STEPS: days(6, 20, 3900, 4200)}
    silent = alerts(worn | {physio: days(6, 34, 45)}, 34)
    assert silent == alerts(worn, 34)
    assert set(silent) == {"no data"}
    fewer = days(1, 28, 45) | days(29, 56, 5)
    whole = alerts({THERAPY: fewer}, 56)
    assert set(whole) == {"less therapy"}
    # A day's disciplines are its therapy where nobody states that; how it was given is no more.
    assert whole == alerts({physio: fewer}, 56) == alerts({THERAPY: fewer, physio: fewer}, 56)
    assert alerts({"REHABCAST//THERAPY_ROBOT": fewer}, 56) == {}


def test_where_data_never_came_daily_nothing_is_silent() -> None:
    assert alerts({STEPS: {day: 4000.0 for day in range(2, 30, 3)}}, 44) == {}
    assert alerts({STEPS: days(18, 20, 4000)}, 44) == {}
    assert alerts({}, 44) == {}
    assert alerts({THERAPY: days(2, 20, 30)}, 44) == {}


def test_worn_less_and_less_therapy_are_told_apart() -> None:
    worn = {
        STEPS: WALKED | days(33, 60, 4600, 5100),
        WEAR: days(5, 46, 17, 16) | days(47, 60, 10.5),
    }
    (alert,) = alerts(worn, 60).values()
    assert (alert.kind, alert.since_day) == (Kind.WEAR, 47)
    week = days(1, 42, 45, 45, 45, 45, 45, 0, 0)
    (alert,) = alerts({THERAPY: week | days(43, 56, 6, 5, 6, 5, 6, 0, 0)}, 56).values()
    assert (alert.kind, alert.since_day) == (Kind.THERAPY, 43)
    assert alert.now < 5 < alert.before
    assert alerts({THERAPY: days(1, 56, 45, 45, 45, 45, 45, 0, 0)}, 56) == {}


def test_of_a_plan_that_is_known_the_share_done_counts_and_not_the_minutes() -> None:
    minutes = days(1, 42, 45, 45, 45, 45, 45, 0, 0) | days(43, 56, 0)
    share = days(1, 56, 0.95, 1.0, 0.9, 1.05)
    assert set(alerts({THERAPY: minutes}, 56)) == {"less therapy"}
    assert alerts({THERAPY: minutes, "REHABCAST//ADHERENCE": share}, 56) == {}
    less = days(1, 42, 0.95, 1.0, 0.9, 1.05) | days(43, 56, 0.3, 0.2, 0.25)
    (alert,) = alerts({THERAPY: minutes, "REHABCAST//ADHERENCE": less}, 56).values()
    assert (alert.kind, alert.code, alert.since_day) == (Kind.THERAPY, "REHABCAST//ADHERENCE", 43)


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (days(1, 56, 0.3, 0.2, 0.45), True),
        (days(30, 56, 0.0), True),
        (days(1, 20, 0.9) | days(21, 56, 0.3), True),
        (days(1, 56, 0.3, 0.2, 0.55), False),
        (days(50, 56, 0.1), False),
        (days(1, 56, 0.9, 1.1), False),
    ],
)
def test_a_plan_that_was_never_kept_is_told(share: dict[int, float], told: bool) -> None:
    """Against the plan and not the person's own level, which does not exist where nobody began."""
    found = alerts({"REHABCAST//ADHERENCE": share}, 56)
    assert ("less therapy" in found) == told
    if told and min(share.values()) == max(share.values()) == 0:
        alert = found["less therapy"]
        assert (alert.before, alert.now, alert.since_day, alert.days_before) == (1, 0, 30, 0)
        assert "Of the planned therapy 0 % took place on 27 days since day 30" in sentence(alert)


def test_values_of_later_days_are_not_known_yet() -> None:
    values = {STEPS: WALKED | days(33, 44, 300)}
    assert alerts(values, 32) == {}


def test_the_limits_are_of_codes_of_the_vocabulary_and_come_from_a_file_that_says_how() -> None:
    assert set(limits()) == set(PLACES) | set(OF_EXERCISE)
    assert all(vocabulary()[code].kind is CodeKind.DAILY for code in limits())
    for name, places in (("limits.toml", PLACES), ("exercise_limits.toml", OF_EXERCISE)):
        text = Path(package.__path__[0], name).read_text("utf-8")
        assert "SIMULATED" in text
        assert [row["code"] for row in tomllib.loads(text)["limit"]] == list(places)
    strictest = max(limit.size for limit in limits().values())
    unknown = limit_of("REHABCAST//MOBILITY")
    assert (unknown.size, unknown.place.alarming) == (strictest, "either")
    assert np.isnan(unknown.usual_scale)
