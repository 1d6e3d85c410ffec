"""Benchmark: a rule on patterns of the course, as reported only and as binding in three ways.

Forecasts of SIMULATED people whose ranges hold in every pattern, or fail in one (the 80 % range
holds in 55 of 100). How often is the sound model held up, and the failing one caught, where a rule
is reported only, holds back where failure is shown, where it is suspected, or unless it is shown to
hold? `make bench NAME=pattern_rule`, some minutes on one core; the last line is JSON.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import pandas as pd

from audits.judging.policy import load_policy
from support.pattern_trials import (
    FAILING,
    HOLDS_BACK,
    Held,
    held,
    pattern_rule,
    population,
    recalibrated,
    rules_for,
)
from support.repository import print_frame

PEOPLE = (160, 300, 750)
COHORTS = 100
SEED = 7


def main() -> None:
    """Print the table."""
    policy = load_policy()
    policy = rules_for(policy, pattern_rule(policy))
    sound = population()
    found: list[Held] = []
    for failing in (None, *FAILING):
        table = recalibrated(sound, failing)
        found += (
            held(table, policy, failing, people=people, cohorts=COHORTS, seed=SEED + people)
            for people in PEOPLE
        )
    rows = [
        {
            "range fails in": each.failing or "no pattern (sound)",
            "people": each.people,
            "of them in it": round(each.of_pattern),
            "reported only": 0.0,
            **{way: each.back[way] for way in HOLDS_BACK},
        }
        for each in found
    ]
    print_frame("SIMULATED: share of cohorts in which a model is held back", pd.DataFrame(rows))
    print(json.dumps([asdict(each) for each in found]))


if __name__ == "__main__":
    main()
