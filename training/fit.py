"""Fits one network with Lightning: early stopping, resumable, the same numbers every time.

Letters: B pairs, T days, C channels, S person covariates, M modalities, D embedding width,
H horizons, Q quantile levels.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from lightning import LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from safetensors.torch import load_model, save_model
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import present_modalities
from training.config import TrainingConfig
from training.losses import pinball
from training.models.architectures import new_network
from training.models.inputs import modalities_of
from training.models.network import Network
from training.split import validation_subjects


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
    train: SequenceBatch, task: Task, config: TrainingConfig, *, seed: int, folder: Path
) -> Network:
    """Fit one network on pairs it may see, keeping the weights of the best validation epoch.

    Interrupted, the same call goes on from the last finished epoch in `folder`; once finished, it
    returns the stored weights. Every random choice is a function of seed, epoch and batch, so a
    resumed fit ends with the same weights as an uninterrupted one.

    Parameters
    ----------
    folder
        Where checkpoints live; the caller names it after everything the result depends on.
    """
    # One thread: faster for networks this small, and sums come out alike on any machine.
    torch.set_num_threads(1)
    seed_everything(seed, verbose=False)
    network = new_network(train.layout, task, config.architecture, config.hidden)
    finished = folder / "best.safetensors"
    if finished.exists():
        load_model(network, finished)
        return network.eval()
    watched = validation_subjects(train.subject_B, config.validation_share, seed=seed)
    is_watched = np.isin(train.subject_B, watched)
    learning, watching = train.take(~is_watched), train.take(is_watched)
    network.encoder.normalisation.learn(learning)
    module = _Fit(network, config, seed=seed, span=task.target.high - task.target.low)
    kept = ModelCheckpoint(folder, "best", monitor="validation_loss", save_last=True)
    trainer = _trainer(config, kept)
    last = folder / "last.ckpt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*log_every_n_steps.*|.*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*Checkpoint directory.*exists.*")
        trainer.fit(
            module,
            _loader(learning, config, seed=seed, shuffle=True),
            _loader(watching, config, seed=seed, shuffle=False),
            ckpt_path=str(last) if last.exists() else None,
            weights_only=False,
        )
    best = torch.load(kept.best_model_path, weights_only=False)
    module.load_state_dict(best["state_dict"])
    _store(module.network, finished)
    return module.network.cpu().eval()


def forward(network: Network, batch: SequenceBatch) -> NDArray[np.float64]:
    """Return a network's quantiles (B, H, Q) before calibration."""
    *past, present_BM, _ = tensors(batch)
    with torch.inference_mode():
        quantiles_BHQ = network.head(network.encoder(*past), present_BM)
    return np.asarray(quantiles_BHQ, dtype=np.float64)


class _Fit(LightningModule):
    """Wires network, loss and optimiser; holds no decision of its own."""

    level_Q: Tensor

    def __init__(self, network: Network, config: TrainingConfig, *, seed: int, span: float) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.seed = seed
        self.span = span
        self.register_buffer("level_Q", torch.tensor(QUANTILE_LEVELS))

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        """Return the loss of one batch with some modalities hidden."""
        *past, present_BM, truth_BH = batch
        return self._loss(past, present_BM * self._shown(present_BM, index), truth_BH)

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Log the loss of subjects never trained on, nothing hidden."""
        *past, present_BM, truth_BH = batch
        loss = self._loss(past, present_BM, truth_BH)
        self.log("validation_loss", loss, batch_size=len(truth_BH))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """One optimiser, no schedule, until a benchmark shows that one helps."""
        return torch.optim.AdamW(
            self.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )

    def _loss(self, past: list[Tensor], present_BM: Tensor, truth_BH: Tensor) -> Tensor:
        quantiles_BHQ = self.network.head(self.network.encoder(*past), present_BM)
        return pinball(truth_BH, quantiles_BHQ, self.level_Q) / self.span

    def _shown(self, present_BM: Tensor, index: int) -> Tensor:
        """Hide a random part of the modalities of a random part of the pairs."""
        generator = torch.Generator().manual_seed(
            (self.seed * 1_000_003 + self.current_epoch) * 1_009 + index
        )
        pairs, modalities = present_BM.shape
        affected_B1 = torch.rand(pairs, 1, generator=generator) < self.config.hidden_modality_share
        keep_B1 = torch.rand(pairs, 1, generator=generator)
        kept_BM = torch.rand(pairs, modalities, generator=generator) < keep_B1
        return (kept_BM | ~affected_B1).to(present_BM)


def _trainer(config: TrainingConfig, kept: ModelCheckpoint) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
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
        callbacks=[EarlyStopping("validation_loss", patience=config.patience), kept],
    )


def _loader(
    batch: SequenceBatch, config: TrainingConfig, *, seed: int, shuffle: bool
) -> DataLoader[tuple[Tensor, ...]]:
    data = TensorDataset(*tensors(batch))
    # A sampler whose order is a function of seed and epoch, so that resuming repeats nothing.
    sampler: DistributedSampler[tuple[Tensor, ...]] = DistributedSampler(
        data, num_replicas=1, rank=0, shuffle=shuffle, seed=seed
    )
    return DataLoader(data, batch_size=config.batch_size, sampler=sampler)


def _store(network: Network, path: Path) -> None:
    """Write the weights whole or not at all."""
    draft = path.with_suffix(".draft")
    save_model(network.cpu(), str(draft))
    draft.replace(path)
