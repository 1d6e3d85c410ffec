"""What people give as JSON or TOML is data or a fault of the file, however deep it is nested."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.naming import parsing
from contracts.naming.parsing import parsed_json, parsed_toml
from tests.conftest import ROOT

PACKAGES = ("contracts", "stores", "features", "inference", "training", "audits", "serving")
MOST = 50
"""Levels that any parser reads; no document of ours has ten."""


@given(st.integers(1, MOST) | st.integers(5_000, 20_000), st.sampled_from(["[]", '{"a":}']))
def test_text_is_data_or_a_fault_of_parsing(levels: int, pair: str) -> None:
    opening, closing = pair[:-1], pair[-1]
    text = f"{opening * levels}1{closing * levels}"
    if levels <= MOST:
        assert parsed_json(text) == json.loads(text)
        toml = text.replace(":", "=")
        assert parsed_toml(f"a = {toml}") == tomllib.loads(f"a = {toml}")
        return
    with pytest.raises(ValueError, match="nested too deeply"):
        parsed_json(text)
    with pytest.raises(tomllib.TOMLDecodeError):
        parsed_toml(f"a = {text.replace(':', '=')}")


def test_no_other_module_reads_toml_by_itself() -> None:
    """Who did forgot the one error that is none of parsing: each named was a traceback once."""
    own = [
        str(path)
        for package in (*PACKAGES, "rehabcast")
        for path in (ROOT / package).rglob("*.py")
        if "tomllib.load" in path.read_text("utf-8")
    ]
    assert own == [parsing.__file__]
