"""A store is made by the command that fills it first; every other command says that there is none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from contracts.digests import PACKAGES
from tests.rehabcast.command_line import run
from tests.rehabcast.test_canaries import COMMANDS, NOT_RUN

ROOT = Path(__file__).resolve().parents[2]

WRITES = {"policy new x.toml", "plan new y.toml --line arm", "access init there"}
"""They write the file that they are told to, and need nothing to be there."""

NEEDS = {
    "ledger": (
        "approve arm/1 --role governance --reason r", "revoke arm --reason r",
        "rollback arm --to-epoch 1 --reason r", "ledger verify", "ledger show", "ledger head x.json",
        "ledger mirror", "backup there/copy --without store", "monitor run arm",
        "monitor edition arm --output board", "monitor compare arm/2", "retrain arm --cohort nowhere",
        "monitor trace arm --tenant t --output calls.csv", "monitor traced arm nowhere --tenant t",
    ),
    "service's record": (
        "record verify", "record forget --days 1", "record head y.json",
        "record erase P --tenant t --reason r", "record export P --tenant t e.json",
        "record consent P --tenant t withdrawn", "record withdrawn --tenant t", "backup there/copy",
        "record decisions --tenant t",
    ),
    "registry of models": ("audit arm/1", "evaluate arm/1 --cohort nowhere", "promote arm/1"),
}  # fmt: skip

SETTINGS = {
    "ledger": "REHABCAST_LEDGER_URL",
    "service's record": "REHABCAST_STORE_URL",
    "registry of models": "REHABCAST_TRACKING_URI",
}

MAKERS = {
    "rehabcast/commands/service/caseload.py",  # the record, by the demonstration
    "rehabcast/commands/audit.py",  # the ledger, by the first audit
    "rehabcast/commands/federate.py",  # the ledger of a site that has not audited
    "rehabcast/commands/joint_verdict.py",
    "audits/ledger/storage.py",
    "rehabcast/application.py",  # the record, by the service
    "serving/state/store.py",
    "training/tracking.py",  # the registry, by the first run
    "training/train.py",  # which checks its name before
    "rehabcast/commands/learning/training.py",  # the key that seals whom a model has seen
}


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def left_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_no_command_leaves_anything_in_a_wrong_folder(
    empty: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in COMMANDS:
        if command in WRITES:
            continue
        said = run(capsys, monkeypatch, *command.split())
        assert (left_in(empty), said.code != 0) == ([], command != "ledger schema"), (command, said)


@pytest.mark.parametrize("what", NEEDS)
def test_who_needs_a_store_says_in_a_sentence_that_there_is_none_and_where_to_look(
    empty: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    for command in NEEDS[what]:
        said = run(capsys, monkeypatch, *command.split())
        assert f"there is no {what} in mlruns/" in said.text, (command, said)
        assert str(empty) in said.text
        assert "set REHABCAST_HOME" in said.text
        assert SETTINGS[what] in said.text
        assert (said.code, said.text.count("\n")) == (4, 1), (command, said)
        assert left_in(empty) == []


def test_only_these_make_a_store() -> None:
    found = {
        str(module.relative_to(ROOT))
        for package in PACKAGES
        for module in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "make" and getattr(keyword.value, "value", None) is True
    }
    assert found == MAKERS
    assert {"demo", "serve"} == NOT_RUN
