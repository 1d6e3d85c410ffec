"""Benchmark: whether aspirin's effect is found again after its randomisation was hidden.

`make bench NAME=ist_effect` reads ../shared/data/ist_stroke_trial (19,435 people of the
International Stroke Trial, here those of four in five hospitals); `python benchmarks/ist_effect.py
--seeds 5` hides it fewer times. The truth is the randomised contrast of the same people. The last
line is JSON. Takes two minutes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from support.ist_confounded import HIDDEN_ODDS, Found, Trial, read_trial, repeated
from support.repository import REAL_DATA, print_frame

REAL = REAL_DATA / "ist_stroke_trial"
NEAR = 0.3
"""Points within which the mean has to find the randomised contrast."""
RUNS = ((0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (1.0, HIDDEN_ODDS))


@dataclass(frozen=True)
class Row:
    """One strength of confounding, over all samples, in percentage points."""

    gamma: float
    hidden_odds: float
    naive: float
    weighted: float
    adjusted: float
    error_of_mean: float
    """Of the adjusted effect, by the samples: how exact this line is."""
    standard_error: float
    """Of one sample, as estimated: larger than its spread here, since samples share people."""
    least_comparable: float
    explained_by: float
    """The median strength of a hidden confounder that explains the whole effect away."""
    truth_within: float
    """The median strength at which the randomised contrast is in the range."""


def row(trial: Trial, gamma: float, hidden_odds: float, seeds: int) -> Row:
    """Run one line of the table."""
    found: list[Found] = list(repeated(trial, gamma, seeds, hidden_odds))
    adjusted = np.array([f.adjusted.value for f in found])
    truth = trial.contrast().value

    def reached(value: float) -> float:
        strengths = [f.curve.reaches(value) for f in found]
        return float(np.median([np.inf if s is None else s for s in strengths]))

    return Row(
        gamma, hidden_odds,
        100 * float(np.mean([f.naive for f in found])),
        100 * float(np.mean([f.weighted for f in found])),
        100 * float(adjusted.mean()), 100 * float(adjusted.std(ddof=1) / seeds**0.5),
        100 * float(np.mean([f.adjusted.standard_error for f in found])),
        min(f.comparable for f in found), reached(0), reached(truth),
    )  # fmt: skip


def main() -> None:
    """Print the table beside the randomised contrast, and whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    seeds = parser.parse_args().seeds
    if seeds < 2:
        parser.error("the error of a mean needs at least two samples: --seeds 2")
    if not REAL.is_dir():
        print(f"{REAL} is not here: nothing was measured")
        return
    trial = read_trial(REAL)
    truth = trial.contrast()
    print(
        f"{len(trial.bad_N)} people; randomised contrast {100 * truth.value:+.2f} points of dead or"
        f" dependent, standard error {100 * truth.standard_error:.2f}, 90 % interval"
        f" {100 * truth.lower:+.2f} to {100 * truth.upper:+.2f}; {seeds} samples a line"
    )
    rows = [row(trial, gamma, hidden, seeds) for gamma, hidden in RUNS]
    print_frame("Aspirin, percentage points", pd.DataFrame([vars(r) for r in rows]))
    found = {
        f"found within {NEAR} at gamma {r.gamma:g}": abs(r.adjusted - 100 * truth.value) <= NEAR
        for r in rows[:3]
    }
    found["hidden confounder: truth in the range at its strength"] = (
        rows[3].truth_within <= HIDDEN_ODDS
    )
    print(json.dumps({"people": len(trial.bad_N), "truth": 100 * truth.value, **found}))


if __name__ == "__main__":
    main()
