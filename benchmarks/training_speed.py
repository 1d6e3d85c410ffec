"""Benchmark: what training and forecasting take, each beside its baseline in the same run.

The real stroke cohort, where its files are there, is trained by the command, as a user has it. The
rest is of SIMULATED people. Times are of the processor, one thread: they hold on a busy machine.
Prints one table and, as its last line, one JSON object.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import torch
from lightning import Trainer
from numpy.typing import NDArray
from rich.table import Table
from torch import Tensor, nn

from contracts.errors import ContractError
from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.cohort import write_cohort
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts import stroke_specs
from features.sources.cohorts.public_sources import require_there
from inference.bundle import forecast_batch, load_bundle, verify_bundle
from rehabcast.output import stdout_console
from support.repository import REAL_DATA, ROOT, UPPER_LIMB, repository_task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.fitting.joining import averaged
from training.fitting.lightning_module import NetworkModule
from training.fitting.network_fit import fit_network, forward
from training.fitting.pairs import EpochBatches, memberships, tensors
from training.models.architectures import new_network
from training.models.layers.network import Ensemble, Network
from training.models.tabular_features import tabular_features
from training.registry.bundle import TrainingProvenance, write_bundle
from training.scores import mean_crps

REAL = REAL_DATA / "stroke_specs"
BATCH, SUBJECTS, PEOPLE, OTHERS = 256, 300, 10_000, 1_000
LENGTHS = (1, 2, 4)
"""Epochs of the hybrid, each a fit of its own whose rate falls to 0."""
ROUNDS = 100
"""Of LightGBM: its default, as all else of it."""
PROVENANCE = TrainingProvenance(
    family="hybrid", cohort_name="simulated", simulated=True, data_digest="d", task_digest="t",
    config_digest="c", code_digest="s", predictions_digest="p", seed=0, subjects=SUBJECTS,
)  # fmt: skip

Record = dict[str, float]


def train_the_real_cohort() -> Record:
    """Return the seconds of `rehabcast train` on the stroke cohort, and of it the processor's.

    The first training of an installation compiles what Python has not compiled yet, whatever this
    process was told about that; every later one finds it. Both have a home of their own.
    """
    record: Record = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_cohort(*stroke_specs.import_stroke_specs(REAL), folder / "cohort")
        for when in ("first", "later"):
            processor, clock = training_command(folder / "cohort", folder / when, folder / "pyc")
            record |= {f"real_cohort_{when}_s": processor, f"real_cohort_{when}_clock_s": clock}
    return record


def training_command(cohort: Path, home: Path, compiled: Path) -> tuple[float, float]:
    """Train by the command and return the seconds of the processor, and on the clock.

    Parameters
    ----------
    compiled
        Where Python keeps what it compiled.
    """
    command = [sys.executable, "-m", "rehabcast", "train", "--cohort", str(cohort)]
    command += ["--task", str(ROOT / "tasks" / f"{UPPER_LIMB}.toml"), "--model", "arm"]
    own = {
        "REHABCAST_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(compiled),
    }  # fmt: skip
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, **own})  # noqa: S603
    clock = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, clock


def network_module(network: Network, batch: SequenceBatch) -> NetworkModule:
    """Return the Lightning module of a network."""
    groups = memberships(batch).shape[1]
    return NetworkModule(network, TrainingConfig(), seed=0, span=66.0, groups=groups)


def tight_loop(module: NetworkModule, data: tuple[Tensor, ...], batches: EpochBatches) -> float:
    """Return the seconds of one epoch without Lightning, over tensors in memory."""
    optimiser = module.configure_optimizers()["optimizer"]
    module.train()
    started = time.process_time()
    for index, rows in enumerate(batches):
        optimiser.zero_grad()
        *past, present_BM, truth_BH = (x[rows] for x in data[:-1])
        masked_BM = present_BM * module.random_modality_mask(present_BM, index)
        loss_B, seen_B = module.pair_losses(past, masked_BM, truth_BH)
        torch.autograd.backward((loss_B * seen_B).sum() / seen_B.sum().clamp(min=1))
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
    return time.process_time() - started


def with_lightning(module: NetworkModule, data: tuple[Tensor, ...], batches: EpochBatches) -> float:
    """Return the seconds of one epoch with Lightning, without its start-up."""
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*data), sampler=batches, batch_size=None
    )
    marks: list[float] = []
    module.on_train_epoch_start = lambda: marks.append(time.process_time())  # type: ignore[method-assign]
    module.on_train_epoch_end = lambda: marks.append(time.process_time())  # type: ignore[method-assign]
    Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
        deterministic=True,
    ).fit(module, loader)  # fmt: skip
    return marks[1] - marks[0]


def best_of(repeats: int, measure: Callable[[], float]) -> float:
    """Return the lowest of several measurements, because noise can only add time."""
    return min(measure() for _ in range(repeats))


def steps(batch: SequenceBatch, task: Task) -> Record:
    """Return pairs per second of the hybrid, and its time beside Lightning's and GRU-D's."""
    data = (*tensors(batch), torch.from_numpy(memberships(batch)))
    batches = EpochBatches(len(batch), BATCH, 0)
    hybrid = network_module(new_network(batch.layout, task, "hybrid", 16), batch)
    tight = best_of(3, lambda: tight_loop(hybrid, data, batches))
    framed = best_of(3, lambda: with_lightning(hybrid, data, batches))
    decaying = network_module(new_network(batch.layout, task, "GRU-D", 16), batch)
    decay = best_of(2, lambda: tight_loop(decaying, data, batches))
    return {
        "hybrid_pairs_per_s": len(batch) / tight,
        "lightning_over_tight_loop": framed / tight,
        "hybrid_over_gru_d_pairs_per_s": decay / tight,
    }


def many_people(task: Task) -> Record:
    """Return seconds and CRPS on others of hybrid and LightGBM, fitted to the same people."""
    events, _ = simulate(subjects=PEOPLE + OTHERS, seed=1)
    batch = training_sequences(events, task)
    batch = batch.take(batch.origin_day_B == 0)
    is_other_B = np.isin(batch.subject_B, np.unique(batch.subject_B)[-OTHERS:])
    train, others = batch.take(~is_other_B), batch.take(is_other_B)
    started = time.process_time()
    quantiles_BHQ = lightgbm_quantiles(train, others, task)
    record = {"people": float(len(train)), "lightgbm_114_fits_s": time.process_time() - started}
    record["lightgbm_crps"] = mean_crps(others.truth_BH, quantiles_BHQ)
    for epochs in LENGTHS:
        # As `benchmarks/bayes_floor.py` has it for thousands of people.
        config = TrainingConfig(
            batch_size=BATCH, learning_rate=2e-3, mechanistic_pace=5, max_epochs=epochs
        )
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            network = fit_network(train, task, config, seed=0, folder=Path(folder))
            record[f"hybrid_{epochs}_epochs_s"] = time.process_time() - started
        crps = mean_crps(others.truth_BH, forward(network, others))
        record[f"hybrid_{epochs}_epochs_crps"] = crps
    return record


def lightgbm_quantiles(
    train: SequenceBatch, others: SequenceBatch, task: Task
) -> NDArray[np.float64]:
    """Fit one model for each horizon and level, and forecast others, (B, H, Q)."""
    features_BF, asked_BF = tabular_features(train), tabular_features(others)
    settings = {"objective": "quantile", "num_threads": 1, "verbosity": -1}
    change_BHQ = np.zeros((*others.truth_BH.shape, len(QUANTILE_LEVELS)))
    for horizon in range(train.truth_BH.shape[1]):
        change_B = train.truth_BH[:, horizon] - train.last_score_B
        known_B = np.isfinite(change_B)
        data = lightgbm.Dataset(features_BF[known_B], change_B[known_B], params={"verbosity": -1})
        for q, level in enumerate(QUANTILE_LEVELS):
            model = lightgbm.train({**settings, "alpha": level}, data, num_boost_round=ROUNDS)
            change_BHQ[:, horizon, q] = model.predict(asked_BF)
    quantiles_BHQ = others.last_score_B[:, None, None] + np.sort(change_BHQ, axis=-1)
    return np.asarray(np.clip(quantiles_BHQ, task.target.low, task.target.high))


def forecasts(batch: SequenceBatch, task: Task) -> Record:
    """Return the ms of a forecast alone by a bundle of one network, and of each of 1,000 at once.

    The networks hardly learn: what they forecast costs as much as if they had.
    """
    quick = TrainingConfig(max_epochs=1, folds=3)
    with tempfile.TemporaryDirectory() as temporary:
        fitted = crossfit(batch, task, quick, folder=Path(temporary) / "folds")
        folder = Path(temporary) / "bundle"
        one_network = Ensemble([averaged(fitted.served)])
        write_bundle(folder, one_network, fitted.calibration, batch, task, PROVENANCE, card="")
        bundle = load_bundle(folder, expected_digest=verify_bundle(folder))
    one, many = batch.take(np.array([0])), batch.take(np.resize(np.arange(len(batch)), 1_000))

    def seconds(pairs: SequenceBatch) -> float:
        started = time.process_time()
        forecast_batch(bundle, pairs)
        return time.process_time() - started

    alone, each = 1e3 * best_of(100, lambda: seconds(one)), best_of(3, lambda: seconds(many))
    return {
        "forecast_alone_ms": alone,
        "forecast_each_of_1000_ms": each,
        "forecast_alone_over_each": alone / each,
    }


def main() -> None:
    """Run the benchmark and print the results."""
    torch.set_num_threads(1)
    task = repository_task(UPPER_LIMB)
    record: Record = {}
    try:
        require_there(stroke_specs.NAME, REAL)
    except ContractError as error:
        sys.stderr.write(f"The real cohort was left out: {error}\n")
    else:
        record |= train_the_real_cohort()
    events, _ = simulate(subjects=SUBJECTS, seed=0)
    batch = training_sequences(events, task)
    record |= steps(batch, task) | forecasts(batch, task) | many_people(task)
    table = Table("measure", "value", title="One thread; all but the real cohort SIMULATED")
    for name, value in record.items():
        table.add_row(name.replace("_", " "), f"{value:,.2f}")
    stdout_console.print(table)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
