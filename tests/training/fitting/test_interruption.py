"""A fit that is killed at any moment resumes to the same weights as an uninterrupted one."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.network_fit import FINISHED_FILE

PROGRAM = """
import pickle, sys
from pathlib import Path
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import fit_network

batch, task = pickle.loads(Path(sys.argv[1]).read_bytes())
config = TrainingConfig(max_epochs=12, patience=12, hidden=4, batch_size=16)
print("ready", flush=True)
fit_network(batch, task, config, seed=5, folder=Path(sys.argv[2]))
"""
KILLS = 3


def start(inputs: Path, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(inputs), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[3],
    )


def test_a_fit_killed_at_random_moments_ends_with_the_same_weights(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    inputs = tmp_path / "inputs"
    inputs.write_bytes(pickle.dumps((batch.take(np.arange(60)), task)))
    with start(inputs, tmp_path / "uninterrupted") as uninterrupted:
        assert uninterrupted.stdout is not None
        uninterrupted.stdout.readline()
        ready = time.monotonic()
        assert uninterrupted.wait() == 0
    training_s = time.monotonic() - ready
    generator, killed = random.Random(0), 0
    for _ in range(KILLS):
        with start(inputs, tmp_path / "killed") as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(generator.uniform(0.2, 0.6) * training_s)
            running.send_signal(signal.SIGKILL)
            killed += running.wait() == -signal.SIGKILL
    assert killed >= 1, "the fit finished before it could be killed"
    with start(inputs, tmp_path / "killed") as last:
        assert last.wait() == 0
    first, second = (
        load_file(tmp_path / name / FINISHED_FILE) for name in ("uninterrupted", "killed")
    )
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
