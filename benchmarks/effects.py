"""Benchmark: effects of dose in SIMULATED cohorts with a known truth, and arms of real trials.

`make bench NAME=effects`: for each truth of dose and strength of confounding 40 cohorts of about
660 people; what a doubled plan gives over usual care is estimated from what a clinic sees. Then
the arms of ../shared/data/stroke_specs. Takes 3 minutes on one idle core, `python
benchmarks/effects.py --cohorts 10` less. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd

from features.simulate.scenario import Scenario, read_scenario
from inference.twin.sensitivity import STRENGTHS
from support.repository import REAL_DATA, ROOT, print_frame
from support.simulated_effects import BENEFIT, Answer, Truth, answer, draw_cohort, with_therapy
from support.specs_arms import contrasts

REAL = REAL_DATA / "stroke_specs"
HIDDEN = ROOT / "scenarios" / "hidden-confounder.toml"
"""Treatment follows tolerance, which no clinic records, and so does recovery."""
TRUTHS: tuple[Truth, ...] = ("none", "saturating", "threshold")
CONFOUNDING = (0.0, 2.0, 4.0)
SHARDS = 4


def row(truth: str, confounding: float, answers: list[Answer]) -> dict[str, object]:
    """Return one line of the table."""

    def mean(name: str) -> float:
        return float(np.mean([getattr(a, name) for a in answers]))

    return {
        "truth": truth, "confounding": confounding, "true effect": mean("truth"),
        "naive": mean("naive"), "adjusted": float(np.mean([a.adjusted.value for a in answers])),
        "standard error": float(np.mean([a.adjusted.standard_error for a in answers])),
        "90 % holds": mean("held"), "claims a sign": mean("claims_sign"),
        "truth in range from": float(np.median([a.hidden for a in answers])),
        "in range at 3": float(np.mean([a.hidden <= STRENGTHS[-1] for a in answers])),
        "PEHE": mean("pehe"), "of the mean": mean("pehe_of_mean"), "of none": mean("pehe_of_none"),
    }  # fmt: skip


def main() -> None:
    """Print both tables, and which targets were met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=40)
    cohorts = parser.parse_args().cohorts
    if cohorts < 1:
        parser.error("nothing can be measured without a cohort: --cohorts 1")
    rows: list[dict[str, object]] = []
    for truth in TRUTHS:
        for confounding in CONFOUNDING:
            scenario = with_therapy(Scenario(), truth, confounding)
            seeds = range(len(rows) * cohorts, (len(rows) + 1) * cohorts)
            answers = [answer(draw_cohort(scenario, seed, SHARDS), seed) for seed in seeds]
            rows.append(row(truth, confounding, answers))
    found = pd.DataFrame(rows)
    seeds = range(len(rows) * cohorts, (len(rows) + 1) * cohorts)
    hidden = [answer(draw_cohort(read_scenario(HIDDEN), seed, SHARDS), seed) for seed in seeds]
    shown = pd.concat([found, pd.DataFrame([row("hidden confounder", 4.0, hidden)])])
    print_frame("SIMULATED: a doubled plan over usual care, Fugl-Meyer points", shown)
    if REAL.is_dir():
        print_frame("Real arms, change of Fugl-Meyer in 12 weeks", pd.DataFrame(contrasts(REAL)))
    else:
        print(f"{REAL} is not here: no real arms")
    nothing = found[found["truth"] == "none"]
    held = float(found["90 % holds"].mean())
    print(json.dumps({
        "cohorts": cohorts * len(found), "90 % intervals hold": round(held, 3),
        "within 87 to 93 %": 0.87 <= held <= 0.93,
        "no dose does anything: mean effect": round(float(nothing["adjusted"].mean()), 3),
        f"under {BENEFIT}": bool(nothing["adjusted"].abs().max() < BENEFIT),
        "claims of a sign there": round(float(nothing["claims a sign"].mean()), 3),
        "under 5 %": bool(nothing["claims a sign"].mean() < 0.05),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
