"""Where MLflow does not answer, what was found stands all the same, and a person is told."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import ServiceUnavailable
from rehabcast.evidence import in_mlflow
from rehabcast.settings import Settings
from tests.audits.report.monthly.example import edition


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceUnavailable("the registry is away", "start it"), "the registry is away"),
        (ConnectionError("https://user:secret@mlflow.test"), "MLflow failed (ConnectionError"),
    ],
)
def test_a_failure_of_mlflow_is_said_and_stops_nothing(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(in_mlflow, "log_once", fail)
    in_mlflow.track_edition(Settings(), edition(), ())
    text = capsys.readouterr().err
    assert said in text
    assert "run it again once MLflow answers" in text
    assert "secret" not in text
