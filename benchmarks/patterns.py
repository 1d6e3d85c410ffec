"""Benchmark: whether ranges and chances hold for everybody, or only for most.

Coverage of the 80 % range by pattern (who became worse, was seen very early, is near an end of the
scale, or has few people alike), what milestones state against what came true, and how many training
people are refused as unlike on their newest day; each beside how it was before, in the same run;
ranges also as the networks say them, without offsets.
Forecasts are out of fold, on SIMULATED subjects and, if ../shared exists, on the real cohort.
Takes a minute or two on one idle core: `make bench NAME=patterns`. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import SUBJECT, Provenance
from contracts.forecast import LOWER_80, QUANTILE_LEVELS, UPPER_80
from contracts.groups import MINIMUM_SHOWN
from contracts.sequences import SequenceBatch
from features.newest import days_with_score, newest_day
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from inference.milestones import assessed, chances, reached
from inference.offsets import calibrate, learn_offsets
from inference.out_of_distribution import fit_reference, is_out_of_distribution
from inference.patterns import patterns
from support.repository import REAL_DATA, UPPER_LIMB, print_frame, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import CrossFit, crossfit
from training.split import fold_of_rows, fold_of_subjects

REAL = REAL_DATA / "stroke_specs"
TASK = repository_task(UPPER_LIMB)
SIMULATED_SUBJECTS = 300
SPARSE = 20
WEEKS = (0, 6, 26, 104, 1_000)
"""Since onset."""

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """Out-of-fold forecasts of one cohort, as they are now and as they were before."""

    batch: SequenceBatch
    records: SequenceBatch
    fold_of: dict[int, int]
    fitted: CrossFit
    before_BHQ: Array


def forecast(events: pd.DataFrame, config: TrainingConfig) -> Forecasts:
    """Cross-fit a cohort; before, no range depended on people alike or on the time since onset."""
    batch = training_sequences(events, TASK)
    people = events[events[SUBJECT].isin(batch.subject_B)]
    records = days_with_score(people, TASK, batch.layout)
    fold_of = fold_of_subjects(batch.subject_B, config.folds, 0.0, seed=config.seed)
    with tempfile.TemporaryDirectory() as folder:
        fitted = crossfit(batch, TASK, config, folder=Path(folder), records=records)
    fold_B = fold_of_rows(batch.subject_B, fold_of)
    raw_BHQ = fitted.uncalibrated_BHQ
    before_BHQ = np.empty_like(raw_BHQ)
    for fold in range(config.folds):
        own_B = fold_B == fold
        truth_BH, groups_B = batch.truth_BH[~own_B], batch.groups_B[~own_B]
        one_day_B = np.zeros(len(batch))
        offsets = learn_offsets(
            truth_BH, raw_BHQ[~own_B], groups_B, one_day_B[~own_B], batch.subject_B[~own_B]
        )
        before_BHQ[own_B] = calibrate(
            raw_BHQ[own_B],
            offsets.of_pairs(batch.groups_B[own_B], one_day_B[own_B]),
            TASK.target.low,
            TASK.target.high,
        )
    return Forecasts(
        batch=batch, records=records, fold_of=fold_of, fitted=fitted, before_BHQ=before_BHQ
    )


def outcomes_by_pattern(made: Forecasts) -> dict[str, Flags]:
    """Return which outcomes belong to each pattern, (B, H) by name: those of an audit's rules."""
    similar_BH = made.fitted.calibration.seen.similar(made.batch, TASK)[:, :-1]
    given_BH = made.fitted.out_of_fold_given_BH
    by_person = {"all": np.ones(len(made.batch), dtype=np.bool_)}
    for name, label_B in patterns(made.batch, TASK).items():
        for label in np.unique(label_B.astype(str)):
            by_person[f"{name}: {label}"] = label_B == label
    week_B = made.batch.days_since_onset_BT[:, -1] / 7
    for first, last in pairwise(WEEKS):
        by_person[f"week {first} to {last}"] = (week_B >= first) & (week_B < last)
    by_outcome = {name: given_BH & rows_B[:, None] for name, rows_B in by_person.items()}
    by_outcome[f"under {SPARSE} people alike"] = given_BH & (similar_BH < SPARSE)
    by_outcome["refused: too few alike"] = ~given_BH
    return by_outcome


def coverage(made: Forecasts) -> Iterator[dict[str, object]]:
    """Yield a row for each pattern."""
    truth_BH = made.batch.truth_BH
    ways = {
        "without offsets": made.fitted.uncalibrated_BHQ,
        "before": made.before_BHQ,
        "now": made.fitted.out_of_fold_BHQ,
    }
    for name, pattern_BH in outcomes_by_pattern(made).items():
        rows_BH = pattern_BH & ~np.isnan(truth_BH)
        people = len(np.unique(made.batch.subject_B[rows_BH.any(axis=1)]))
        row: dict[str, object] = {"pattern": name, "people": people, "outcomes": int(rows_BH.sum())}
        if people < MINIMUM_SHOWN:
            yield {"pattern": name, "people": f"under {MINIMUM_SHOWN}"}
            continue
        for way, quantiles_BHQ in ways.items():
            of_rows_NQ, truth_N = quantiles_BHQ[rows_BH], truth_BH[rows_BH].astype(np.float64)
            low_N, high_N = of_rows_NQ[:, LOWER_80], of_rows_NQ[:, UPPER_80]
            miss_NQ = truth_N[:, None] - of_rows_NQ
            level_Q = np.array(QUANTILE_LEVELS)
            row |= {
                f"coverage {way}": ((truth_N >= low_N) & (truth_N <= high_N)).mean(),
                f"width {way}": (high_N - low_N).mean(),
                f"CRPS {way}": 2 * np.maximum(level_Q * miss_NQ, (level_Q - 1) * miss_NQ).mean(),
            }
        yield row


def milestones(made: Forecasts) -> Iterator[dict[str, object]]:
    """Yield what was stated and what came true, of those who had not reached it already."""
    batch, known_B = made.batch, assessed(made.batch, TASK)
    seen_BH = ~np.isnan(batch.truth_BH)
    was = reached(batch.truth_BH, batch.last_score_B, TASK, assessed_B=known_B)
    never_BH = np.full_like(batch.truth_BH, np.nan)
    today = reached(never_BH, batch.last_score_B, TASK, assessed_B=known_B)
    for milestone in TASK.milestones:
        name = milestone.name
        highest_BH = _running_maximum(made.before_BHQ, batch, name)
        stated_BH = made.fitted.out_of_fold_chances[name]
        for h, horizon in enumerate(TASK.horizons):
            rows_B = seen_BH[:, h] & ~today[name][:, h] & made.fitted.out_of_fold_given_BH[:, h]
            people = len(np.unique(batch.subject_B[rows_B]))
            if people < MINIMUM_SHOWN:
                continue
            came_B = was[name][rows_B, h]
            yield {
                "milestone": name,
                "week": horizon.weeks,
                "outcomes": int(rows_B.sum()),
                "came true": came_B.mean(),
                "stated before": highest_BH[rows_B, h].mean(),
                "stated now": stated_BH[rows_B, h].mean(),
                "Brier before": ((highest_BH[rows_B, h] - came_B) ** 2).mean(),
                "Brier now": ((stated_BH[rows_B, h] - came_B) ** 2).mean(),
            }


def _running_maximum(quantiles_BHQ: Array, batch: SequenceBatch, name: str) -> Array:
    """Return the chance as it was: the highest of those of single visits so far."""
    nobody_B = np.zeros(len(batch), dtype=np.bool_)
    own = [
        chances(quantiles_BHQ[:, [h]], batch.last_score_B, TASK, assessed_B=nobody_B)[name]
        for h in range(quantiles_BHQ.shape[1])
    ]
    return np.maximum.accumulate(np.concatenate(own, axis=1), axis=1)


def strangers(made: Forecasts, events: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Yield how many training people are refused as unlike the others on their newest day."""
    people = events[events[SUBJECT].isin(made.batch.subject_B)]
    newest = newest_day(people, TASK, made.batch.layout)
    asked = newest.batch.take(~newest.no_score_B & ~newest.nothing_measured_B)
    asked_fold_B = fold_of_rows(asked.subject_B, made.fold_of)
    for name, learned in (("landmarks", made.batch), ("all days", made.records)):
        fold_B = fold_of_rows(learned.subject_B, made.fold_of)
        refused = 0
        for fold in np.unique(asked_fold_B):
            reference = fit_reference(learned.take(fold_B != fold))
            own = asked.take(asked_fold_B == fold)
            refused += int(is_out_of_distribution(reference, own).sum())
        yield {
            "learned from": name,
            "asked on their newest day": len(asked),
            "refused": refused,
            "share": refused / len(asked),
        }


def run(
    source: Callable[[], tuple[pd.DataFrame, Provenance]],
) -> dict[str, list[dict[str, object]]]:
    """Benchmark one cohort and print its tables."""
    events, provenance = source()
    events = events.sort_values(SUBJECT, kind="stable")
    label = "SIMULATED" if provenance.simulated else provenance.name
    made = forecast(events, TrainingConfig())
    tables = {
        "80 % range by pattern": list(coverage(made)),
        "milestones, of those not there yet": list(milestones(made)),
        "refused as unlike those trained on": list(strangers(made, events)),
    }
    for title, rows in tables.items():
        print_frame(f"{label}: {title}", pd.DataFrame(rows).round(3))
    learned = made.fitted.calibration
    facts = {"correlation of two visits": learned.visits.correlation, "caution": learned.caution}
    print_frame(f"{label}: learned of everybody", pd.DataFrame([facts]).round(2))
    return tables


def main() -> None:
    """Run the benchmark on each cohort that exists."""
    record = {"simulated": run(lambda: simulate(subjects=SIMULATED_SUBJECTS, seed=0))}
    if REAL.exists():
        record["stroke-specs"] = run(lambda: import_stroke_specs(REAL))
    else:
        sys.stderr.write(f"{REAL} does not exist: the real cohort was left out\n")
    print(json.dumps(record, default=float))


if __name__ == "__main__":
    main()
