"""A person's functional profile on the day of a forecast.

Each domain against the scale, the person's own course, and people at that time. It is of what is on
record, whether or not the model reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from contracts.cohort import WEAR_TIME
from contracts.observation import Observation
from contracts.sequences import SequenceBatch
from contracts.vocabulary import Code, Domain, Kind, vocabulary
from features.past.groups import WORN_DAY_HOURS, is_of_wearable
from inference.bundle import Bundle
from serving.profile import (
    AtThatTime,
    DomainProfile,
    Earlier,
    InstrumentScale,
    ProfileMeasure,
    Unknown,
)

NOW_DAYS, BEFORE_DAYS = 7, 21
"""A week, and three weeks before it: whole weeks, as weekends differ from other days."""

LEAST_DAYS = 3
"""Days with a value without which there is no median of a week or of the weeks before."""

SCORE_UNIT = "{score}"

DOMAINS = tuple(domain for domain in Domain if domain is not Domain.NONE)

Series = list[tuple[int, float]]
"""Day after enrolment and value."""


def profile_of(
    bundle: Bundle, batch: SequenceBatch, observations: Sequence[Observation]
) -> list[DomainProfile]:
    """Return every domain, in the order of `Domain`; one without a measure is not known.

    Parameters
    ----------
    batch
        The pair that is forecast: its day is that of the profile.
    """
    today = int(batch.origin_day_B[0])
    enrolment_day = int(batch.days_since_onset_BT[0, -1]) - today
    oldest = today - bundle.task.inputs.past_days + 1
    series = _series(observations, enrolment_day, today)
    measures: dict[Domain, list[ProfileMeasure]] = {domain: [] for domain in DOMAINS}
    for code in _codes(bundle.task.target.code):
        own = _own_course(code, series.get(code.code, []), today, oldest)
        if own is not None:
            then = _people(bundle, code, own[0].last_day + enrolment_day)
            measures[code.domain].append(_measure(code, *own, then))
    return [_domain(domain, measures[domain]) for domain in DOMAINS]


def _codes(target: str) -> tuple[Code, ...]:
    """Return the codes of all domains: the target first, scores before daily values."""
    codes = [code for code in vocabulary().values() if code.domain is not Domain.NONE]
    return tuple(sorted(codes, key=lambda c: (c.code != target, c.kind is not Kind.ASSESSMENT)))


def _kinds() -> tuple[frozenset[str], frozenset[str]]:
    """Return the codes of scores, and those that a wearable measures."""
    entries = vocabulary().values()
    scores = frozenset(entry.code for entry in entries if entry.kind is Kind.ASSESSMENT)
    return scores, frozenset(entry.code for entry in entries if is_of_wearable(entry.code))


def _series(
    observations: Sequence[Observation], enrolment_day: int, today: int
) -> Mapping[str, Series]:
    """Return what is on record up to a day, by code; of daily values the last four weeks.

    Of a wearable the days on which it was hardly worn tell nothing.
    """
    scores, wearable = _kinds()
    oldest = today - NOW_DAYS - BEFORE_DAYS
    series: dict[str, Series] = defaultdict(list)
    for item in observations:
        if item.day_since_onset is None or item.value is None:
            continue
        day = item.day_since_onset - enrolment_day
        if day <= today and (day > oldest or item.code in scores):
            series[item.code].append((day, item.value))
    unworn = {day for day, hours in series.get(WEAR_TIME, ()) if hours < WORN_DAY_HOURS}
    if unworn:
        for code in wearable & series.keys():
            series[code] = [(day, value) for day, value in series[code] if day not in unworn]
    return series


OwnCourse = tuple[Earlier, Earlier | None, Earlier | None]
"""Now, before, and the first score."""


def _own_course(code: Code, series: Series, today: int, oldest: int) -> OwnCourse | None:
    """Return a person's own values of a code; None where nothing is known of now."""
    if code.kind is Kind.ASSESSMENT:
        scores = [Earlier(value=v, first_day=day, last_day=day) for day, v in sorted(series)]
        if not scores or scores[-1].last_day < oldest:
            return None
        before = scores[-2] if len(scores) > 1 else None
        return scores[-1], before, scores[0] if len(scores) > 2 else None
    week = today - NOW_DAYS
    now = _median([(day, value) for day, value in series if day > week])
    if now is None:
        return None
    return now, _median([(day, value) for day, value in series if day <= week]), None


def _median(series: Series) -> Earlier | None:
    if len(series) < LEAST_DAYS:
        return None
    days = [day for day, _ in series]
    middle = median(value for _, value in series)
    return Earlier(value=middle, first_day=min(days), last_day=max(days))


def _people(bundle: Bundle, code: Code, day_since_onset: int) -> AtThatTime | None:
    known = bundle.people_at_times
    then = None if known is None else known.at(code.code, day_since_onset)
    if then is None:
        return None
    return AtThatTime(lower=then.lower, middle=then.middle, upper=then.upper, people=then.people)


def _measure(
    code: Code,
    now: Earlier,
    before: Earlier | None,
    first: Earlier | None,
    people: AtThatTime | None,
) -> ProfileMeasure:
    scale = None
    # What has another unit has a plausible range, which is no scale.
    if code.unit == SCORE_UNIT and code.low is not None and code.high is not None:
        scale = InstrumentScale(low=code.low, high=code.high, better=code.better)
    return ProfileMeasure(
        code=code.code, name=code.name, unit=code.unit, value=now.value, first_day=now.first_day,
        last_day=now.last_day, scale=scale, before=before, first=first, people=people,
    )  # fmt: skip


def _domain(domain: Domain, measures: list[ProfileMeasure]) -> DomainProfile:
    not_known: list[Unknown] = []
    if not measures:
        is_measured = any(code.domain is domain for code in vocabulary().values())
        not_known.append("now" if is_measured else "any measure")
    if all(measure.before is None for measure in measures):
        not_known.append("own course")
    if all(measure.people is None for measure in measures):
        not_known.append("people at that time")
    return DomainProfile(domain=domain.value, measures=measures, not_known=not_known)
