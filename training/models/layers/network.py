"""What every network of ours is: an encoder of modalities, a head that joins them, an ensemble.

Letters: B pairs, M modalities, D embedding width, H horizons, Q quantile levels, K coalitions of
what is known of one pair, V views of its past.
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
    """What every encoder of ours has: its normalisation, learned before its weights."""

    normalisation: Normalisation

    def learn(self, train: SequenceBatch) -> None:
        """Set what is counted rather than learned by gradient, from the training pairs alone."""
        self.normalisation.learn(train)

    def mechanistic(self) -> list[nn.Parameter]:
        """Return the parameters that mean something by themselves; none in a plain network."""
        return []


class ModalityHead(nn.Module):
    """What every head of ours has: quantiles, and the loss that it learns by."""

    def forward(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) in score points."""
        raise NotImplementedError

    def medians(self, embeddings_VMD: Tensor, shown_KVM: Tensor) -> Tensor:
        """Return the median of every coalition of one pair, (K, H), in score points.

        Parameters
        ----------
        embeddings_VMD
            Views of the pair: its embeddings from all days, from some, from others.
        shown_KVM
            1 for the view of each modality that a coalition knows, 0 for the others; a call's
            coalitions agree on the modalities that have no parts.
        """
        embeddings_MKD = shown_KVM.permute(2, 0, 1) @ embeddings_VMD.transpose(0, 1)
        quantiles_KHQ: Tensor = self(embeddings_MKD.transpose(0, 1), shown_KVM.sum(dim=1))
        return quantiles_KHQ[..., MEDIAN]

    def losses(self, embeddings_BMD: Tensor, present_BM: Tensor, truth_BH: Tensor) -> Tensor:
        """Return the loss of each outcome (B, H) in score points; anything where truth is NaN."""
        raise NotImplementedError

    def mechanistic(self) -> list[nn.Parameter]:
        """Return the parameters that mean something by themselves; none in a plain network."""
        return []


class Network(nn.Module):
    """Encoder and head of one ensemble member.

    The encoder maps the six arrays of a past (`contracts.bundle`) to one embedding per modality,
    (B, M, D); the head maps those, and which modalities are present (B, M), to quantiles (B, H, Q)
    in score points that rise along Q and stay on the scale.
    """

    def __init__(self, encoder: ModalityEncoder, head: ModalityHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def mechanistic(self) -> list[nn.Parameter]:
        """Return the parameters that mean something by themselves, each once."""
        named = [*self.encoder.mechanistic(), *self.head.mechanistic()]
        return list({id(parameter): parameter for parameter in named}.values())


class Ensemble(nn.Module):
    """Several members' encoders side by side along D, and the mean of their heads' quantiles.

    The mean of quantile functions at each level (Vincentization; Ratcliff 1979) rises along Q
    when every member's does.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def encode(self, *past: Tensor) -> Tensor:
        """Return all members' embeddings, (B, M, K * D)."""
        return torch.cat([member.encoder(*past) for member in self._networks()], dim=-1)

    def join(self, embeddings_BME: Tensor, present_BM: Tensor) -> Tensor:
        """Return the mean quantiles (B, H, Q)."""
        parts = embeddings_BME.chunk(len(self.members), dim=-1)
        quantiles = [
            member.head(part, present_BM)
            for member, part in zip(self._networks(), parts, strict=True)
        ]
        return torch.stack(quantiles).mean(dim=0)

    def medians(self, embeddings_VME: Tensor, shown_KVM: Tensor) -> Tensor:
        """Return the mean medians of every coalition of one pair, (K, H)."""
        parts = embeddings_VME.chunk(len(self.members), dim=-1)
        medians = [
            member.head.medians(part, shown_KVM)
            for member, part in zip(self._networks(), parts, strict=True)
        ]
        return torch.stack(medians).mean(dim=0)

    def _networks(self) -> list[Network]:
        return [cast(Network, member) for member in self.members]
