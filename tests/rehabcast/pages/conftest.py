"""The pages of ledger and registry on a golden home (SIMULATED people), opened where it never was."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pytest

from rehabcast.auditing import decisions
from rehabcast.pages.table import ALL_PAGES, TEMPLATES
from serving.pages.mounted import Pages
from tests.serving.pages.conftest import GOLDEN
from tests.serving.pages.conftest import browser as browser
from tests.serving.pages.conftest import golden as golden
from tests.serving.pages.conftest import runtime as runtime


class WhileItsAuditIsValid(datetime):
    """The clock of decisions: the golden home's audit expires, and this test must not."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> WhileItsAuditIsValid:
        return cls(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pages:
    with tarfile.open(GOLDEN) as opened:
        opened.extractall(tmp_path, filter="data")
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(decisions, "datetime", WhileItsAuditIsValid)
    return Pages(ALL_PAGES, [TEMPLATES])
