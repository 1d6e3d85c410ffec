"""Homes that earlier versions left behind, each opened where it never was: all of it still counts.

Each archive in `golden_homes/` is a home as a version of rehabcast made it (SIMULATED people), less
the files that nothing reads back, such as pictures and pages. Its bundles are of form 1
(`contracts.naming.formats`): they are compared with later versions, and give no forecast.
"""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import IntegrityError
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_report, open_description
from serving.state.following import Serving, begin
from tests.rehabcast.command_line import run
from training.registry.model_versions import find

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FOLDER = Path(__file__).with_name("golden_homes")
HOMES = sorted(FOLDER.glob("*.tar.xz"))
OLD_PLACE = "/srv/rehabcast"
REFUSED = "does not tell how many people stand behind its forecasts: train and audit again$"


def test_there_is_a_golden_home() -> None:
    assert HOMES
    assert sum(file.stat().st_size for file in HOMES) < 500_000 * len(HOMES)


@pytest.mark.parametrize("archive", HOMES, ids=lambda path: path.name)
def test_a_home_of_an_earlier_version_verifies_and_is_read_and_its_champion_is_trained_again(
    archive: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    home = (tmp_path / "home").rename(tmp_path / "a home elsewhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REHABCAST_HOME", str(home))
    for words, says in (
        (("ledger", "verify"), "the chain is intact"),
        (("ledger", "show"), "arm/1"),
        (("record", "verify"), "all as they were written"),
    ):
        said = run(capsys, monkeypatch, *words)
        assert (said.code, says in said.text) == (0, True), said
    settings = Settings()
    version = find(settings.store, "arm/1")
    report, _ = fetch_report(settings, version)
    assert report.verdict.model_version == "arm/1"
    described = open_description(settings, version)
    assert report.verdict.bundle_digest == described.digest
    source = LedgerSource(settings)
    # While its audit was valid.
    state = begin(source.read(), datetime(2026, 12, 1, tzinfo=UTC))
    assert isinstance(state, Serving), state
    with pytest.raises(IntegrityError, match=REFUSED) as refusal:
        source.load(state.terms)
    assert "restore" not in str(refusal.value)
    with closing(sqlite3.connect(home / "mlflow.db")) as registry:
        assert [line for line in registry.iterdump() if OLD_PLACE in line] == []
