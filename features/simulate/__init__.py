"""The simulated stroke cohort: no real person is in it, and it says so wherever it goes.

A first, simple simulator: Fugl-Meyer courses from the published five-group mixture, two coupled
scales, and two months of wearable days. Subject i of a seed is the same whatever the cohort's size.
Nothing about a person changes recovery given the group: a fair model has no gap to hide here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from contracts.cohort import (
    CODE,
    COLUMNS,
    ENROLMENT,
    NOMINAL_ONSET,
    NUMBER,
    ONSET,
    SUBJECT,
    TEXT,
    TIME,
    Provenance,
)
from features.simulate.people import draw_person
from features.simulate.recovery import RecoveryParameters, assess, draw_course
from features.simulate.wearables import WearableParameters, wear

ENROLMENT_DAYS = (5, 22)
"""Days from onset to enrolment, [first, last); an assumption, as in early-rehabilitation trials."""

VISIT_WEEKS = (0, 3, 5, 6, 12, 26, 52)
VISIT_KEPT = (1.0, 0.9, 0.5, 0.5, 0.9, 0.8, 0.6)
"""Share of visits kept (assumption: follow-up thins out, weeks 5 and 6 are optional)."""


def simulate(*, subjects: int, seed: int) -> tuple[pd.DataFrame, Provenance]:
    """Simulate a cohort.

    Parameters
    ----------
    subjects
        How many, at least 1; ids run from 1.
    seed
        Seed of every random number; the same seed gives the same subjects.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, and a provenance marked as simulated.
    """
    events = pd.concat([_subject(number, seed) for number in range(1, subjects + 1)])
    provenance = Provenance(
        name="simulated stroke cohort",
        source=f"rehabcast simulator, five-group Fugl-Meyer mixture, seed {seed}",
        simulated=True,
        details={"subjects": subjects, "seed": seed},
    )
    return events.reset_index(drop=True), provenance


def _subject(number: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng([seed, number])
    enrolment = int(generator.integers(*ENROLMENT_DAYS))
    course = draw_course(generator, RecoveryParameters())
    person = draw_person(generator)
    visits = np.array(
        [
            enrolment + 7 * week + (int(generator.integers(-2, 3)) if week else 0)
            for week, kept in zip(VISIT_WEEKS, VISIT_KEPT, strict=True)
            if generator.random() < kept
        ]
    )
    timed = [
        *assess(course, visits, generator, RecoveryParameters()),
        *wear(course, enrolment, generator, WearableParameters()),
    ]
    dates = [(ONSET, np.array([0]), np.array([np.nan]))]
    dates += [(ENROLMENT, np.array([enrolment]), np.array([np.nan]))]
    days = pd.concat(
        [
            pd.DataFrame({CODE: code, TIME: day, NUMBER: value})
            for code, day, value in [*dates, *timed]
        ]
    )
    days[TIME] = NOMINAL_ONSET + pd.to_timedelta(days[TIME], unit="D")
    facts = pd.DataFrame([{CODE: code, **fact} for code, fact in person.items()])
    made = pd.concat([days, facts]).assign(**{SUBJECT: number}).reindex(columns=list(COLUMNS))
    made[TEXT] = made[TEXT].astype(object).where(made[TEXT].notna(), None)
    return made
