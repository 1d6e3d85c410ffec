"""Fits one network with Lightning: resumable, reproducible, by a schedule or watched.

Letters: B pairs, M modalities, H horizons, G groups, Q quantile levels.
"""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from safetensors.torch import load_model, save_model
from torch import Tensor

from contracts.errors import ContractError, IntegrityError
from contracts.groups import MINIMUM_SHOWN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.lightning_module import (
    TRAINING_LOSS,
    VALIDATION_LOSS,
    KeptEpoch,
    NetworkModule,
)
from training.fitting.pairs import loader, memberships, tensors
from training.fitting.schedule import epochs_by_rule, person_share
from training.models.architectures import new_network
from training.models.layers.network import Network
from training.split import validation_subjects

FINISHED_FILE, CURVE_FILE = "best.safetensors", "learning-curve.json"
CHECKPOINT = "last"
PAIRS_AT_ONCE = 1024

Weights = Mapping[str, Tensor]


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
    """Fit one network, for as long as the rule says, or until those who are watched say stop.

    After an interruption, even by `kill -9`, the same call resumes from the last finished epoch in
    `folder`; after a finished fit it returns the stored weights. Every random choice is a function
    of seed, epoch and batch, so a resumed fit ends with the same weights as an uninterrupted one.

    Parameters
    ----------
    folder
        Folder for checkpoints; the caller names it after everything that the result depends on.
    start
        Weights of a network of the same layout to start from, instead of those of the parameters'
        seed.
    tuning
        Pairs that decide when to stop, and whose best epoch's weights are kept. None: the rule
        decides (`training.fitting.schedule`), or, where there is none, a share of the training
        subjects, who are then not learned from.
    """
    # One thread: faster for networks this small, and sums are the same on any machine.
    torch.set_num_threads(1)
    network = _untrained(train, task, config, seed=seed)
    finished = folder / FINISHED_FILE
    if finished.exists():
        with _readable(finished):
            load_model(network, finished)
        return network.eval()
    if start is not None:
        network.load_state_dict(start)
    people = len(np.unique(train.subject_B))
    epochs = epochs_by_rule(people, task, config) if tuning is None else None
    if epochs is None:
        learning, watched = _watched(train, config, tuning, seed=seed)
    else:
        learning, watched = train, None
        config = replace(config, max_epochs=epochs)
    network.encoder.learn(learning)
    if start is None:
        network.learn_start(learning)
    member_BG = memberships(learning, *(() if watched is None else (watched,)))
    module = NetworkModule(
        network,
        config,
        seed=seed,
        span=task.target.high - task.target.low,
        groups=member_BG.shape[1],
        person_share=person_share(people, task, config),
    )
    kept = KeptEpoch(network)
    checkpoint = _unfinished(folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*log_every_n_steps.*|.*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists.*")
        warnings.filterwarnings("ignore", message=".*no `val_dataloader`.*")
        try:
            _trainer(config, folder, kept, watched=watched is not None).fit(
                module,
                loader(learning, member_BG, config.batch_size, shuffle_seed=seed),
                None
                if watched is None
                else loader(
                    watched, memberships(watched, learning), PAIRS_AT_ONCE, shuffle_seed=None
                ),
                ckpt_path=checkpoint,
                weights_only=False,
            )
        except SystemExit:
            # Lightning makes this of Ctrl-C, and takes the signal's handler away.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
    if kept.weights:
        network.load_state_dict(kept.weights)
    # The last step may have led away from all sense, which no loss of an epoch says.
    if not kept.weights or not np.isfinite(forward(network.cpu().eval(), learning)).all():
        raise ContractError(
            f"training diverged: the network in {folder.name} has no finite loss or forecast",
            f"lower learning_rate (it is {config.learning_rate:g}) in a file for --config, or check"
            " the cohort's values with `rehabcast cohort validate`",
        )
    # Before the weights: where they are, the fit is finished.
    (folder / CURVE_FILE).write_text(json.dumps(_shown(kept.curve, watched)), "utf-8")
    _store(network, finished)
    return network.cpu().eval()


def _untrained(train: SequenceBatch, task: Task, config: TrainingConfig, *, seed: int) -> Network:
    # The same beginning for all networks of a training: only then has a mean of their weights a
    # meaning (`training.fitting.joining`).
    seed_everything(config.seed, verbose=False)
    network = new_network(train.layout, task, config.architecture, config.hidden)
    seed_everything(seed, verbose=False)
    return network


def _unfinished(folder: Path) -> str | None:
    """Return the checkpoint to go on from, if there is one."""
    checkpoint = folder / f"{CHECKPOINT}.ckpt"
    if not checkpoint.exists():
        return None
    with _readable(checkpoint):
        torch.load(checkpoint, map_location="cpu", weights_only=False)
    return str(checkpoint)


def _watched(
    train: SequenceBatch, config: TrainingConfig, tuning: SequenceBatch | None, *, seed: int
) -> tuple[SequenceBatch, SequenceBatch]:
    """Return the pairs to learn from, and those to watch."""
    if tuning is not None:
        return train, tuning
    validation = validation_subjects(train.subject_B, config.validation_share, seed=seed)
    is_validation = np.isin(train.subject_B, validation)
    return train.take(~is_validation), train.take(is_validation)


def learning_curve(folder: Path) -> list[dict[str, float]]:
    """Return the losses of each epoch of a finished fit, by name; none where they were not kept."""
    file = folder / CURVE_FILE
    if not file.exists():
        return []
    curve: list[dict[str, float]] = json.loads(file.read_text("utf-8"))
    return curve


def _shown(curve: list[dict[str, float]], watched: SequenceBatch | None) -> list[dict[str, float]]:
    """Return a curve as it may be told: losses of fewer people could be about one of them."""
    if watched is None or len(np.unique(watched.subject_B)) >= MINIMUM_SHOWN:
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


def _trainer(config: TrainingConfig, folder: Path, kept: KeptEpoch, *, watched: bool) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # One checkpoint, written to a temporary file and renamed, so that it is never incomplete.
    checkpoint = ModelCheckpoint(
        folder,
        CHECKPOINT,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    stopping = [EarlyStopping(VALIDATION_LOSS, patience=config.patience)] if watched else []
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
        callbacks=[*stopping, kept, checkpoint],
    )


def _store(network: Network, path: Path) -> None:
    """Write the weights to a temporary file and rename it, so that none is ever incomplete."""
    draft = path.with_suffix(".draft")
    save_model(network.cpu(), str(draft))
    draft.replace(path)
