"""Runs of monitoring and monthly editions in MLflow, beside the training that they follow.

The ledger decides and the record keeps; MLflow is for people who look there. What was counted and
done is on record already, whatever MLflow does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mlflow.exceptions import MlflowException

from audits.report.monthly.content import Edition
from contracts.errors import RehabcastError
from rehabcast.auditing.mirroring import bound_registry_calls
from rehabcast.evidence.in_prometheus import numbers_of
from rehabcast.evidence.running import MonitoringRun
from rehabcast.output import stderr_console
from rehabcast.settings import Settings
from serving.faults import place_of
from training.tracking import log_once

VERSION, MONTH = "rehabcast.model_version", "rehabcast.month"
"""Tags of a run, by which it is found."""


def track_run(settings: Settings, result: MonitoringRun) -> None:
    """Log where a version's tests stand after a run, by the names that Prometheus has."""
    metrics = {**numbers_of(result), "week": result.weeks, "tests": result.tests}
    tags = {VERSION: result.model_version}
    _track(settings, f"monitoring of {result.model_version}", tags, metrics, ())


def track_edition(settings: Settings, edition: Edition, files: Iterable[Path]) -> None:
    """Log an edition with its files."""
    metrics: dict[str, float] = {"tests": len(edition.tests)}
    if edition.mean:
        metrics |= {
            "mean_e_value": edition.mean[-1].e_value,
            "largest_mean_e_value": edition.mean[-1].largest,
        }
    tags = {VERSION: edition.model_version, MONTH: edition.month}
    name = f"monitoring of {edition.model_version}, {edition.month}"
    _track(settings, name, tags, metrics, files)


def _track(
    settings: Settings,
    name: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    files: Iterable[Path],
) -> None:
    bound_registry_calls()
    try:
        log_once(settings.store, name=name, tags=tags, metrics=metrics, files=files)
    except RehabcastError as error:
        _say(error.reason)
    except (MlflowException, OSError) as error:
        _say(f"MLflow failed ({place_of(error)})")


def _say(why: str) -> None:
    stderr_console.print(
        f"What was found is on record, but MLflow has no run of it: {why}. Next: run it again once"
        " MLflow answers"
    )
