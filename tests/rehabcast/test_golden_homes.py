"""Homes that earlier versions left behind, each opened where it never was: all of it still counts.

Each archive in `golden_homes/` is a home as a version of rehabcast made it (SIMULATED people), less
the files that nothing reads back, such as pictures and pages; beside it the medians that its
champion gave when it was made.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.forecast import MEDIAN
from features.sequences import cohort_sequences
from inference.bundle import forecast_batch
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_report
from serving.state.following import Serving, begin
from tests.rehabcast.command_line import run
from training.registry.model_versions import find

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FOLDER = Path(__file__).with_name("golden_homes")
HOMES = sorted(FOLDER.glob("*.tar.xz"))
OLD_PLACE = "/srv/rehabcast"


def expected_file(archive: Path) -> Path:
    return FOLDER / archive.name.replace(".tar.xz", ".json")


def medians(events: pd.DataFrame) -> list[list[float]]:
    """Return the medians of the champion's forecasts of three made-up people, (3, H)."""
    source = LedgerSource(Settings())
    # While its audit was valid.
    state = begin(source.read(), datetime(2026, 12, 1, tzinfo=UTC))
    assert isinstance(state, Serving), state
    bundle = source.load(state.terms).bundle
    batch = cohort_sequences(events, bundle.task, bundle.layout).take(np.arange(3))
    found: list[list[float]] = forecast_batch(bundle, batch)[..., MEDIAN].tolist()
    return found


def test_there_is_a_golden_home() -> None:
    assert HOMES
    assert sum(file.stat().st_size for file in HOMES) < 500_000 * len(HOMES)


@pytest.mark.parametrize("archive", HOMES, ids=lambda path: path.name)
def test_a_home_of_an_earlier_version_verifies_shows_its_report_and_is_served(
    archive: Path, tmp_path: Path, events: pd.DataFrame,
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
    report, _ = fetch_report(settings, find(settings.store, "arm/1"))
    assert report.verdict.model_version == "arm/1"
    expected = json.loads(expected_file(archive).read_text("utf-8"))
    np.testing.assert_allclose(medians(events), expected, atol=1e-3)
    with closing(sqlite3.connect(home / "mlflow.db")) as registry:
        assert [line for line in registry.iterdump() if OLD_PLACE in line] == []
