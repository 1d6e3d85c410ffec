"""What changed in the data since the version in service: without one, that is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rehabcast.auditing.data_changes import since_champion
from rehabcast.settings import Settings
from training.data_seen import NotCompared


def test_without_a_version_in_service_nothing_is_compared_or_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path / "home"))
    changes = since_champion(Settings(), "arm", {}, os.urandom(32))
    assert changes.reason is NotCompared.NONE_IN_SERVICE
    assert str(changes) == (
        "No version of this model is in service: there are no earlier data to compare with."
    )
    assert not (tmp_path / "home").exists()
