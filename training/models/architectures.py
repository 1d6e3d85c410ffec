"""The networks that can be trained, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

from contracts.priors import FLAT
from contracts.sequences import Layout
from contracts.task import Task
from training.models.hybrid_encoder import HybridEncoder
from training.models.late_fusion import LateFusionEncoder, LateFusionHead
from training.models.layers.hybrid_head import HybridHead
from training.models.layers.input_columns import input_columns
from training.models.layers.network import Network
from training.models.layers.sequence_encoders import CausalConvolutions, GruDecay, SequenceCore

Architecture = Literal["hybrid", "GRU-D", "temporal convolution"]


EMBEDDING = 8
"""Width of a modality's embedding in the late-fusion networks."""


def new_network(layout: Layout, task: Task, architecture: Architecture, hidden: int) -> Network:
    """Build an untrained network for a layout; its weights come from torch's global generator."""
    return _BUILDERS[architecture](layout, task, hidden)


def _hybrid(layout: Layout, task: Task, hidden: int) -> Network:
    inputs = input_columns(layout, task)
    prior = FLAT if task.prior is None else task.prior
    encoder = HybridEncoder(inputs, hidden, prior)
    head = HybridHead(inputs, encoder.curves, layout.horizon_days_H, hidden, prior.noise_share)
    return Network(encoder, head)


def _fusion(core: SequenceCore, layout: Layout, task: Task, hidden: int) -> Network:
    inputs = input_columns(layout, task)
    return Network(
        LateFusionEncoder(inputs, core, hidden, EMBEDDING),
        LateFusionHead(inputs, len(layout.horizon_days_H), hidden, EMBEDDING),
    )


_BUILDERS: dict[Architecture, Callable[[Layout, Task, int], Network]] = {
    "hybrid": _hybrid,
    "GRU-D": partial(_fusion, GruDecay),
    "temporal convolution": partial(_fusion, CausalConvolutions),
}
