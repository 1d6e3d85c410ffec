"""Benchmark: what a fit and a forecast of the flagship cost, each beside its baseline.

On a SIMULATED cohort. Prints one table and, as its last line, one JSON object.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import torch
from lightning import Trainer
from rich.table import Table
from torch import Tensor, nn

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from inference.bundle import forecast_batch, load_bundle, verify_bundle
from rehabcast.commands.output import stdout_console
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.fitting.fit import EpochBatches, memberships, tensors
from training.fitting.learner import Learner
from training.models.architectures import new_network
from training.models.fusion import Encoder, Head
from training.models.layers.inputs import inputs_of
from training.models.layers.network import Ensemble, Network
from training.models.summaries import summaries
from training.registry.bundle import Lineage, write_bundle
from training.task import read_task

TASK = Path(__file__).resolve().parent.parent / "tasks" / "stroke-upper-limb.toml"
SUBJECTS, MANY, BATCH, LIGHTGBM_FITS = 300, 10_000, 256, 24
EPOCHS = 24
"""Of a fit on thousands of subjects, as `benchmarks/bayes_floor.py` does it."""
LINEAGE = Lineage(
    family="hybrid", cohort_name="simulated", simulated=True, data_digest="d", task_digest="t",
    config_digest="c", code_digest="s", predictions_digest="p", seed=0, subjects=SUBJECTS,
)  # fmt: skip


class DayGru(nn.Module):
    """A plain GRU that steps day by day over values and mask: the baseline of the encoder."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(2 * channels, hidden, batch_first=True)

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return the state after the last day."""
        _, state_1BH = self.recurrent(torch.cat([x_BTC, seen_BTC], dim=-1))
        return torch.as_tensor(state_1BH[0])


def learner(network: Network, batch: SequenceBatch) -> Learner:
    """Return what Lightning runs."""
    groups = memberships(batch).shape[1]
    return Learner(network, TrainingConfig(), seed=0, span=66.0, groups=groups)


def day_network(batch: SequenceBatch, task: Task) -> Network:
    """Return the late-fusion network with the day-by-day GRU."""
    inputs = inputs_of(batch.layout, task)
    heads = len(batch.layout.horizon_days_H)
    return Network(Encoder(inputs, DayGru, 16, 8), Head(inputs, heads, 16, 8))


def tight_loop(module: Learner, data: tuple[Tensor, ...], batches: EpochBatches) -> float:
    """Return seconds of one epoch without Lightning, over tensors in memory."""
    optimiser = module.configure_optimizers()["optimizer"]
    module.train()
    started = time.perf_counter()
    for index, rows in enumerate(batches):
        optimiser.zero_grad()
        *past, present_BM, truth_BH = (x[rows] for x in data[:-1])
        shown_BM = present_BM * module._shown(present_BM, index)
        loss_B, seen_B = module._losses(past, shown_BM, truth_BH)
        ((loss_B * seen_B).sum() / seen_B.sum().clamp(min=1)).backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
    return time.perf_counter() - started


def with_lightning(module: Learner, data: tuple[Tensor, ...], batches: EpochBatches) -> float:
    """Return seconds of one epoch by Lightning, its start left out."""
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*data), sampler=batches, batch_size=None
    )
    marks: list[float] = []
    module.on_train_epoch_start = lambda: marks.append(time.perf_counter())  # type: ignore[method-assign]
    module.on_train_epoch_end = lambda: marks.append(time.perf_counter())  # type: ignore[method-assign]
    Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
        deterministic=True,
    ).fit(module, loader)  # fmt: skip
    return marks[1] - marks[0]


def best_of(repeats: int, measure: Callable[[], float]) -> float:
    """Return the least of a few measurements: the machine's noise only adds."""
    return min(measure() for _ in range(repeats))


def lightgbm_seconds(batch: SequenceBatch) -> float:
    """Return seconds of 24 quantile fits on the same people's summaries."""
    features = summaries(batch)
    target = np.nan_to_num(batch.truth_BH[:, 3], nan=30.0)
    settings = {"objective": "quantile", "num_threads": 1, "verbosity": -1}
    data = lightgbm.Dataset(features, target, params={"verbosity": -1})
    started = time.perf_counter()
    for level in np.linspace(0.05, 0.95, LIGHTGBM_FITS):
        lightgbm.train({**settings, "alpha": float(level)}, data, num_boost_round=100)
    return time.perf_counter() - started


def forecast_ms(batch: SequenceBatch, task: Task) -> tuple[float, float]:
    """Return ms of a served forecast alone, and of each of 1,000 in one call."""
    quick = TrainingConfig(max_epochs=1)
    with tempfile.TemporaryDirectory() as place:
        fitted = crossfit(batch, task, quick, folder=Path(place) / "folds")
        folder = Path(place) / "bundle"
        ensemble = Ensemble(fitted.members)
        write_bundle(folder, ensemble, fitted.calibration, batch, task, LINEAGE, card="")
        bundle = load_bundle(folder, expected_digest=verify_bundle(folder))
    one, many = batch.take(np.array([0])), batch.take(np.resize(np.arange(len(batch)), 1_000))

    def seconds(pairs: SequenceBatch) -> float:
        started = time.perf_counter()
        forecast_batch(bundle, pairs)
        return time.perf_counter() - started

    return 1e3 * best_of(20, lambda: seconds(one)), best_of(3, lambda: seconds(many))


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    task = read_task(TASK)
    events, _ = simulate(subjects=SUBJECTS, seed=0)
    batch = training_sequences(events, task)
    data = (*tensors(batch), torch.from_numpy(memberships(batch)))
    batches = EpochBatches(len(batch), BATCH, 0)
    hybrid = learner(new_network(batch.layout, task, "hybrid", 16), batch)
    tight = best_of(3, lambda: tight_loop(hybrid, data, batches))
    framed = best_of(3, lambda: with_lightning(hybrid, data, batches))
    by_day = learner(day_network(batch, task), batch)
    day = best_of(3, lambda: tight_loop(by_day, data, batches))
    decaying = learner(new_network(batch.layout, task, "GRU-D", 16), batch)
    decay = best_of(2, lambda: tight_loop(decaying, data, batches))
    twice = batch.take(np.resize(np.arange(len(batch)), 2 * len(batch)))
    double = (*tensors(twice), torch.from_numpy(memberships(twice)))
    longer = best_of(2, lambda: tight_loop(hybrid, double, replace_rows(batches, len(twice))))
    many = batch.take(np.resize(np.arange(len(batch)), MANY))
    record = {
        "pairs": len(batch),
        "hybrid_pairs_per_s": len(batch) / tight,
        "lightning_over_tight_loop": framed / tight,
        "day_gru_pairs_per_s": len(batch) / day,
        "hybrid_over_day_gru": day / tight,
        "hybrid_over_gru_d": decay / tight,
        "time_of_twice_the_subjects": longer / tight,
        "hybrid_fit_of_10000_s": EPOCHS * MANY * tight / len(batch),
        "lightgbm_24_fits_of_10000_s": lightgbm_seconds(many),
    }
    record["forecast_alone_ms"], record["forecast_each_of_1000_ms"] = forecast_ms(batch, task)
    table = Table("what", "figure", title="SIMULATED, one thread")
    for name, value in record.items():
        table.add_row(name.replace("_", " "), f"{value:,.2f}")
    stdout_console.print(table)
    print(json.dumps(record))


def replace_rows(batches: EpochBatches, rows: int) -> EpochBatches:
    """Return the same batches over more rows."""
    return EpochBatches(rows, batches.size, batches.shuffle_seed)


if __name__ == "__main__":
    main()
