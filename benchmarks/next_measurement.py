"""Benchmark: whether ranges become as narrow as is said of measuring again.

A small hybrid learns from SIMULATED patients. Of others, who were scored again 7 to 21 days after
enrolment, it says on the day of enrolment how wide the 80 % range would be after a score on that
day; then they get the score that they really had. Takes about a minute on one idle core:
`make bench NAME=next_measurement`. The last line is JSON.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.forecast import LOWER_80, UPPER_80
from contracts.sequences import SequenceBatch
from features.newest import days_with_score
from features.sequences import training_sequences
from features.simulate import simulate
from inference.bundle import Bundle, forecast_batch, load_bundle, verify_bundle
from serving.forecast.measured_again.worth import Worth, measured_later, worth_measuring
from support.repository import UPPER_LIMB, print_frame, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.models.layers.network import Ensemble
from training.registry.bundle import TrainingProvenance, write_bundle

TASK = repository_task(UPPER_LIMB)
SUBJECTS = 300
SOONEST, LATEST = 7, 21
CONFIG = TrainingConfig(folds=3, hidden=8, max_epochs=60, patience=10)


def trained(events: pd.DataFrame, train: SequenceBatch) -> Bundle:
    """Return the bundle of a model of some of the people."""
    people = events[events["subject_id"].isin(train.subject_B)]
    records = days_with_score(people, TASK, train.layout)
    about = TrainingProvenance(
        family="hybrid", cohort_name="simulated", simulated=True, seed=0,
        subjects=len(np.unique(train.subject_B)), data_digest="d", task_digest="d",
        config_digest="d", code_digest="d", predictions_digest="d",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        fitted = crossfit(train, TASK, CONFIG, folder=Path(first), records=records)
        write_bundle(
            Path(second), Ensemble(fitted.served), fitted.calibration, train, TASK, about,
            card="# Benchmark\n", records=records,
        )  # fmt: skip
        return load_bundle(Path(second), expected_digest=verify_bundle(Path(second)))


def said_and_came(bundle: Bundle, unseen: SequenceBatch) -> Iterator[dict[str, float]]:
    """Yield width now, as it was said, and as it came, of each person and horizon."""
    channel = unseen.layout.channels_C.index(TASK.target.code)
    for subject in np.unique(unseen.subject_B):
        pairs = unseen.take(unseen.subject_B == subject)
        now, last = pairs.take(pairs.origin_day_B == 0), pairs.take(pairs.origin_day_B == LATEST)
        if not len(now) or not len(last):
            continue
        back = np.flatnonzero(last.observed_BTC[0, ::-1, channel])
        scored = [int(LATEST - b) for b in back if LATEST - b >= SOONEST]
        if not scored:
            continue
        day = scored[0]
        score = last.values_BTC[:, -1 - (LATEST - day), channel].astype(np.float64)
        later_HQ = forecast_batch(bundle, measured_later(now, TASK.target, score, day))[0]
        quantiles_HQ = forecast_batch(bundle, now)[0]
        for h, horizon in enumerate(TASK.horizons):
            worth = worth_measuring(bundle, now, quantiles_HQ, h, days=day)
            if horizon.weeks in {12, 26} and isinstance(worth, Worth):
                came = float(later_HQ[h, UPPER_80] - later_HQ[h, LOWER_80])
                yield {
                    "week": horizon.weeks,
                    "now": worth.now,
                    "said": worth.expected,
                    "came": came,
                }


def main() -> None:
    """Run the benchmark."""
    events, _ = simulate(subjects=SUBJECTS, seed=0)
    batch = training_sequences(events, TASK)
    unseen_B = batch.subject_B % 4 == 0
    bundle = trained(events, batch.take(~unseen_B))
    each = pd.DataFrame(said_and_came(bundle, batch.take(unseen_B)))
    rows = [
        {
            "week": int(str(week)),
            "people": len(of_week),
            "width now": of_week["now"].mean(),
            "said": of_week["said"].mean(),
            "came": of_week["came"].mean(),
            "narrower, said": (of_week["now"] - of_week["said"]).mean(),
            "narrower, came": (of_week["now"] - of_week["came"]).mean(),
            "standard error": (of_week["said"] - of_week["came"]).std() / len(of_week) ** 0.5,
        }
        for week, of_week in each.groupby("week")
    ]
    print_frame("SIMULATED: width of the 80 % range after a score more", pd.DataFrame(rows))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
