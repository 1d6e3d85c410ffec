from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models.architectures import new_network
from training.models.hybrid_encoder import HybridEncoder
from training.models.layers.network import Ensemble
from training.registry.onnx_export import CHECKED_AT_ONCE, TRACED, export_graphs


@pytest.mark.parametrize(("score_log_noise", "sharper"), [(-7.0, 0.0), (-5.0, -4.0)])
def test_graphs_agree_with_the_network_however_sharp_the_evidence_is(
    batch: SequenceBatch, task: Task, tmp_path: Path, score_log_noise: float, sharper: float
) -> None:
    """Evidence of hundreds of thousands decides by units: the order of a sum must not matter.

    Walks of people who all need 20 to 40 s of a scale of 300 are such a case.
    """
    network = new_network(batch.layout, task, "hybrid", 4).eval()
    encoder = cast(HybridEncoder, network.encoder)
    encoder.learn(batch)
    with torch.no_grad():
        encoder.log_noise.fill_(score_log_noise)
        encoder.emissions.log_daily_noise_C += sharper
        encoder.emissions.log_person_spread_C += sharper
    export_graphs(tmp_path, Ensemble([network]), batch)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("pairs", [1, 2 * TRACED, None])
def test_memory_does_not_grow_with_the_cohort_and_another_size_than_the_traced_one_is_checked(
    batch: SequenceBatch, task: Task, tmp_path: Path, pairs: int | None
) -> None:
    sizes = []

    class Recorded(Ensemble):
        def encode(self, *past: Tensor) -> Tensor:
            sizes.append((torch.jit.is_tracing(), len(past[0])))
            return super().encode(*past)

    network = new_network(batch.layout, task, "hybrid", 4).eval()
    cast(HybridEncoder, network.encoder).learn(batch)
    sample = batch.take(np.arange(len(batch))[:pairs])
    export_graphs(tmp_path, Recorded([network]), sample)
    (traced,) = {int(size) for tracing, size in sizes if tracing}
    first, *checked = [int(size) for tracing, size in sizes if not tracing]
    assert first == traced == min(TRACED, len(sample))
    assert sum(checked) >= max(1, len(sample) // 2)
    assert max(checked) <= CHECKED_AT_ONCE
    assert pairs == 1 or set(checked) != {traced}
