"""Benchmark: walking speed and independence of SIMULATED patients, beside boosted trees.

One network of the hybrid, not calibrated, learns from 400 people, as does each comparator; all of
them forecast 400 others on days 0 and 21. Differences are paired by person. Takes about three
minutes on one idle core (`make bench NAME=walking`; `python benchmarks/walking.py
stroke-gait-speed` for one task). The last line is JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pandas as pd

from contracts import predictions as columns
from features.sequences import training_sequences
from features.simulate import simulate
from support.one_network import one_network
from support.repository import print_frame, repository_task
from training.comparison.leaderboard import BASELINE
from training.models import Fit
from training.models.bedside_rules import last_observation
from training.models.boosted import boosted_quantiles
from training.predictions import prediction_table
from training.scores import paired_difference, with_losses

TASKS = ("stroke-gait-speed", "stroke-walking-independence")
SCORED, LEARNED, SEED = 400, 400, 13
HYBRID = "hybrid, one network"
FAMILIES: dict[str, Fit] = {
    HYBRID: one_network,
    "boosted quantiles": boosted_quantiles,
    BASELINE: last_observation,
}


def forecasts(name: str, events: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts of every family with their losses."""
    task = repository_task(name)
    batch = training_sequences(events, task)
    train, unseen = batch.take(batch.subject_B > SCORED), batch.take(batch.subject_B <= SCORED)
    tables = [
        prediction_table(unseen, fit(train, task, seed=0)(unseen), task, model=model)
        for model, fit in FAMILIES.items()
    ]
    return with_losses(pd.concat(tables, ignore_index=True))


def rows(name: str, scored: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Yield the scores of each family, of all forecasts and by day, all horizons together."""
    by_day = [("all", scored), *scored.groupby(columns.ORIGIN)]
    for day, forecast in by_day:
        by_model = {model: forecast[forecast[columns.MODEL] == model] for model in FAMILIES}
        hybrid_N = by_model[HYBRID]["crps"].to_numpy()
        for model, table in by_model.items():
            apart = paired_difference(
                hybrid_N, table["crps"].to_numpy(), table[columns.SUBJECT].to_numpy()
            )
            yield {
                "task": name,
                "day": str(day),
                "model": model,
                "forecasts": len(table),
                "MAE": f"{table['mae'].mean():.4f}",
                "CRPS": f"{table['crps'].mean():.4f}",
                "80 % holds": f"{table['coverage_80'].mean():.0%}",
                "hybrid minus this": ""
                if model == HYBRID
                else f"{apart.mean:+.4f} [{apart.low:+.4f}, {apart.high:+.4f}]",
            }


def main() -> None:
    """Run the benchmark for each task and print the results."""
    events, _ = simulate(subjects=SCORED + LEARNED, seed=SEED)
    shown: list[dict[str, object]] = []
    for name in sys.argv[1:] or TASKS:
        of_task = list(rows(name, forecasts(name, events)))
        print_frame(f"SIMULATED: {name}", pd.DataFrame(of_task))
        shown += of_task
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
