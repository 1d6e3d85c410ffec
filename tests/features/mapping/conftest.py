from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from features.mapping.findings import ColumnProposal, MapProposal, TableProposal
from features.mapping.proposal import propose_map

Propose = Callable[..., MapProposal]


@pytest.fixture
def propose(tmp_path: Path) -> Propose:
    """Return what is proposed of some tables, given as text by their names."""

    def proposed(encoding: str = "utf-8", **tables: str) -> MapProposal:
        for name, text in tables.items():
            (tmp_path / f"{name}.csv").write_bytes(text.encode(encoding))
        return propose_map([tmp_path], tmp_path)

    return proposed


def table_of(proposal: MapProposal, file: str) -> TableProposal:
    return next(table for table in proposal.tables if table.file == f"{file}.csv")


def column_of(proposal: MapProposal, name: str) -> ColumnProposal:
    return next(c for table in proposal.tables for c in table.columns if c.column == name)
