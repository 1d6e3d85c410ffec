from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import ContractError
from training.fitting.config import TrainingConfig, read_config


def test_parameters_survive_a_file_and_a_wrong_name_is_refused(tmp_path: Path) -> None:
    config = replace(TrainingConfig(), architecture="GRU-D", learning_rate=2e-3)
    config.write(tmp_path / "config.toml")
    assert read_config(tmp_path / "config.toml") == config
    (tmp_path / "wrong.toml").write_text('architecture = "oracle"\n')
    with pytest.raises(ContractError, match="architecture"):
        read_config(tmp_path / "wrong.toml")
    (tmp_path / "unknown.toml").write_text("epochs = 3\n")
    with pytest.raises(ContractError, match="epochs"):
        read_config(tmp_path / "unknown.toml")
