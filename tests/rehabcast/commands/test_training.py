"""Nobody who has withdrawn consent is trained on, where the list of them is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from contracts.cohort import SUBJECT
from contracts.errors import ContractError
from features import cohort as cohorts
from rehabcast.commands import training


class Provenance:
    name = "ours"


class Cohort:
    """Three people, two of whom the source names."""

    provenance = Provenance()

    def __init__(self) -> None:
        self.events = pd.DataFrame({SUBJECT: [1, 1, 2, 3]})

    def label(self, subject: int) -> str:
        return {1: "P-1", 2: "P-2"}.get(subject, str(subject))


@pytest.fixture(autouse=True)
def read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohorts, "read_cohort", lambda _: Cohort())


def is_trained(monkeypatch: pytest.MonkeyPatch, without: Path, **more: Any) -> bool:
    begun = []

    def run_training(*_: Any) -> Any:
        begun.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "run_training", run_training)
    with pytest.raises((ContractError, KeyboardInterrupt)):
        training.train(Path("c"), Path("t"), "arm", without=without, **more)
    return bool(begun)


@pytest.mark.parametrize(
    ("listed", "allowed"),
    [("", True), ("P-9\n", True), ("P-9\nP-2\n", False), ("P-1", False), ("3\n", False),
     ("  P-2  \r\n", False), ("1\n2\n", True)],
)  # fmt: skip
def test_a_cohort_with_somebody_of_the_list_is_not_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str, *, allowed: bool
) -> None:
    file = tmp_path / "withdrawn.txt"
    file.write_text(listed)
    assert is_trained(monkeypatch, file) is allowed
    assert is_trained(monkeypatch, file, pretrain_on=Path("p")) is allowed
    if not allowed:
        with pytest.raises(ContractError, match="people who must not be in it") as refused:
            training.require_without([Path("c")], file)
        assert "P-" not in str(refused.value)


def test_a_list_that_cannot_be_read_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_trained(monkeypatch, tmp_path / "missing.txt")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert not is_trained(monkeypatch, tmp_path / "bytes")
