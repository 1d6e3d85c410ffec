"""Two models in one application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.forecast.audit_status import ServedModel
from serving.http.alerts import handlers as alerts
from tests.serving.http.standards.conftest import Application


@pytest.fixture
def two(
    served: ServedModel, served_walking: ServedModel, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Application]:  # fmt: skip
    # A busy machine must not change an answer.
    monkeypatch.setattr(alerts, "LOOK_SECONDS", 60.0)
    with closing(Application(tmp_path, served, served_walking)) as opened:
        yield opened


@pytest.fixture
def application(served: ServedModel, tmp_path: Path) -> Iterator[Application]:
    with closing(Application(tmp_path, served)) as opened:
        yield opened
