"""The Lightning module of a network: its loss, its groups and which epoch is kept.

Letters: B pairs, M modalities, H horizons, G groups, Q quantile levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from training.fitting.config import TrainingConfig
from training.models.layers.network import Network
from training.models.losses import mean_of_pairs

DRO_STEP_SIZE = 0.05
"""Step size of the group weights in Group DRO."""

VALIDATION_LOSS, TRAINING_LOSS = "validation_loss", "training_loss"


class NetworkModule(LightningModule):
    """A network with its loss and optimiser.

    A batch is the encoder's six inputs, the present modalities (B, M), the truth (B, H) and
    memberships (B, G): the groups, of all sensitive attributes, that a pair belongs to.

    Parameters
    ----------
    span
        Length of the scale, by which losses are divided.
    groups
        Number of groups, G.
    person_share
        Share of the learning rate for what reads covariates of the person
        (`training.fitting.schedule`).
    """

    dro_G: Tensor

    def __init__(
        self,
        network: Network,
        config: TrainingConfig,
        *,
        seed: int,
        span: float,
        groups: int,
        person_share: float = 1.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.seed = seed
        self.span = span
        self.person_share = person_share
        self.register_buffer("dro_G", torch.ones(groups) / max(groups, 1))
        self._loss_G = torch.zeros(groups + 1)
        self._pairs_G = torch.zeros(groups + 1)
        self._training_losses: list[Tensor] = []

    @property
    def training_loss(self) -> float:
        """Mean of the batches' losses in the last epoch, as they were minimised."""
        return float(torch.stack(self._training_losses).mean())

    def on_train_epoch_start(self) -> None:
        """Forget the losses of the previous epoch."""
        self._training_losses.clear()

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        """Return the loss of one batch with some modalities hidden, and note it."""
        loss = self._batch_loss(batch, index)
        self._training_losses.append(loss.detach())
        return loss

    def _batch_loss(self, batch: list[Tensor], index: int) -> Tensor:
        *past, present_BM, truth_BH, member_BG = batch
        mask_BM = self.random_modality_mask(present_BM, index)
        loss_B, seen_B = self.pair_losses(past, present_BM * mask_BM, truth_BH)
        if self.config.robustness == "group DRO":
            return self._group_dro_loss(loss_B, member_BG * seen_B[:, None])
        weight_B = seen_B
        if self.config.robustness == "reweighing":
            weight_B = seen_B * reweighing_weights(member_BG * seen_B[:, None])
        return (loss_B * weight_B).sum() / weight_B.sum().clamp(min=1e-6)

    def on_validation_epoch_start(self) -> None:
        """Reset the sums of the previous epoch."""
        self._loss_G.zero_()
        self._pairs_G.zero_()

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Add up the loss of the validation subjects, overall and by group, nothing hidden."""
        *past, present_BM, truth_BH, member_BG = batch
        loss_B, seen_B = self.pair_losses(past, present_BM, truth_BH)
        everyone_BG = torch.cat([torch.ones_like(member_BG[:, :1]), member_BG], dim=1)
        counted_BG = (everyone_BG * seen_B[:, None]).cpu()
        self._loss_G += (loss_B.cpu()[:, None] * counted_BG).sum(dim=0)
        self._pairs_G += counted_BG.sum(dim=0)

    def on_validation_epoch_end(self) -> None:
        """Log the highest loss among all subjects and the groups that are large enough."""
        enough_G = self._pairs_G >= self.config.minimum_group
        enough_G[0] = True
        mean_G = self._loss_G / self._pairs_G.clamp(min=1)
        self.log(VALIDATION_LOSS, mean_G[enough_G].max())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return AdamW; mechanistic parameters have a higher learning rate and no weight decay.

        What reads covariates of the person has a share of the rate.

        The rates fall linearly to 0, so that the last steps average over batches; this is worth
        0.03 of the skill toward the Bayes floor (docs/decisions/0005).
        """
        mechanistic = self.network.mechanistic_parameters()
        person = self.network.encoder.person_parameters()
        named = {id(parameter) for parameter in (*mechanistic, *person)}
        learned = [parameter for parameter in self.parameters() if id(parameter) not in named]
        rate, decay = self.config.learning_rate, self.config.weight_decay
        groups: list[dict[str, Any]] = [
            {"params": learned, "lr": rate, "weight_decay": decay},
            {"params": person, "lr": rate * self.person_share, "weight_decay": decay},
            {
                "params": mechanistic,
                "lr": rate * self.config.mechanistic_pace,
                "weight_decay": 0.0,
            },
        ]
        # Fused: a hundred small tensors are updated in one call.
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], fused=True)
        epochs = self.config.max_epochs
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / epochs)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def pair_losses(
        self, past: list[Tensor], present_BM: Tensor, truth_BH: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return each pair's mean loss over its outcomes, and their number, (B,) each."""
        embeddings_BMD = self.network.encoder(*past)
        loss_BH = self.network.head.losses(embeddings_BMD, present_BM, truth_BH)
        loss_B, seen_B = mean_of_pairs(loss_BH / self.span, truth_BH)
        return loss_B, seen_B

    def _group_dro_loss(self, loss_B: Tensor, member_BG: Tensor) -> Tensor:
        """Update the group weights and return the weighted loss (Sagawa 2020, algorithm 1)."""
        count_G = member_BG.sum(dim=0)
        mean_G = (loss_B[:, None] * member_BG).sum(dim=0) / count_G.clamp(min=1)
        weight_G = self.dro_G * torch.exp(DRO_STEP_SIZE * mean_G.detach() / mean_G.detach().mean())
        self.dro_G.copy_(weight_G / weight_G.sum())
        return (self.dro_G * mean_G).sum()

    def random_modality_mask(self, present_BM: Tensor, index: int) -> Tensor:
        """Return a mask that hides some modalities, at random, of some pairs of batch `index`."""
        generator = torch.Generator().manual_seed(
            (self.seed * 1_000_003 + self.current_epoch) * 1_009 + index
        )
        pairs, modalities = present_BM.shape
        affected_B1 = torch.rand(pairs, 1, generator=generator) < self.config.hidden_modality_share
        keep_B1 = torch.rand(pairs, 1, generator=generator)
        kept_BM = torch.rand(pairs, modalities, generator=generator) < keep_B1
        return (kept_BM | ~affected_B1).to(present_BM)


class KeptEpoch(Callback):
    """Keeps an epoch's weights and the learning curve in the checkpoint: all are one file.

    The epoch is the best of those who are watched; where nobody is, the last.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.lowest = float("inf")
        self.weights: dict[str, Tensor] = {}
        self.curve: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the losses, and copy the weights if this is the last epoch, or the best watched."""
        losses = {TRAINING_LOSS: float(getattr(pl_module, TRAINING_LOSS))}
        watched = trainer.callback_metrics.get(VALIDATION_LOSS)
        if watched is not None:
            losses[VALIDATION_LOSS] = float(watched)
        self.curve.append(losses)
        if not math.isfinite(sum(losses.values())):
            return
        if watched is None or losses[VALIDATION_LOSS] < self.lowest:
            self.lowest = losses.get(VALIDATION_LOSS, self.lowest)
            self.weights = {
                name: value.detach().cpu().clone()
                for name, value in self.network.state_dict().items()
            }

    def state_dict(self) -> dict[str, Any]:
        """Return the state that is stored in a checkpoint."""
        return {"lowest": self.lowest, "weights": self.weights, "curve": self.curve}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.lowest, self.weights = state_dict["lowest"], state_dict["weights"]
        self.curve = state_dict["curve"]


def reweighing_weights(member_BG: Tensor) -> Tensor:
    """Return weights (B,) of mean 1 that give every group of the batch the same total weight.

    Source: Kamiran and Calders 2012 (reweighing), without the label, averaged over the groups that
    a pair belongs to because attributes overlap.
    """
    size_G = member_BG.sum(dim=0).clamp(min=1)
    weight_B = (member_BG / size_G).sum(dim=1) / member_BG.sum(dim=1).clamp(min=1)
    return weight_B / weight_B.mean().clamp(min=1e-9)
