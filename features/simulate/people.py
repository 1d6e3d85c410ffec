"""The people of a simulated cohort; their facts change recovery only if the scenario says so."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from features.simulate.channels import AIDS

Array = NDArray[np.float64]

AID_LIMITS = (0.30, 0.45, 0.65)
AID_SPREAD = 0.10
"""Walking ability below which most use a wheelchair, a rollator, a cane. Assumption."""

SEX = "REHABCAST//SEX"
ETHNICITY = "REHABCAST//ETHNICITY"
INCOME = "REHABCAST//INCOME"
SITE = "REHABCAST//SITE"
AID = "REHABCAST//WALKING_AID"
AGE = "REHABCAST//AGE"
COMORBIDITIES = "REHABCAST//COMORBIDITIES"


def _mixes() -> dict[str, dict[str, float]]:
    return {
        SEX: {"female": 0.45, "male": 0.55},
        ETHNICITY: {
            "non-Hispanic White": 0.685,
            "Hispanic": 0.171,
            "Asian": 0.074,
            "non-Hispanic Black": 0.064,
            "other": 0.006,
        },
        INCOME: {"low": 1 / 3, "middle": 1 / 3, "high": 1 / 3},
        SITE: {"site A": 0.45, "site B": 0.35, "site C": 0.20},
        "REHABCAST//STROKE_TYPE": {
            "large artery": 0.30,
            "cardioembolic": 0.25,
            "small vessel": 0.15,
            "haemorrhagic": 0.15,
            "undetermined": 0.15,
        },
        "REHABCAST//APHASIA": {"no": 0.75, "yes": 0.25},
        "REHABCAST//AFFECTED_ARM": {"left": 0.5, "right": 0.5},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Parameters of the people.

    Parameters
    ----------
    age_mean, age_spread
        Years: 68.5 (14.7) in 3,876 inpatients (verified, Garcia 2022), held to 18 to 100.
    mixes
        Shares by code and label. Ethnicity: verified, Garcia 2022. 36 to 50 % women and 79 to 89 %
        ischaemic are verified ranges. Income is thirds by definition; the rest are assumptions.
    comorbidities
        Mean number at the mean age, and added per decade. Assumption.
    owner_share, owner_income, owner_old
        Logit of the chance of having a wearable, its shift by income (low, middle, high), and at 65
        and over: lower with low income and age (verified as directions, Nagappan 2024).
    recorded
        Share of people whose fact is on record, where it is not on record for all. Assumption.
    """

    age_mean: float = 68.5
    age_spread: float = 14.7
    mixes: dict[str, dict[str, float]] = field(default_factory=_mixes)
    comorbidities: float = 1.5
    comorbidities_decade: float = 0.3
    owner_share: float = 2.2
    owner_income: tuple[float, float, float] = (-0.6, 0.0, 0.4)
    owner_old: float = -0.4
    recorded: dict[str, float] = field(
        default_factory=lambda: {"REHABCAST//STROKE_TYPE": 0.95, INCOME: 0.90, ETHNICITY: 0.97}
    )


def draw_people(subjects: int, generator: np.random.Generator, people: People) -> pd.DataFrame:
    """Draw facts, one row per subject and one column per code, and `owns`: has a wearable."""
    age = np.clip(np.round(generator.normal(people.age_mean, people.age_spread, subjects)), 18, 100)
    facts = pd.DataFrame({AGE: age})
    for code, mix in people.mixes.items():
        share = np.array(list(mix.values()))
        drawn = np.searchsorted(np.cumsum(share / share.sum())[:-1], generator.random(subjects))
        facts[code] = np.array(list(mix), dtype=object)[drawn]
    mean = people.comorbidities + people.comorbidities_decade * (age - people.age_mean) / 10
    facts[COMORBIDITIES] = np.minimum(generator.poisson(np.maximum(mean, 0.1)), 20).astype(float)
    income = facts[INCOME].map(
        dict(zip(("low", "middle", "high"), people.owner_income, strict=True))
    )
    chance = expit(people.owner_share + income.to_numpy(float) + people.owner_old * (age >= 65))
    facts["owns"] = generator.random(subjects) < chance
    return facts


def draw_recorded(
    subjects: int, generator: np.random.Generator, people: People
) -> dict[str, NDArray[np.bool_]]:
    """Draw whose fact is on record, (N,) by code."""
    return {code: generator.random(subjects) < share for code, share in people.recorded.items()}


def aid_chance(ability: Array) -> Array:
    """Return chances of `AIDS` at walking abilities (N,), (N, 4)."""
    passed = ndtr((ability[:, None] - np.array(AID_LIMITS)) / AID_SPREAD)
    wheelchair, rollator, cane, none = -np.diff(
        np.column_stack([np.ones(len(ability)), passed, np.zeros(len(ability))]), axis=1
    ).T
    chance = {"none": none, "cane": cane, "rollator": rollator, "wheelchair": wheelchair}
    return np.stack([chance[aid] for aid in AIDS], axis=1)
