"""What Lightning runs: the network with its loss, its groups and its choice of the best epoch.

Letters: B pairs, M modalities, H horizons, G groups, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from training.fitting.config import TrainingConfig
from training.models.layers.network import Network
from training.models.losses import mean_of_pairs

STEP_OF_DRO = 0.05
"""Step size of the group weights in Group DRO."""

WATCHED = "validation_loss"


class Learner(LightningModule):
    """Wires network, loss and optimiser.

    A batch is the encoder's six inputs, the present modalities (B, M), the truth (B, H) and
    memberships (B, G): which groups, of all sensitive attributes, a pair belongs to.

    Parameters
    ----------
    span
        Length of the scale: losses are on its share.
    groups
        Number of groups, G.
    """

    dro_G: Tensor

    def __init__(
        self, network: Network, config: TrainingConfig, *, seed: int, span: float, groups: int
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.seed = seed
        self.span = span
        self.register_buffer("dro_G", torch.ones(groups) / max(groups, 1))
        self._loss_G = torch.zeros(groups + 1)
        self._pairs_G = torch.zeros(groups + 1)

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        """Return the loss of one batch with some modalities hidden."""
        *past, present_BM, truth_BH, member_BG = batch
        loss_B, seen_B = self._losses(past, present_BM * self._shown(present_BM, index), truth_BH)
        if self.config.robustness == "group DRO":
            return self._worst_weighted(loss_B, member_BG * seen_B[:, None])
        weight_B = seen_B
        if self.config.robustness == "reweighing":
            weight_B = seen_B * rarity(member_BG * seen_B[:, None])
        return (loss_B * weight_B).sum() / weight_B.sum().clamp(min=1e-6)

    def on_validation_epoch_start(self) -> None:
        """Forget the sums of the epoch before."""
        self._loss_G.zero_()
        self._pairs_G.zero_()

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Add up the loss of subjects never trained on, overall and by group, nothing hidden."""
        *past, present_BM, truth_BH, member_BG = batch
        loss_B, seen_B = self._losses(past, present_BM, truth_BH)
        everyone_BG = torch.cat([torch.ones_like(member_BG[:, :1]), member_BG], dim=1)
        counted_BG = (everyone_BG * seen_B[:, None]).cpu()
        self._loss_G += (loss_B.cpu()[:, None] * counted_BG).sum(dim=0)
        self._pairs_G += counted_BG.sum(dim=0)

    def on_validation_epoch_end(self) -> None:
        """Log the worst loss among everybody and the groups that hold enough pairs to judge."""
        enough_G = self._pairs_G >= self.config.minimum_group
        enough_G[0] = True
        mean_G = self._loss_G / self._pairs_G.clamp(min=1)
        self.log(WATCHED, mean_G[enough_G].max())

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser; mechanistic numbers move faster and are not pulled to 0.

        The rates fall to nothing in a straight line: the last steps average out what single batches
        teach, worth 0.03 of the way to the Bayes floor (docs/benchmarks.md).
        """
        known = {id(parameter) for parameter in self.network.mechanistic()}
        free = [parameter for parameter in self.parameters() if id(parameter) not in known]
        rate = self.config.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": free, "lr": rate, "weight_decay": self.config.weight_decay}
        ]
        if known:
            faster = rate * self.config.mechanistic_pace
            groups.append({"params": self.network.mechanistic(), "lr": faster, "weight_decay": 0.0})
        # Fused: a hundred small tensors are stepped in one call.
        optimizer = torch.optim.AdamW(groups, fused=True)
        epochs = self.config.max_epochs
        falling = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 - epoch / epochs)
        return {"optimizer": optimizer, "lr_scheduler": falling}

    def _losses(
        self, past: list[Tensor], present_BM: Tensor, truth_BH: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return each pair's mean loss over its outcomes, and how many outcomes that is, (B,)."""
        embeddings_BMD = self.network.encoder(*past)
        loss_BH = self.network.head.losses(embeddings_BMD, present_BM, truth_BH)
        loss_B, seen_B = mean_of_pairs(loss_BH / self.span, truth_BH)
        return loss_B, seen_B

    def _worst_weighted(self, loss_B: Tensor, member_BG: Tensor) -> Tensor:
        """Return the loss under weights that follow the worst groups (Sagawa 2020, algorithm 1)."""
        count_G = member_BG.sum(dim=0)
        mean_G = (loss_B[:, None] * member_BG).sum(dim=0) / count_G.clamp(min=1)
        risen_G = self.dro_G * torch.exp(STEP_OF_DRO * mean_G.detach() / mean_G.detach().mean())
        self.dro_G.copy_(risen_G / risen_G.sum())
        return (self.dro_G * mean_G).sum()

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


class BestEpoch(Callback):
    """Keeps the weights of the best epoch inside the checkpoint: one file, so none can be torn."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.lowest = float("inf")
        self.weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the weights if this epoch is better than all before."""
        loss = float(trainer.callback_metrics[WATCHED])
        if loss < self.lowest:
            self.lowest = loss
            self.weights = {
                name: value.detach().cpu().clone()
                for name, value in self.network.state_dict().items()
            }

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds of this."""
        return {"lowest": self.lowest, "weights": self.weights}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.lowest, self.weights = state_dict["lowest"], state_dict["weights"]


def rarity(member_BG: Tensor) -> Tensor:
    """Return weights (B,) that let every group of the batch count alike, mean 1.

    Source: Kamiran and Calders 2012 (reweighing), without the label, averaged over the groups that
    a pair belongs to because attributes overlap.
    """
    size_G = member_BG.sum(dim=0).clamp(min=1)
    weight_B = (member_BG / size_G).sum(dim=1) / member_BG.sum(dim=1).clamp(min=1)
    return weight_B / weight_B.mean().clamp(min=1e-9)
