"""Base classes of the networks: an encoder of modalities, a head that joins them, an ensemble.

Letters: B pairs, M modalities, D embedding width, E width of all members' embeddings, H horizons,
Q quantile levels, K coalitions of one pair's inputs, V views of its past.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from training.models.layers.normalisation import Normalisation


class ModalityEncoder(nn.Module):
    """Base of the encoders, which all have a normalisation that is learned before the weights."""

    normalisation: Normalisation

    def learn(self, train: SequenceBatch) -> None:
        """Set what is estimated from the training pairs directly, not by gradient descent."""
        self.normalisation.learn(train)

    def learn_start(self, train: SequenceBatch) -> Tensor | None:
        """Set where the weights start from by the training pairs, and return the log noise."""
        return None

    def mechanistic_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that have a clinical meaning; none in a plain network."""
        return []

    def person_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that read nothing but covariates of the person."""
        return []


class ModalityHead(nn.Module):
    """Base of the heads, which return quantiles and the loss that they are trained with."""

    has_curves = False
    """Whether its forecast consists of curves of recovery, and can be made for another plan."""

    def forward(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) in score points."""
        raise NotImplementedError

    def medians(self, embeddings_VMD: Tensor, mask_KVM: Tensor, horizon_1: Tensor) -> Tensor:
        """Return the median of every coalition of one pair at one horizon, (K, 1), in score points.

        Parameters
        ----------
        embeddings_VMD
            Embeddings of each view of the pair: of all its days, or of some of them.
        mask_KVM
            1 for the view of each modality that a coalition contains, 0 for the others. All
            coalitions of a call contain the same modalities among those that have no windows.
        horizon_1
            Index of the horizon: the others would cost as much again, each.
        """
        embeddings_MKD = mask_KVM.permute(2, 0, 1) @ embeddings_VMD.transpose(0, 1)
        quantiles_KHQ: Tensor = self(embeddings_MKD.transpose(0, 1), mask_KVM.sum(dim=1))
        return quantiles_KHQ[..., MEDIAN].index_select(1, horizon_1)

    def curves_of(self, embeddings_BMD: Tensor, present_BM: Tensor) -> tuple[Tensor, ...]:
        """Return what a forecast of the hybrid consists of (`contracts.bundle`)."""
        raise NotImplementedError

    def start_from(self, log_noise: Tensor) -> None:
        """Take over what the encoder's start says of the noise; nothing in a plain network."""

    def losses(self, embeddings_BMD: Tensor, present_BM: Tensor, truth_BH: Tensor) -> Tensor:
        """Return the loss of each outcome (B, H) in score points; arbitrary where truth is NaN."""
        raise NotImplementedError

    def mechanistic_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that have a clinical meaning; none in a plain network."""
        return []


class Network(nn.Module):
    """Encoder and head of one ensemble member.

    The encoder maps the six arrays of a past (`contracts.bundle`) to one embedding per modality,
    (B, M, D); the head maps those, and the mask of present modalities (B, M), to quantiles
    (B, H, Q) in score points that rise along Q and stay on the scale.
    """

    def __init__(self, encoder: ModalityEncoder, head: ModalityHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def learn_start(self, train: SequenceBatch) -> None:
        """Set where the weights start from, where nobody published that."""
        log_noise = self.encoder.learn_start(train)
        if log_noise is not None:
            self.head.start_from(log_noise)

    def mechanistic_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that have a clinical meaning, each once."""
        parameters = [*self.encoder.mechanistic_parameters(), *self.head.mechanistic_parameters()]
        return list({id(parameter): parameter for parameter in parameters}.values())


class Ensemble(nn.Module):
    """Several members' encoders side by side along D, and the mean of their heads' quantiles.

    The mean of quantile functions at each level (Vincentization; Ratcliff 1979) rises along Q if
    every member's does.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def encode(self, *past: Tensor) -> Tensor:
        """Return all members' embeddings, (B, M, E)."""
        return torch.cat([member.encoder(*past) for member in self._networks()], dim=-1)

    def join(self, embeddings_BME: Tensor, present_BM: Tensor) -> Tensor:
        """Return the mean quantiles (B, H, Q)."""
        parts = embeddings_BME.chunk(len(self.members), dim=-1)
        quantiles = [
            member.head(part, present_BM)
            for member, part in zip(self._networks(), parts, strict=True)
        ]
        return torch.stack(quantiles).mean(dim=0)

    def medians(self, embeddings_VME: Tensor, mask_KVM: Tensor, horizon_1: Tensor) -> Tensor:
        """Return the mean medians of every coalition of one pair at one horizon, (K, 1)."""
        parts = embeddings_VME.chunk(len(self.members), dim=-1)
        medians = [
            member.head.medians(part, mask_KVM, horizon_1)
            for member, part in zip(self._networks(), parts, strict=True)
        ]
        return torch.stack(medians).mean(dim=0)

    @property
    def has_curves(self) -> bool:
        """Whether all members' forecasts consist of curves of recovery."""
        return all(member.head.has_curves for member in self._networks())

    def curves_of(self, embeddings_BME: Tensor, present_BM: Tensor) -> tuple[Tensor, ...]:
        """Return what each member's forecast consists of, members along the first axis."""
        parts = embeddings_BME.chunk(len(self.members), dim=-1)
        found = [
            member.head.curves_of(part, present_BM)
            for member, part in zip(self._networks(), parts, strict=True)
        ]
        return tuple(torch.stack(each) for each in zip(*found, strict=True))

    def _networks(self) -> list[Network]:
        return [cast(Network, member) for member in self.members]
