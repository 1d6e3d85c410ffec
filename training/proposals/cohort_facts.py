"""What a cohort holds that a task can forecast, and forecast from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import (
    CODE,
    ENROLMENT,
    SUBJECT,
    TIME,
    TRACING_CHANCE,
    TRACING_DRAWN,
    Cohort,
)
from contracts.errors import ContractError
from contracts.groups import MINIMUM_SHOWN
from contracts.vocabulary import Code, Kind, vocabulary
from contracts.vocabulary.instruments import ImportantDifference, instruments

AGE, SEX, ETHNICITY = "REHABCAST//AGE", "REHABCAST//SEX", "REHABCAST//ETHNICITY"
REQUIRED = (SEX, AGE, ETHNICITY)
"""What the shipped policy asks an audit to compare."""

OF_TRACING = {TRACING_CHANCE, TRACING_DRAWN}

MOST_HORIZONS = 6
NARROWEST, SHARE_OF_TIME = 3, 0.1
"""A window is a tenth of the time since enrolment to either side, and no less than three days."""

SECOND_ORIGIN_UNTIL = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A code of the cohort, and of how many people it has values that count."""

    code: str
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time at which many people have an outcome.

    Parameters
    ----------
    weeks, days
        After enrolment; the days are half-open.
    people
        How many have one.
    """

    weeks: int
    days: tuple[int, int]
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What a task of a cohort can be made of.

    Parameters
    ----------
    cohort
        Its name.
    target, chosen
        What is forecast; whether a person named it, or it is the likeliest.
    others
        Other instruments with outcomes, most people first.
    windows, origins_days
        When people have outcomes, and days on which forecasts can be made.
    differences
        Important differences that are shipped of the target.
    assessments, daily, person
        What a forecast may use.
    sensitive, lacking
        Attributes of the audit that the cohort has, and required ones that it lacks.
    """

    cohort: str
    target: Code
    chosen: bool
    others: tuple[Measured, ...]
    windows: tuple[Window, ...]
    origins_days: tuple[int, ...]
    differences: tuple[ImportantDifference, ...]
    assessments: tuple[str, ...]
    daily: tuple[str, ...]
    person: tuple[str, ...]
    sensitive: tuple[str, ...]
    lacking: tuple[str, ...]


def task_facts(cohort: Cohort, target: str = "") -> TaskFacts:
    """Return what a task of a cohort can be made of.

    Parameters
    ----------
    target
        Code of the instrument to forecast; by default the one of which most people have outcomes.

    Raises
    ------
    ContractError
        No instrument, or not this one, has outcomes of 11 people.
    """
    days = _days_after_enrolment(cohort.events)
    measured = list(_with_outcomes(days))
    codes = [each.code for each in measured]
    if target and target not in codes:
        raise ContractError(
            f"{target} has no outcome of {MINIMUM_SHOWN} people: a score after enrolment, and one"
            " before or on another day",
            f"name one of {', '.join(codes)}" if codes else "import more scores",
        )
    if not measured:
        raise ContractError(
            f"no instrument has scores of {MINIMUM_SHOWN} people on two days after enrolment, so"
            " nothing can be forecast",
            "import the scores of later visits, or check the dates of enrolment",
        )
    chosen = target or codes[0]
    windows = outcome_windows(days[days[CODE] == chosen])
    if not windows:
        raise ContractError(
            f"at no time {MINIMUM_SHOWN} people have a score of {chosen} a week or more after"
            " enrolment", "import the scores of later visits, or name another --target",
        )  # fmt: skip
    known = instruments().get(chosen)
    held = _people_of(cohort.events)
    person = tuple(code for code in _of_kind(held, Kind.PERSON) if _is_usable(code))
    return TaskFacts(
        cohort=cohort.provenance.name,
        target=vocabulary()[chosen],
        chosen=bool(target),
        others=tuple(each for each in measured if each.code != chosen),
        windows=windows,
        origins_days=_origins(windows),
        differences=() if known is None else known.differences,
        assessments=(chosen, *(c for c in _of_kind(held, Kind.ASSESSMENT) if c != chosen)),
        daily=tuple(_of_kind(held, Kind.DAILY)),
        person=person,
        sensitive=tuple(code for code in REQUIRED if code in held),
        lacking=tuple(code for code in REQUIRED if code not in held),
    )


def _days_after_enrolment(events: pd.DataFrame) -> pd.DataFrame:
    """Return subject, code and day after enrolment of every assessment."""
    enrolled = events[events[CODE] == ENROLMENT].set_index(SUBJECT)[TIME].dt.normalize()
    kinds = {code: vocabulary()[code].kind for code in events[CODE].unique()}
    scores = events[events[CODE].map(kinds) == Kind.ASSESSMENT]
    day = (scores[TIME].dt.normalize() - scores[SUBJECT].map(enrolled)).dt.days
    return pd.DataFrame({SUBJECT: scores[SUBJECT], CODE: scores[CODE].astype(str), "day": day})


def _with_outcomes(days: pd.DataFrame) -> Iterator[Measured]:
    """Yield instruments of which enough people have scores on two days, most people first."""
    found = []
    for code, rows in days.groupby(CODE):
        per_person = rows.groupby(SUBJECT)["day"].agg(["nunique", "max"])
        people = int(((per_person["nunique"] > 1) & (per_person["max"] >= 7)).sum())
        if people >= MINIMUM_SHOWN:
            found.append(Measured(code=str(code), people=people))
    yield from sorted(found, key=lambda each: (-each.people, each.code))


def outcome_windows(days: pd.DataFrame) -> tuple[Window, ...]:
    """Return the times at which most people have a score: whole weeks whose windows are apart.

    Parameters
    ----------
    days
        Columns subject and day after enrolment, of one instrument.
    """
    day_N = days["day"].to_numpy()
    last = int(day_N.max()) if len(day_N) else 0
    ranked = []
    for weeks in range(1, last // 7 + 2):
        window = _window(weeks)
        inside_N = (day_N >= window[0]) & (day_N < window[1])
        people = int(days[SUBJECT][inside_N].nunique())
        if people >= MINIMUM_SHOWN:
            off = abs(float(np.median(day_N[inside_N])) - 7 * weeks)
            ranked.append((-people, off, Window(weeks=weeks, days=window, people=people)))
    chosen: list[Window] = []
    for _, _, window_ in sorted(ranked, key=lambda row: row[:2]):
        if len(chosen) < MOST_HORIZONS and all(_apart(window_, other) for other in chosen):
            chosen.append(window_)
    return tuple(sorted(chosen, key=lambda window: window.weeks))


def _window(weeks: int) -> tuple[int, int]:
    half = max(NARROWEST, round(SHARE_OF_TIME * 7 * weeks))
    return 7 * weeks - half, 7 * weeks + half + 1


def _apart(one: Window, other: Window) -> bool:
    return one.days[1] <= other.days[0] or other.days[1] <= one.days[0]


def _origins(windows: tuple[Window, ...]) -> tuple[int, ...]:
    """Return enrolment, and an early visit after which there are outcomes still."""
    first = 7 * windows[0].weeks
    return (0, first) if len(windows) > 1 and first <= SECOND_ORIGIN_UNTIL else (0,)


def _people_of(events: pd.DataFrame) -> dict[str, int]:
    """Return how many people have each code, of those that enough people have."""
    people = events.groupby(events[CODE].astype(str))[SUBJECT].nunique()
    return {str(code): int(n) for code, n in people.items() if n >= MINIMUM_SHOWN}


def _of_kind(held: dict[str, int], kind: Kind) -> list[str]:
    return [code for code, entry in vocabulary().items() if entry.kind is kind and code in held]


def _is_usable(code: str) -> bool:
    entry = vocabulary()[code]
    return code not in OF_TRACING and (entry.is_numeric or bool(entry.labels))


def age_bands(ages_N: NDArray[np.float64]) -> tuple[int, ...]:
    """Return edges of two or three age bands, in tens, with people on all sides."""
    edges = sorted({int(round(edge, -1)) for edge in np.quantile(ages_N, [1 / 3, 2 / 3])})
    return tuple(edge for edge in edges if ages_N.min() < edge <= ages_N.max())
