"""SIMULATED people as monitoring sees them, day by day, and changes planted in them.

Letters: D days since onset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts.cohort import WEAR_TIME
from contracts.task import Target
from features.simulate.channels import CHANNELS, STEPS, USE_RATIO, WALKING_CHANNELS
from features.simulate.events import THERAPY
from features.simulate.scales import FUGL_MEYER
from features.simulate.scenario import Scenario
from features.simulate.subjects import SHARD, draw_subjects
from features.simulate.therapy import PLAN_DAYS
from serving.monitoring.alert import Alert
from serving.monitoring.daily import daily_alerts
from serving.monitoring.scores import score_fall
from serving.monitoring.series import WINDOW_DAYS, Series

Array = NDArray[np.float64]
HEART, SLEEP = "LOINC//40443-4", "REHABCAST//SLEEP"
DAYS_A_MONTH, DAYS_A_QUARTER = 30.4, 91.3


@dataclass(frozen=True, slots=True)
class Person:
    """One simulated wearer: values by code (D,), not a number where there are none, and scores."""

    enrolment: int
    daily: Mapping[str, Array]
    scores: list[tuple[int, float]]

    def days(self) -> range:
        """Return the days on which monitoring is judged: from the third week to the plan's end.

        Who stops wearing the device for good has changed in truth, and is not judged from then on.
        """
        last = int(np.flatnonzero(np.isfinite(self.daily[WEAR_TIME]))[-1])
        return range(self.enrolment + 14, min(self.enrolment + PLAN_DAYS, last + 1))

    def seen_on(self, today: int, days: int = WINDOW_DAYS) -> Series:
        """Return what monitoring reads on a day, of so many days."""
        first = today - days + 1
        lead = np.full(max(0, -first), np.nan)
        daily = {
            code: np.concatenate([lead, value_D[max(0, first) : today + 1]])
            for code, value_D in self.daily.items()
        }
        scores = [(day, score) for day, score in self.scores if first <= day <= today]
        return Series(today=today, daily=daily, scores={FUGL_MEYER.code: scores})

    def alerts(self, today: int, target: Target) -> Iterator[Alert]:
        """Yield the alerts of a day that need no model."""
        series = self.seen_on(today)
        fall = score_fall(series, target)
        if fall is not None:
            yield fall
        yield from daily_alerts(series)


def wearers(seed: int, shards: int) -> Iterator[Person]:
    """Yield the simulated people who own a wearable; nothing is planted in them."""
    for shard in range(shards):
        drawn = draw_subjects(shard, seed, Scenario())
        for n in np.flatnonzero(drawn.facts["owns"].to_numpy(dtype=np.bool_)[:SHARD]):
            tracked_D, valid_D = drawn.worn.tracked[n], drawn.worn.valid[n]
            daily = {WEAR_TIME: np.where(tracked_D, drawn.worn.hours[n], np.nan)}
            for channel in CHANNELS:
                on_D = valid_D & drawn.walked[n] if channel.code in WALKING_CHANNELS else valid_D
                daily[channel.code] = np.where(on_D, drawn.daily[channel.code][n], np.nan)
            in_care_D = np.arange(len(valid_D)) >= drawn.enrolment[n]
            minutes_D = drawn.minutes[n, drawn.plan[n]]
            daily[THERAPY] = np.where(in_care_D, minutes_D, np.nan)
            visits = zip(drawn.visit_day[n], drawn.scores[FUGL_MEYER.code][n], strict=True)
            kept = [
                (int(day), float(score))
                for (day, score), took_place in zip(visits, drawn.kept[n], strict=True)
                if took_place
            ]
            person = Person(int(drawn.enrolment[n]), daily, kept)
            if len(person.days()):
                yield person


Plant = Callable[[Person, int], Person]
"""Plants a change that begins on a day."""


def _from(person: Person, day: int, change: Mapping[str, Callable[[Array], Array]]) -> Person:
    daily = dict(person.daily)
    for code, changed in change.items():
        value_D = daily[code].copy()
        value_D[day:] = changed(value_D[day:])
        daily[code] = value_D
    return replace(person, daily=daily)


def _no_wear(person: Person, day: int) -> Person:
    codes = [channel.code for channel in CHANNELS]
    gone = {code: lambda value_D: np.full_like(value_D, np.nan) for code in codes}
    return _from(person, day, {**gone, WEAR_TIME: np.zeros_like})


def _no_data(person: Person, day: int) -> Person:
    codes = [WEAR_TIME, *(channel.code for channel in CHANNELS)]
    return _from(person, day, {c: lambda value_D: np.full_like(value_D, np.nan) for c in codes})


def _score_falls(person: Person, day: int) -> Person:
    """Take ten points off, and assess within three days, as somebody who looks ill would be.

    What is measured then differs from the last score by ten points and the noise of both.
    """
    before = [score for at, score in person.scores if at < day]
    scores = [(at, score if at < day else max(0.0, score - 10)) for at, score in person.scores]
    noise = FUGL_MEYER.noise(np.zeros(1))[0] * np.sqrt(2)
    told_score = before[-1] - 10 + np.random.default_rng([day, *map(int, before)]).normal(0, noise)
    told = (day + 3, max(0.0, float(np.round(told_score))))
    return replace(person, scores=sorted([*(s for s in scores if s[0] != day + 3), told]))


PLANTS: dict[str, tuple[Plant, str]] = {
    "steps fall to 40 %": (
        lambda person, day: _from(person, day, {STEPS.code: lambda v: np.round(0.4 * v)}),
        STEPS.code,
    ),
    "use ratio falls by a third": (
        lambda person, day: _from(person, day, {USE_RATIO: lambda v: v * 2 / 3}), USE_RATIO,
    ),
    "sleep falls by 2.5 hours": (
        lambda person, day: _from(person, day, {SLEEP: lambda v: v - 2.5}), SLEEP,
    ),
    "resting heart rises by 10": (
        lambda person, day: _from(person, day, {HEART: lambda v: v + 10}), HEART,
    ),
    "wearable no longer worn": (_no_wear, WEAR_TIME),
    "no data any more": (_no_data, WEAR_TIME),
    "score falls by 10": (_score_falls, FUGL_MEYER.code),
}  # fmt: skip
"""What is planted, and the code whose alert finds it."""


def fixed_rule(series: Series) -> Iterator[str]:
    """Yield the codes that are under half of their own mean on the last three days with a value."""
    for code, value_T in series.daily.items():
        seen = value_T[np.isfinite(value_T)]
        if len(seen) >= 13 and (seen[-3:] < 0.5 * seen[:-3].mean()).all():
            yield code
