"""Who is on a list is found in a cohort however the list is written, or the list is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import SUBJECT, Cohort, Provenance
from contracts.errors import ContractError
from rehabcast.auditing.overlap import require_without


def cohort(labels: dict[int, str]) -> Cohort:
    provenance = Provenance(name="made up", source="test", simulated=True, dates_shifted=True)
    events = pd.DataFrame({SUBJECT: list(labels)})
    return Cohort(events=events, provenance=provenance, digest="0" * 64, labels=labels)


OURS = cohort({1: "P-1", 2: "P-2", 3: "7"})


@given(
    person=st.sampled_from(["P-1", "P-2", "7"]),
    before=st.lists(st.sampled_from(["P-9", "", "x_1"]), max_size=3),
    mark=st.sampled_from(["", "\ufeff"]),
    end=st.sampled_from(["\n", "\r\n", " \n"]),
)
def test_who_is_on_a_list_is_found(
    tmp_path_factory: pytest.TempPathFactory, person: str, before: list[str], mark: str, end: str
) -> None:
    """The first of a list with a mark of its encoding was not."""
    file = tmp_path_factory.getbasetemp() / "list.txt"
    file.write_bytes((mark + "".join(f"{line}{end}" for line in (*before, person))).encode())
    with pytest.raises(
        ContractError, match=f"1 people who must not be in it .*line {len(before) + 1}"
    ):
        require_without([OURS], file)


@pytest.mark.parametrize(
    "content",
    [
        "subject,date\nP-1,2026-01-01\n", "subject;date\nP-1;2026-01-01\n", "P-1\tward\n",
        '"P-1"\n"P-2"\n', json.dumps({"tenant": "ward", "subjects": ["P-1"]}), "P-9\nP-1, P-2\n",
    ],
)  # fmt: skip
def test_a_table_of_people_is_no_list_in_which_nobody_is_found(
    tmp_path: Path, content: str
) -> None:
    """Of `record withdrawn --json` and of a table nobody was found, and training went on."""
    file = tmp_path / "list.txt"
    file.write_text(content)
    with pytest.raises(ContractError, match="no identifier alone") as refused:
        require_without([OURS], file)
    assert "P-1" not in str(refused.value)


def test_identifiers_may_have_a_comma(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("Doe, J\nP-9\n")
    require_without([cohort({1: "Roe, R"})], file)
    with pytest.raises(ContractError, match="1 people who must not be in it"):
        require_without([cohort({1: "Doe, J"})], file)
    file.write_text("")
    require_without([OURS], file)
