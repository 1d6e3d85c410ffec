from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.digests import code_digest, folder_digest, record_digest


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()))
def test_a_record_has_one_digest_whatever_the_order_of_its_keys(record: dict[str, object]) -> None:
    assert record_digest(record) == record_digest(dict(reversed(record.items())))


def test_a_record_that_json_can_not_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        record_digest({"value": float("nan")})


def test_a_folder_digest_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = folder_digest(tmp_path)
    (tmp_path / "a").write_text("2")
    second = folder_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, folder_digest(tmp_path)}) == 3


def test_the_code_digest_is_stable_within_a_run() -> None:
    assert code_digest() == code_digest()
