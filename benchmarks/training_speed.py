"""Benchmark: time of a fit and of a forecast of the hybrid, each beside its baseline.

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
from rehabcast.output import stdout_console
from support.repository import UPPER_LIMB, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.fitting.lightning_module import NetworkModule
from training.fitting.pairs import EpochBatches, memberships, tensors
from training.models.architectures import new_network
from training.models.late_fusion import LateFusionEncoder, LateFusionHead
from training.models.layers.input_columns import input_columns
from training.models.layers.network import Ensemble, Network
from training.models.tabular_features import tabular_features
from training.registry.bundle import TrainingProvenance, write_bundle

SUBJECTS, MANY, BATCH, LIGHTGBM_FITS = 300, 10_000, 256, 24
EPOCHS = 24
"""Of a fit on thousands of subjects, as in `benchmarks/bayes_floor.py`."""
PROVENANCE = TrainingProvenance(
    family="hybrid", cohort_name="simulated", simulated=True, data_digest="d", task_digest="t",
    config_digest="c", code_digest="s", predictions_digest="p", seed=0, subjects=SUBJECTS,
)  # fmt: skip


class DayGru(nn.Module):
    """A plain GRU over values and mask, one step per day: the baseline of the encoder."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(2 * channels, hidden, batch_first=True)

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return the state after the last day."""
        _, state_1BH = self.recurrent(torch.cat([x_BTC, seen_BTC], dim=-1))
        return torch.as_tensor(state_1BH[0])


def network_module(network: Network, batch: SequenceBatch) -> NetworkModule:
    """Return the Lightning module of a network."""
    groups = memberships(batch).shape[1]
    return NetworkModule(network, TrainingConfig(), seed=0, span=66.0, groups=groups)


def day_network(batch: SequenceBatch, task: Task) -> Network:
    """Return the late-fusion network with the day-by-day GRU."""
    inputs = input_columns(batch.layout, task)
    heads = len(batch.layout.horizon_days_H)
    return Network(LateFusionEncoder(inputs, DayGru, 16, 8), LateFusionHead(inputs, heads, 16, 8))


def tight_loop(module: NetworkModule, data: tuple[Tensor, ...], batches: EpochBatches) -> float:
    """Return the seconds of one epoch without Lightning, over tensors in memory."""
    optimiser = module.configure_optimizers()["optimizer"]
    module.train()
    started = time.perf_counter()
    for index, rows in enumerate(batches):
        optimiser.zero_grad()
        *past, present_BM, truth_BH = (x[rows] for x in data[:-1])
        masked_BM = present_BM * module.random_modality_mask(present_BM, index)
        loss_B, seen_B = module.pair_losses(past, masked_BM, truth_BH)
        ((loss_B * seen_B).sum() / seen_B.sum().clamp(min=1)).backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
    return time.perf_counter() - started


def with_lightning(module: NetworkModule, data: tuple[Tensor, ...], batches: EpochBatches) -> float:
    """Return the seconds of one epoch with Lightning, without its start-up."""
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
    """Return the lowest of several measurements, because noise can only add time."""
    return min(measure() for _ in range(repeats))


def lightgbm_seconds(batch: SequenceBatch) -> float:
    """Return the seconds of 24 quantile fits on the tabular features of the same subjects."""
    features = tabular_features(batch)
    target = np.nan_to_num(batch.truth_BH[:, 3], nan=30.0)
    settings = {"objective": "quantile", "num_threads": 1, "verbosity": -1}
    data = lightgbm.Dataset(features, target, params={"verbosity": -1})
    started = time.perf_counter()
    for level in np.linspace(0.05, 0.95, LIGHTGBM_FITS):
        lightgbm.train({**settings, "alpha": float(level)}, data, num_boost_round=100)
    return time.perf_counter() - started


def forecast_ms(batch: SequenceBatch, task: Task) -> tuple[float, float]:
    """Return the ms of a forecast by a bundle alone, and of each of 1,000 in one call."""
    quick = TrainingConfig(max_epochs=1)
    with tempfile.TemporaryDirectory() as temporary:
        fitted = crossfit(batch, task, quick, folder=Path(temporary) / "folds")
        folder = Path(temporary) / "bundle"
        ensemble = Ensemble(fitted.served)
        write_bundle(folder, ensemble, fitted.calibration, batch, task, PROVENANCE, card="")
        bundle = load_bundle(folder, expected_digest=verify_bundle(folder))
    one, many = batch.take(np.array([0])), batch.take(np.resize(np.arange(len(batch)), 1_000))

    def seconds(pairs: SequenceBatch) -> float:
        started = time.perf_counter()
        forecast_batch(bundle, pairs)
        return time.perf_counter() - started

    return 1e3 * best_of(20, lambda: seconds(one)), best_of(3, lambda: seconds(many))


def main() -> None:
    """Run the benchmark and print the results."""
    torch.set_num_threads(1)
    task = repository_task(UPPER_LIMB)
    events, _ = simulate(subjects=SUBJECTS, seed=0)
    batch = training_sequences(events, task)
    data = (*tensors(batch), torch.from_numpy(memberships(batch)))
    batches = EpochBatches(len(batch), BATCH, 0)
    hybrid = network_module(new_network(batch.layout, task, "hybrid", 16), batch)
    tight = best_of(3, lambda: tight_loop(hybrid, data, batches))
    framed = best_of(3, lambda: with_lightning(hybrid, data, batches))
    by_day = network_module(day_network(batch, task), batch)
    day = best_of(3, lambda: tight_loop(by_day, data, batches))
    decaying = network_module(new_network(batch.layout, task, "GRU-D", 16), batch)
    decay = best_of(2, lambda: tight_loop(decaying, data, batches))
    twice = batch.take(np.resize(np.arange(len(batch)), 2 * len(batch)))
    double = (*tensors(twice), torch.from_numpy(memberships(twice)))
    longer = best_of(2, lambda: tight_loop(hybrid, double, with_rows(batches, len(twice))))
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
    table = Table("measure", "value", title="SIMULATED, one thread")
    for name, value in record.items():
        table.add_row(name.replace("_", " "), f"{value:,.2f}")
    stdout_console.print(table)
    print(json.dumps(record))


def with_rows(batches: EpochBatches, rows: int) -> EpochBatches:
    """Return the same batches over more rows."""
    return EpochBatches(rows, batches.size, batches.shuffle_seed)


if __name__ == "__main__":
    main()
