"""Random streams by name: a change to one part of the simulator leaves all others' draws alone."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, shard: int, name: str) -> np.random.Generator:
    """Return the generator of one named part of one shard; the same for the same arguments."""
    return np.random.default_rng([seed, shard, crc32(name.encode())])


def draw_index(chances: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw one index for each row of chances (N, K), which sum to 1, (N,)."""
    below = np.cumsum(chances, axis=1)[:, :-1] < generator.random((len(chances), 1))
    return np.asarray(below.sum(axis=1), dtype=np.int64)
