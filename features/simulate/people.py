"""Who takes part: facts that, in this cohort, have nothing to do with recovery."""

from __future__ import annotations

import numpy as np

from contracts.cohort import NUMBER, TEXT

AGE_MEAN, AGE_SPREAD = 68.0, 12.0
"""Years; reported cohort means lie between 64 and 72 (Garcia 2022 and others)."""

MIXES: dict[str, dict[str, float]] = {
    "REHABCAST//SEX": {"female": 0.45, "male": 0.55},
    "REHABCAST//SITE": {"site A": 0.45, "site B": 0.35, "site C": 0.20},
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
"""Shares. 36 to 50 % women and 79 to 89 % ischaemic are reported; the rest are assumptions."""

RECORDED = {"REHABCAST//STROKE_TYPE": 0.95}
"""Share of people of whom a fact is recorded, where not all (assumption)."""


def draw_person(generator: np.random.Generator) -> dict[str, dict[str, object]]:
    """Draw a person's facts, by code, as the event columns that they fill."""
    age = float(np.clip(np.round(generator.normal(AGE_MEAN, AGE_SPREAD)), 18, 100))
    facts: dict[str, dict[str, object]] = {"REHABCAST//AGE": {NUMBER: age}}
    for code, mix in MIXES.items():
        label = str(generator.choice(list(mix), p=list(mix.values())))
        if generator.random() < RECORDED.get(code, 1.0):
            facts[code] = {TEXT: label}
    return facts
