"""What `train` makes of its options, and of Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehabcast.commands.learning import training
from rehabcast.commands.learning.training import SHIPPED_TASKS, parameters_of, task_file
from tests.rehabcast.command_line import run


def test_the_seed_of_a_file_counts_unless_another_is_given(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("seed = 7\nhidden = 4\n")
    assert [parameters_of(file, seed).seed for seed in (None, 0, 3)] == [7, 0, 3]
    assert [parameters_of(None, seed).seed for seed in (None, 5)] == [0, 5]
    assert parameters_of(file, 3).hidden == 4


def test_shipped_tasks_are_found_from_anywhere_but_a_file_that_is_there_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert task_file("tasks/mobility.toml") == SHIPPED_TASKS / "mobility.toml"
    for other in ("mobility.toml", "tasks/unheard-of.toml", "mine/mobility.toml"):
        assert task_file(other) == Path(other)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "mobility.toml").touch()
    assert task_file("tasks/mobility.toml") == Path("tasks/mobility.toml")


def test_ctrl_c_ends_training_with_what_to_do_and_the_shells_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "run_training", stop)
    said = run(
        capsys, monkeypatch, "train", "--cohort", "x", "--task", "y", "--model", "arm"
    )  # fmt: skip
    assert (said.code, said.text.count("\n")) == (130, 1)
    assert "run the same command again" in said.text
