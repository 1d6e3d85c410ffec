"""An outsider is told where each public cohort comes from, wherever it is absent."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from contracts.errors import ContractError
from features.importing import TABULAR, cohort_names, import_source
from features.sources.cohorts.public_sources import PUBLIC_SOURCES, where_to_get
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "cohorts.md").read_text("utf-8")


def test_every_whole_cohort_has_a_public_source() -> None:
    assert set(PUBLIC_SOURCES) == {*TABULAR, *cohort_names()}


@pytest.mark.parametrize("name", PUBLIC_SOURCES)
@pytest.mark.parametrize("is_made", [False, True], ids=["absent", "empty"])
def test_where_there_is_nothing_an_import_says_where_it_comes_from(
    tmp_path: Path, name: str, is_made: bool
) -> None:
    folder = tmp_path / "nothing"
    if is_made:
        folder.mkdir()
    with pytest.raises(ContractError) as refusal:
        import_source(folder, tmp_path / "cohort", format_name=name)
    assert refusal.value.what_to_do == where_to_get(name)
    assert PUBLIC_SOURCES[name].address in str(refusal.value)
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize("name", PUBLIC_SOURCES)
def test_a_source_is_whole_and_in_the_docs(name: str) -> None:
    source = PUBLIC_SOURCES[name]
    assert source.address.startswith("https://")
    assert not source.commit or re.fullmatch("[0-9a-f]{40}", source.commit)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    for part in (source.title, source.address, source.commit[:12], source.files, source.licence):
        assert part in row
    assert source.citation in row


def test_the_benchmark_of_the_readmes_table_says_it_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    forecast = importlib.import_module("forecast")
    monkeypatch.setattr(forecast, "run", lambda repeats, source: {})
    monkeypatch.setattr("sys.argv", ["forecast.py", str(tmp_path / "nothing")])
    forecast.main()
    assert where_to_get("stroke-specs") in capsys.readouterr().err
