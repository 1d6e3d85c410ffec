"""What goes wrong with a fit on an ordinary day is told in a sentence whose remedy works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from contracts.errors import ContractError, IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting import network_fit
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import CHECKPOINT, FINISHED_FILE, fit_network

QUICK = TrainingConfig(max_epochs=1, folds=3, hidden=4)


@pytest.fixture(scope="module")
def pairs(batch: SequenceBatch) -> SequenceBatch:
    return batch.take(np.arange(40))


def fit(pairs: SequenceBatch, task: Task, folder: Path, config: TrainingConfig = QUICK) -> Any:
    return fit_network(pairs, task, config, seed=3, folder=folder).state_dict()


@pytest.mark.parametrize("kept", [0, 0.5], ids=["empty", "half"])
@pytest.mark.parametrize("name", [FINISHED_FILE, f"{CHECKPOINT}.ckpt"])
def test_what_is_left_of_a_file_is_refused_and_the_folder_to_remove_is_named(
    pairs: SequenceBatch, task: Task, tmp_path: Path, name: str, kept: float
) -> None:
    folder = tmp_path / "without-0-1"
    whole = fit(pairs, task, folder)
    if name != FINISHED_FILE:
        (folder / FINISHED_FILE).unlink()
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(kept * len(content))])
    with pytest.raises(IntegrityError, match=f"remove the folder {folder} and run") as refusal:
        fit(pairs, task, folder)
    assert str(refusal.value).count("\n") == 0
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    again = fit(pairs, task, folder)
    assert all(torch.equal(whole[weight], again[weight]) for weight in whole)


def test_training_that_diverges_says_so_and_what_to_lower(
    pairs: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=r"training diverged.*lower learning_rate"):
        fit(pairs, task, tmp_path, replace(QUICK, learning_rate=1.0, mechanistic_pace=1e6))


def test_a_person_who_stops_a_fit_is_not_told_of_a_failure(
    pairs: SequenceBatch, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(network_fit.KeptEpoch, "on_train_epoch_end", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(pairs, task, tmp_path)
