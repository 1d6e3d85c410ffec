from __future__ import annotations

import meds

from contracts.vocabulary import Kind, vocabulary


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
