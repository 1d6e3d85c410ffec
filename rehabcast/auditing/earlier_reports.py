"""The earlier reports of a ledger: what readers may have beside a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from audits.disclosure.earlier import EarlierReport, not_yet_counted
from audits.disclosure.suppress import shown_by
from audits.judging.rules import rows_of
from audits.ledger.trail import AUDIT, Entry
from contracts.errors import RehabcastError
from contracts.predictions import CANDIDATE, SUBJECT
from rehabcast.signed_artifacts import fetch_report, open_description, open_predictions
from training.registry.follow_up import fetch_follow_up
from training.registry.model_versions import ModelVersion, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from audits.report.content import Report
    from rehabcast.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What earlier audits of a ledger told, and whom a new one does not count because of it.

    Parameters
    ----------
    reports
        The last report of each version that was audited, in the order of first audits.
    not_read
        Versions whose report or predictions could not be read, or do not fit each other, so that
        nobody compared them.
    waiting
        Fewer than 11 people who came since an earlier report of all the others.
    """

    reports: tuple[EarlierReport, ...]
    not_read: tuple[str, ...]
    waiting: frozenset[int]

    def counted(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return a table without those who wait."""
        return _without(rows, self.waiting)

    def follow_up(
        self, settings: Settings, version: ModelVersion, digest: str | None
    ) -> pd.DataFrame | None:
        """Return a version's follow-up table without those who wait; None where it has none."""
        table = fetch_follow_up(settings.store, version, digest)
        return None if table is None else self.counted(table)


def earlier_reports(settings: Settings, trail: Sequence[Entry], rows: pd.DataFrame) -> Earlier:
    """Read the earlier reports of a ledger.

    Parameters
    ----------
    rows
        The prediction table of the new one.
    """
    audits = [entry.about for entry in trail if entry.kind == AUDIT]
    published = {name: _published(settings, name) for name in dict.fromkeys(audits)}
    reports = _as_counted(audits, {name: each for name, each in published.items() if each})
    not_read = [
        name
        for name, each in published.items()
        if each is None or (each.report.people and name not in reports)
    ]
    return Earlier(
        reports=tuple(reports.values()),
        not_read=tuple(not_read),
        waiting=_waiting(rows_of(rows, CANDIDATE), reports.values()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published:
    """The last report of a version, and the candidate's rows of its prediction table."""

    report: Report
    rows: pd.DataFrame


def _published(settings: Settings, name: str) -> _Published | None:
    """Return a version's last report and forecasts; None where they cannot be read."""
    try:
        version = find(settings.store, name)
        report, _ = fetch_report(settings, version)
        bundle = open_description(settings, version)
        rows = rows_of(open_predictions(settings, version, bundle).rows, CANDIDATE)
    except RehabcastError:
        return None
    return _Published(report=report, rows=rows)


def _as_counted(
    audits: Sequence[str], published: Mapping[str, _Published]
) -> dict[str, EarlierReport]:
    """Return the last report of each version with the people that it counted.

    Who waited at an audit follows from the reports that existed then, so the audits are gone
    through in the ledger's order. A version audited again counts whom its last audit counted. One
    whose report says another number of people than follows is left out: nobody knows whom it
    counts.

    Parameters
    ----------
    audits
        The audited version of each audit, oldest first.
    published
        By version; without those that cannot be read.
    """
    counted: dict[str, EarlierReport] = {}
    last = {name: place for place, name in enumerate(audits)}
    for place, name in enumerate(audits):
        if name not in published or not published[name].report.people:
            continue
        report, rows = published[name].report, published[name].rows
        is_last = place == last[name]
        if not is_last or report.some_wait:
            rows = _without(rows, _waiting(rows, counted.values()))
        if is_last and rows[SUBJECT].nunique() != report.people:
            counted.pop(name, None)
            continue
        shown = shown_by(report.verdict, report.performance, report.policy)
        counted[name] = EarlierReport(rows=rows, shown=shown)
    return counted


def _waiting(rows: pd.DataFrame, earlier: Iterable[EarlierReport]) -> frozenset[int]:
    return not_yet_counted(rows, [report.rows for report in earlier])


def _without(rows: pd.DataFrame, waiting: frozenset[int]) -> pd.DataFrame:
    return rows[~rows[SUBJECT].isin(waiting)].reset_index(drop=True) if waiting else rows


def had_another_external(trail: Sequence[Entry], bundle_digest: str, table: str) -> bool:
    """Return whether a bundle was audited before with another external table than this one.

    Earlier tables are not kept, so nobody can say how many of their people differ.
    """
    audits = (entry.details() for entry in trail if entry.kind == AUDIT)
    return any(
        details["bundle_digest"] == bundle_digest
        and (details.get("external") or {}).get("predictions_digest", table) != table
        for details in audits
    )
