"""The time of the audit's bootstrap, compared with MetricFrame's own: `make bench NAME=audit`.

10,000 rows x 4 attributes and their pairs x 8 metrics x 1,000 replicates, both in one run.
MetricFrame is timed on few replicates of each set of groups and scaled up, as all would take most
of an hour; its time grows in proportion to the replicates.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    mean_prediction,
    selection_rate,
)
from sklearn.metrics import brier_score_loss, mean_absolute_error, mean_squared_error

from audits.measure.groups import Grouping, by_attribute, intersections
from audits.measure.intervals import bootstrap
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, available_measures

METRICS = (
    Metric.MEAN_ABSOLUTE_ERROR, Metric.SIGNED_ERROR, Metric.COVERAGE, Metric.WIDTH,
    Metric.BRIER_SCORE, Metric.FALSE_NEGATIVE_RATE, Metric.FALSE_POSITIVE_RATE,
    Metric.SELECTION_RATE,
)  # fmt: skip
REPLICATES = 1000
LABELS = {"sex": 2, "age band": 3, "hospital": 4, "wear band": 3}


def table_of(rows: int, *, seed: int = 0) -> pd.DataFrame:
    """Return random forecasts, one row per person: speed does not depend on their values."""
    rng = np.random.default_rng(seed)
    truth_N = rng.uniform(0, 66, rows)
    median_N = truth_N + rng.normal(0, 5, rows)
    table = pd.DataFrame(
        {
            "model": "candidate", "subject_id": np.arange(rows), "origin_day": 0,
            "horizon_day": 84, "days_since_onset": 20.0, "truth": truth_N, "q10": median_N - 6,
            "q50": median_N, "q90": median_N + 6, "chance:gain": rng.uniform(size=rows),
            "reached:gain": rng.uniform(size=rows) < 0.5,
        }
    )  # fmt: skip
    for name, count in LABELS.items():
        table[f"group:{name}"] = rng.integers(count, size=rows).astype(str)
    return table


def seconds_of_ours(table: pd.DataFrame, groupings: list[Grouping]) -> float:
    """Return the seconds that our bootstrap takes."""
    measured: tuple[Measure, ...] = tuple(m for x in METRICS for m in available_measures(table, x))
    start = time.perf_counter()
    bootstrap(
        table, groupings, measured, replicates=REPLICATES, seed=1, thresholds=MetricThresholds()
    )
    return time.perf_counter() - start


def seconds_of_metric_frame(table: pd.DataFrame, grouping: Grouping, replicates: int) -> float:
    """Return the seconds that MetricFrame takes for eight metrics of the same kinds."""
    selected = (table["chance:gain"] >= 0.5).astype(int)
    reached = table["reached:gain"].astype(int)
    options: dict[str, Any] = {
        "sensitive_features": pd.Series(grouping.group_N), "n_boot": replicates,
        "ci_quantiles": [0.025, 0.975], "random_state": 1,
    }  # fmt: skip
    start = time.perf_counter()
    MetricFrame(
        metrics={
            "error": mean_absolute_error, "square": mean_squared_error, "mean": mean_prediction,
        },
        y_true=table["truth"], y_pred=table["q50"], **options,
    )  # fmt: skip
    MetricFrame(metrics=brier_score_loss, y_true=reached, y_pred=table["chance:gain"], **options)
    MetricFrame(
        metrics={
            "selected": selection_rate, "missed": false_negative_rate,
            "alarm": false_positive_rate, "inside": mean_prediction,
        },
        y_true=reached, y_pred=selected, **options,
    )  # fmt: skip
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    table = table_of(10_000)
    single = by_attribute(table)
    groupings = [*single, *intersections(single)]
    seconds_of_ours(table, groupings)
    fast = min(seconds_of_ours(table, groupings) for _ in range(3))
    slow = {
        n: sum(seconds_of_metric_frame(table, grouping, n) for grouping in groupings)
        for n in (2, 6)
    }
    per_replicate = (slow[6] - slow[2]) / 4
    print(f"10,000 rows, {len(groupings)} sets of groups, 8 metrics, {REPLICATES} replicates")
    print(f"| ours, by subject | {fast:.2f} s |")
    print(
        f"| MetricFrame, by row | {per_replicate:.2f} s a replicate,"
        f" {per_replicate * REPLICATES:,.0f} s in all |"
    )
    print(f"| ratio | {per_replicate * REPLICATES / fast:,.0f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| peak memory so far | {peak:.2f} GiB |")
    large = table_of(1_000_000)
    single = by_attribute(large)
    seconds = seconds_of_ours(large, [*single, *intersections(single)])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| 1,000,000 rows, ours | {seconds:.1f} s, peak memory {peak:.2f} GiB |")


if __name__ == "__main__":
    main()
