"""Pairs of subject and origin as tensors, in batches whose order can be resumed.

Letters: B pairs, M modalities, H horizons, G groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from contracts.sequences import SequenceBatch
from features.sequences import present_modalities
from training.models.layers.input_columns import modalities_of


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


def loader(
    batch: SequenceBatch, member_BG: NDArray[np.float32], size: int, *, shuffle_seed: int | None
) -> DataLoader[tuple[Tensor, ...]]:
    """Return the batches of a fit; in the order of the rows where no seed shuffles them."""
    data = TensorDataset(*tensors(batch), torch.from_numpy(member_BG))
    return DataLoader(data, sampler=EpochBatches(len(batch), size, shuffle_seed), batch_size=None)
