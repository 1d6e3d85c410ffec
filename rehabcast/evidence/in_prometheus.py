"""Where the tests of a version stand, in the text format of Prometheus.

For the textfile collector of node_exporter: a run of monitoring is over before anybody could ask
it. No group is named: an e-value of few people tells of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from audits.sequential.state import Act
from rehabcast.evidence.running import MonitoringRun
from stores.private_files import written_whole

LEVELS = {str(act): number for number, act in enumerate(Act)}
"""0 for nothing, 1 for a warning, 2 for a restriction, 3 for a suspension."""

ABOUT = {
    "mean_e_value": "Mean e-value of all tests that can act.",
    "largest_mean_e_value": "The largest it has been.",
    "act": "0 none, 1 warning, 2 restriction, 3 suspension.",
    "shift_mean_e_value": "Mean e-value that people come otherwise.",
    "shift_warning": "1 once people came otherwise than before.",
    "early_warning": "1 where outcomes of earlier horizons begin to speak against a rule.",
    "early_share": "Largest e-value of an early test that is told, of what it needs to warn.",
    "traced_mean_e_value": "Mean e-value of the tests that the traced lost are part of.",
    "traced_warning": "1 once they spoke against a rule.",
    "groups_left_out": "Groups that the audit left out and that are followed.",
    "groups_proposed": "Those of them that were proposed to people.",
    "in_service": "1 while the version is in service.",
    "run_timestamp_seconds": "When monitoring ran last.",
}
"""What each number says."""


def as_metrics(result: MonitoringRun, now: datetime) -> str:
    """Return a run's numbers."""
    return "".join(f"{line}\n" for line in _lines(result, now))


def write_metrics(result: MonitoringRun, file: Path, now: datetime) -> None:
    """Write a run's numbers, whole or not at all: a collector may read at any moment."""
    with written_whole(file) as draft:
        draft.write_text(as_metrics(result, now), "utf-8")
        # The collector is another user; nothing in it is about a person.
        draft.chmod(0o644)


def numbers_of(result: MonitoringRun) -> dict[str, float]:
    """Return a run's numbers by name, for Prometheus and MLflow alike."""
    return {
        "mean_e_value": result.mean_e,
        "largest_mean_e_value": result.largest_mean_e,
        "act": LEVELS[result.act],
        "shift_mean_e_value": result.shift.mean_e,
        "shift_warning": int(result.shift.warns),
        "early_warning": int(result.early.warns),
        "early_share": max(
            ((each.largest or 0.0) / each.needed for each in result.early.foremost), default=0.0
        ),
        "traced_mean_e_value": result.tracing.mean_e,
        "traced_warning": int(result.tracing.warns),
        "groups_left_out": len(result.growth.groups),
        "groups_proposed": sum(each.proposal is not None for each in result.growth.groups),
        "in_service": int(result.in_service),
    }


def _lines(result: MonitoringRun, now: datetime) -> Iterator[str]:
    version = result.model_version.replace("\\", "\\\\").replace('"', '\\"')
    numbers = {**numbers_of(result), "run_timestamp_seconds": int(now.timestamp())}
    for name, number in numbers.items():
        yield f"# HELP rehabcast_evidence_{name} {ABOUT[name]}"
        yield f"# TYPE rehabcast_evidence_{name} gauge"
        yield f'rehabcast_evidence_{name}{{model_version="{version}"}} {number!r}'
