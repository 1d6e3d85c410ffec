"""One network of the hybrid, not calibrated: what differs by inputs or scale shows in it too."""

from __future__ import annotations

import tempfile
from pathlib import Path

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import fit_network, forward
from training.models import Predict


def one_network(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Fit one network of the hybrid, as `rehabcast train` fits each of its ten."""
    with tempfile.TemporaryDirectory() as folder:
        network = fit_network(train, task, TrainingConfig(), seed=seed, folder=Path(folder))
    return lambda batch: forward(network, batch)
