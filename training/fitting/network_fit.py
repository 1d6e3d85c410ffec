"""Fits one network with Lightning: early stopping, resumable, reproducible.

Letters: B pairs, M modalities, H horizons, G groups, Q quantile levels.
"""

from __future__ import annotations

import json
import logging
import math
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from safetensors.torch import load_model, save_model
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from contracts.errors import ContractError, IntegrityError
from contracts.groups import MINIMUM_SHOWN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import present_modalities
from training.fitting.config import TrainingConfig
from training.fitting.lightning_module import (
    TRAINING_LOSS,
    VALIDATION_LOSS,
    BestEpoch,
    NetworkModule,
)
from training.models.architectures import new_network
from training.models.layers.input_columns import modalities_of
from training.models.layers.network import Network
from training.split import validation_subjects

FINISHED_FILE, CURVE_FILE = "best.safetensors", "learning-curve.json"
CHECKPOINT = "last"
PAIRS_AT_ONCE = 1024

Weights = Mapping[str, Tensor]


def tensors(batch: SequenceBatch) -> tuple[Tensor, ...]:
    """Return the encoder's six inputs, the present modalities and the outcomes, as float32."""
    arrays = (
        batch.values_BTC,
        batch.observed_BTC,
        batch.days_since_onset_BT,
        batch.origin_day_B,
        batch.person_BS,
        batch.person_known_BS,
        present_modalities(batch, modalities_of(batch.layout)),
        batch.truth_BH,
    )
    return tuple(torch.from_numpy(np.ascontiguousarray(array, np.float32)) for array in arrays)


def fit_network(
    train: SequenceBatch,
    task: Task,
    config: TrainingConfig,
    *,
    seed: int,
    folder: Path,
    start: Weights | None = None,
    tuning: SequenceBatch | None = None,
) -> Network:
    """Fit one network, and keep the weights of the best validation epoch.

    After an interruption, even by `kill -9`, the same call resumes from the last finished epoch in
    `folder`; after a finished fit it returns the stored weights. Every random choice is a function
    of seed, epoch and batch, so a resumed fit ends with the same weights as an uninterrupted one.

    Parameters
    ----------
    folder
        Folder for checkpoints; the caller names it after everything that the result depends on.
    start
        Weights of a network of the same layout to start from, instead of random ones.
    tuning
        Pairs that decide when to stop; None for those of a share of the training subjects, who are
        then not learned from.
    """
    # One thread: faster for networks this small, and sums are the same on any machine.
    torch.set_num_threads(1)
    seed_everything(seed, verbose=False)
    network = new_network(train.layout, task, config.architecture, config.hidden)
    finished = folder / FINISHED_FILE
    if finished.exists():
        with _readable(finished):
            load_model(network, finished)
        return network.eval()
    if start is not None:
        network.load_state_dict(start)
    if tuning is None:
        validation = validation_subjects(train.subject_B, config.validation_share, seed=seed)
        is_validation = np.isin(train.subject_B, validation)
        learning, tuning = train.take(~is_validation), train.take(is_validation)
    else:
        learning = train
    network.encoder.learn(learning)
    if start is None:
        network.learn_start(learning)
    member_BG, tuning_member_BG = memberships(learning, tuning), memberships(tuning, learning)
    module = NetworkModule(
        network,
        config,
        seed=seed,
        span=task.target.high - task.target.low,
        groups=member_BG.shape[1],
    )
    best = BestEpoch(network)
    checkpoint = folder / f"{CHECKPOINT}.ckpt"
    if checkpoint.exists():
        with _readable(checkpoint):
            torch.load(checkpoint, map_location="cpu", weights_only=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*log_every_n_steps.*|.*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists.*")
        try:
            _trainer(config, folder, best).fit(
                module,
                _loader(learning, member_BG, config.batch_size, shuffle_seed=seed),
                _loader(tuning, tuning_member_BG, PAIRS_AT_ONCE, shuffle_seed=None),
                ckpt_path=str(checkpoint) if checkpoint.exists() else None,
                weights_only=False,
            )
        except SystemExit:
            # Lightning makes this of Ctrl-C, and takes the signal's handler away.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
    if not best.weights:
        raise ContractError(
            f"training diverged: no epoch of the network in {folder.name} has a finite loss",
            f"lower learning_rate (it is {config.learning_rate:g}) in a file for --config, or check"
            " the cohort's values with `rehabcast cohort validate`",
        )
    network.load_state_dict(best.weights)
    # Before the weights: where they are, the fit is finished.
    (folder / CURVE_FILE).write_text(json.dumps(_shown(best.curve, tuning)), "utf-8")
    _store(network, finished)
    return network.cpu().eval()


def learning_curve(folder: Path) -> list[dict[str, float]]:
    """Return the losses of each epoch of a finished fit, by name; none where they were not kept."""
    file = folder / CURVE_FILE
    if not file.exists():
        return []
    curve: list[dict[str, float]] = json.loads(file.read_text("utf-8"))
    return curve


def _shown(curve: list[dict[str, float]], tuning: SequenceBatch) -> list[dict[str, float]]:
    """Return a curve as it may be told: losses of fewer people could be about one of them."""
    if len(np.unique(tuning.subject_B)) >= MINIMUM_SHOWN:
        return curve
    return [{TRAINING_LOSS: epoch[TRAINING_LOSS]} for epoch in curve]


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Say which folder must go where a file of an unfinished training is not whole.

    Raises
    ------
    IntegrityError
        The file cannot be read.
    """
    try:
        yield
    # Half a file may raise anything, as its reader is told what to build by the file itself.
    except Exception as error:
        raise IntegrityError(
            f"{file} of an unfinished training cannot be read ({type(error).__name__})",
            f"remove the folder {file.parent} and run the command again: only this network is"
            " trained anew",
        ) from error


def forward(network: Network, batch: SequenceBatch) -> NDArray[np.float64]:
    """Return a network's quantiles (B, H, Q) before calibration."""
    *past, present_BM, _ = tensors(batch)
    parts = []
    with torch.inference_mode():
        for first in range(0, len(batch), PAIRS_AT_ONCE):
            rows = slice(first, first + PAIRS_AT_ONCE)
            embeddings_BMD = network.encoder(*(x[rows] for x in past))
            parts.append(network.head(embeddings_BMD, present_BM[rows]))
    return np.asarray(torch.cat(parts), dtype=np.float64)


def memberships(batch: SequenceBatch, *others: SequenceBatch) -> NDArray[np.float32]:
    """Return to which groups of the sensitive attributes each pair belongs, (B, G) of 0 and 1.

    The groups along G are those of this batch and the others together.
    """
    columns = [
        batch.groups_B[name].to_numpy() == label
        for name in batch.groups_B.columns
        for label in sorted({label for each in (batch, *others) for label in each.groups_B[name]})
    ]
    if not columns:
        return np.zeros((len(batch), 0), dtype=np.float32)
    return np.stack(columns, axis=1).astype(np.float32)


class EpochBatches(Sampler[list[int]]):
    """Batches of row numbers whose order is a function of seed and epoch alone.

    Therefore a resumed fit repeats no rows and skips none. Whole batches are indexed at once,
    because a loader that collates row by row takes longer than the network.
    """

    def __init__(self, rows: int, size: int, shuffle_seed: int | None) -> None:
        self.rows = rows
        self.size = size
        self.shuffle_seed = shuffle_seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.rows / self.size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.rows)
        if self.shuffle_seed is not None:
            order = np.random.default_rng([self.shuffle_seed, self.epoch]).permutation(self.rows)
        for first in range(0, self.rows, self.size):
            yield order[first : first + self.size].tolist()


def _loader(
    batch: SequenceBatch, member_BG: NDArray[np.float32], size: int, *, shuffle_seed: int | None
) -> DataLoader[tuple[Tensor, ...]]:
    data = TensorDataset(*tensors(batch), torch.from_numpy(member_BG))
    return DataLoader(data, sampler=EpochBatches(len(batch), size, shuffle_seed), batch_size=None)


def _trainer(config: TrainingConfig, folder: Path, best: BestEpoch) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # One checkpoint, written to a temporary file and renamed, so that it is never incomplete.
    checkpoint = ModelCheckpoint(
        folder, CHECKPOINT, save_top_k=1, every_n_epochs=1, enable_version_counter=False
    )
    return Trainer(
        max_epochs=config.max_epochs,
        accelerator="auto",
        devices=1,
        deterministic=True,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
        callbacks=[EarlyStopping(VALIDATION_LOSS, patience=config.patience), best, checkpoint],
    )


def _store(network: Network, path: Path) -> None:
    """Write the weights to a temporary file and rename it, so that none is ever incomplete."""
    draft = path.with_suffix(".draft")
    save_model(network.cpu(), str(draft))
    draft.replace(path)
