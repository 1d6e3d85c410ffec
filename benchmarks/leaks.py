"""Benchmark: which inputs that know the outcome are refused, and how often honest ones are.

For each cohort the largest correlation of its own inputs with the change; then an input is planted
that is the outcome with an error, and one that agrees with the change as much as an honest input is
believed to (`training.fitting.leaks.LARGEST_BELIEVED`). The comparison is the limit of 0.995 that
was used before. Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from support.repository import REAL_DATA, UPPER_LIMB, repository_task
from training.fitting.leaks import LARGEST_BELIEVED, agreements, check_target_leakage

REAL = REAL_DATA / "stroke_specs"
PLANTINGS = 100
NOISE_POINTS = (1.0, 2.46, 3.0)
"""2.46 is the standard error of measurement of the Fugl-Meyer (doi 10.1177/15459683231186985)."""
WEEK_12 = 84
PLANTED = "REHABCAST//BARTHEL"
"""Whose values are replaced: every cohort here has it."""
BEFORE = 0.995


def cohorts() -> Iterator[tuple[str, SequenceBatch]]:
    """Yield the cohorts that there are, as batches of forecasts at enrolment."""
    task = repository_task(UPPER_LIMB)
    sources = {f"SIMULATED, {n}": simulate(subjects=n, seed=7)[0] for n in (60, 167, 600)}
    if REAL.exists():
        sources = {"real stroke cohort": import_stroke_specs(REAL)[0], **sources}
    for name, events in sources.items():
        batch = training_sequences(events, task)
        yield name, batch.take(batch.origin_day_B == 0)


def planted(batch: SequenceBatch, input_B: np.ndarray) -> SequenceBatch:
    """Return the batch with an input that is only known where it is a number."""
    channel = batch.layout.channels_C.index(PLANTED)
    values_BTC, observed_BTC = batch.values_BTC.copy(), batch.observed_BTC.copy()
    values_BTC[:, :, channel], observed_BTC[:, :, channel] = 0, False
    known_B = ~np.isnan(input_B)
    values_BTC[known_B, -1, channel] = input_B[known_B]
    observed_BTC[:, -1, channel] = known_B
    return replace(batch, values_BTC=values_BTC, observed_BTC=observed_BTC)


def refused(batch: SequenceBatch) -> bool:
    """Say whether the check refuses a batch."""
    try:
        check_target_leakage(batch)
    except IntegrityError:
        return True
    return False


def refused_before(batch: SequenceBatch) -> bool:
    """Say whether the fixed limit would."""
    return any(one.correlation > BEFORE for one in agreements(batch))


def adjusted(change_B: np.ndarray, base_B: np.ndarray) -> np.ndarray:
    """Return what a regression on the score at the start leaves of a change."""
    known_B = ~np.isnan(change_B)
    slope, level = np.polyfit(base_B[known_B], change_B[known_B], 1)
    return np.asarray(change_B - slope * base_B - level)


def rows(name: str, batch: SequenceBatch) -> Iterator[dict[str, object]]:
    """Yield the rows of one cohort: what is planted, and how often it is refused."""
    generator = np.random.default_rng(0)
    h = batch.layout.horizon_days_H.index(WEEK_12)
    truth_B = batch.truth_BH[:, h].astype(np.float64)
    left_B = adjusted(truth_B - batch.last_score_B, batch.last_score_B.astype(np.float64))
    spread = float(np.nanstd(left_B))
    honest = max(agreements(batch), key=lambda one: one.correlation)
    common = {"cohort": name, "people": int((~np.isnan(truth_B)).sum()), "change_sd": spread}
    yield {
        **common,
        "planted": f"nothing; largest correlation {honest.correlation:.2f} ({honest.name})",
        "refused": float(refused(batch)),
        "refused_before": float(refused_before(batch)),
    }
    inputs = {f"the outcome, error {points:g} points": (truth_B, points) for points in NOISE_POINTS}
    # The error at which an input agrees with the change as closely as an honest one may.
    limit = spread * np.sqrt(1 / LARGEST_BELIEVED**2 - 1)
    inputs[f"an input at the limit of {LARGEST_BELIEVED:g}"] = (left_B, limit)
    for what, (signal_B, points) in inputs.items():
        batches = [
            planted(batch, signal_B + generator.normal(scale=points, size=len(batch)))
            for _ in range(PLANTINGS)
        ]
        yield {
            **common,
            "planted": what,
            "refused": float(np.mean([refused(one) for one in batches])),
            "refused_before": float(np.mean([refused_before(one) for one in batches])),
        }


def main() -> None:
    """Print how often each planted input is refused, by cohort."""
    table = pd.DataFrame([row for name, batch in cohorts() for row in rows(name, batch)])
    print(table.to_string(index=False, float_format="{:.2f}".format))
    print(json.dumps(table.to_dict("records")))


if __name__ == "__main__":
    main()
