"""The gate's policy is the board's; a policy of one audit never becomes it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from audits.judging.policy import PACKAGED, load_policy
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import policy_for

BUNDLE = cast(
    "Any",
    SimpleNamespace(
        task=SimpleNamespace(
            target=SimpleNamespace(
                code="REHABCAST//FUGL_MEYER_UE", minimal_important_difference=4.25
            )
        )
    ),
)


def test_the_board_s_policy_is_the_one_that_is_set_and_one_audit_s_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PACKAGED.read_text("utf-8")
    board, once = tmp_path / "board.toml", tmp_path / "once.toml"
    board.write_text(text.replace("limit = 4.25", "limit = 3.0"), "utf-8")
    once.write_text(text.replace("limit = 4.25", "limit = 9.0"), "utf-8")
    assert policy_for(Settings(), BUNDLE).digest == load_policy().digest
    monkeypatch.setenv("REHABCAST_POLICY", str(board))
    assert policy_for(Settings(), BUNDLE).digest == load_policy(board).digest
    assert policy_for(Settings(), BUNDLE, once).digest == load_policy(once).digest
    assert policy_for(Settings(), BUNDLE).digest == load_policy(board).digest
