"""A fit that is killed at any moment resumes to the same weights as an uninterrupted one."""

from __future__ import annotations

import pickle
import random
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from contracts.sequences import SequenceBatch
from contracts.task import Task
from tests.forked import Forked
from training.fitting.network_fit import FINISHED_FILE

WORK = """
import pickle
from pathlib import Path
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import fit_network

def work(inputs, folder):
    batch, task = pickle.loads(Path(inputs).read_bytes())
    config = TrainingConfig(max_epochs=12, patience=12, hidden=4, batch_size=16)
    fit_network(batch, task, config, seed=5, folder=Path(folder))
"""
KILLS = 2


def test_a_fit_killed_at_random_moments_ends_with_the_same_weights(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    inputs = tmp_path / "inputs"
    inputs.write_bytes(pickle.dumps((batch.take(np.arange(60)), task)))
    with Forked(WORK) as fits:
        fits.start(inputs, tmp_path / "uninterrupted")
        begun = time.monotonic()
        assert fits.ended() == 0
        training_s = time.monotonic() - begun
        generator, killed = random.Random(0), 0
        for _ in range(KILLS):
            pid = fits.start(inputs, tmp_path / "killed")
            time.sleep(generator.uniform(0.2, 0.6) * training_s)
            killed += fits.killed(pid)
        assert killed >= 1, "the fit finished before it could be killed"
        fits.start(inputs, tmp_path / "killed")
        assert fits.ended() == 0
    first, second = (
        load_file(tmp_path / name / FINISHED_FILE) for name in ("uninterrupted", "killed")
    )
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
