from __future__ import annotations

import tomllib
from pathlib import Path

import meds
import pytest

from contracts.vocabulary import Domain, Kind, known, vocabulary
from contracts.vocabulary.units import fault_of


def test_every_code_says_what_its_value_is() -> None:
    for entry in vocabulary().values():
        if entry.kind in {Kind.ASSESSMENT, Kind.DAILY}:
            assert entry.is_numeric
            assert entry.unit
        if entry.is_numeric:
            assert entry.low is not None
            assert entry.high is not None
            assert entry.low < entry.high
            assert entry.unit
            assert not entry.labels
        assert entry.source


def test_codes_are_loinc_or_of_meds_or_marked_as_local() -> None:
    systems = {code.split("//")[0] for code in vocabulary()}
    assert systems == {"LOINC", "REHABCAST", meds.death_code}


def test_every_code_says_its_domain_or_that_it_has_none() -> None:
    entries = vocabulary().values()
    measured = {entry.domain for entry in entries if entry.kind in {Kind.ASSESSMENT, Kind.DAILY}}
    assert measured == set(Domain)
    for entry in entries:
        if entry.kind in {Kind.PERSON, Kind.EVENT}:
            assert entry.domain is Domain.NONE


@pytest.mark.parametrize("file", ["shipped.toml", "instruments.toml"])
@pytest.mark.parametrize("line", ["", 'domain = "legs"'], ids=["lacking", "unknown"])
def test_a_code_without_a_domain_is_refused(
    line: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shipped.toml", "instruments.toml"):
        text = Path(known.__file__).with_name(name).read_text("utf-8")
        assert all("domain" in entry for entry in tomllib.loads(text)["code"])
        changed = text.replace('domain = "mood"', line) if name == file else text
        (tmp_path / name).write_text(changed, "utf-8")
    monkeypatch.setattr(known, "__file__", str(tmp_path / "known.py"))
    with pytest.raises((KeyError, ValueError), match=r"domain|legs"):
        known.shipped.__wrapped__()


def test_every_unit_is_of_ucum() -> None:
    units = {entry.unit for entry in vocabulary().values() if entry.unit}
    assert {unit: fault for unit in units if (fault := fault_of(unit))} == {}
