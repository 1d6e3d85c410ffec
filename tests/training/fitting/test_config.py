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


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("hiden = 3", "hiden is not a key here: use one of architecture"),
        ("learning_rate = -1", "learning_rate is -1"),
        ("learning_rate = nan", "learning_rate is nan"),
        ("learning_rate = inf", "learning_rate is inf"),
        ("validation_share = 0", "validation_share is 0"),
        ("held_out_share = -0.1", "held_out_share is -0.1"),
        ("hidden_modality_share = 1", "hidden_modality_share is 1"),
        ("max_epochs = 0", "max_epochs is 0"),
        ("batch_size = 1.5", "batch_size is 1.5"),
        ("seed = -1", "seed is -1"),
        ("folds = 0", "0 folds"),
        ("folds = 5000", "folds is 5000"),
        ("hidden = 1025", "hidden is 1025"),
        ("max_epochs = 10001", "max_epochs is 10001"),
        ("validation_share = 0.999", "validation_share is 0.999"),
        ("batch_size = 1000001", "batch_size is 1000001"),
        ("patience = 1000001", "patience is 1000001"),
        ("minimum_group = 1000001", "minimum_group is 1000001"),
        ("weight_decay = 1e7", "weight_decay is"),
        ("mechanistic_pace = 1e7", "mechanistic_pace is"),
        ("seed = 4000001", "seed is 4000001"),
        ("= =", "not a file of training parameters"),
    ],
)
def test_what_makes_no_sense_is_named_where_it_is_read(
    tmp_path: Path, written: str, named: str
) -> None:
    (tmp_path / "wrong.toml").write_text(written)
    with pytest.raises(ContractError) as refusal:
        read_config(tmp_path / "wrong.toml")
    assert named in str(refusal.value)
    assert "pydantic" not in str(refusal.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("hiden = 3\nlearning_rate = 0\nseed = 1.5\n")
    with pytest.raises(ContractError, match=r"learning_rate.*seed.*hiden"):
        read_config(tmp_path / "wrong.toml")
