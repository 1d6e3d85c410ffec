"""The earlier reports of a ledger: what readers may have beside a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from audits.disclosure.cells import Cell
from audits.disclosure.counts import may_count
from audits.disclosure.earlier import EarlierReport, not_yet_counted
from audits.disclosure.quantities import Quantity
from audits.disclosure.suppress import shown_by
from audits.judging.rules import rows_of
from audits.ledger.trail import AUDIT, Entry
from contracts.errors import RehabcastError
from contracts.predictions import CANDIDATE, SUBJECT
from rehabcast.auditing.reports import fetch_earlier_report
from rehabcast.signed_artifacts import fetch_report, open_description, open_predictions
from training.registry.follow_up import fetch_follow_up
from training.registry.model_versions import ModelVersion, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audits.report.content import Report
    from rehabcast.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What earlier audits of a ledger told, and whom a new one does not count because of it.

    Parameters
    ----------
    reports
        Of every audit, in the order of the ledger; those that say nothing new are left out.
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
    audits = [entry for entry in trail if entry.kind == AUDIT]
    last = {entry.about: place for place, entry in enumerate(audits)}
    forecasts = {name: _forecasts(settings, name) for name in last}
    reports: list[EarlierReport] = []
    seen: set[tuple[str, int, ShownOf]] = set()
    not_read: dict[str, None] = {}
    for place, entry in enumerate(audits):
        name = entry.about
        known = forecasts[name]
        report = None if known is None else _report(settings, entry, is_last=place == last[name])
        if known is None or report is None:
            not_read[name] = None
            continue
        if not report.people:
            continue
        # Who waited follows from the reports that existed then.
        counted = _without(known, _waiting(known, reports)) if report.some_wait else known
        if not may_count(report.people, counted):
            # Nobody knows whom it counts.
            not_read[name] = None
            continue
        shown = shown_by(report.verdict, report.performance, report.policy)
        says = (name, report.people, frozenset(shown.items()))
        if says not in seen:
            seen.add(says)
            reports.append(EarlierReport(rows=counted, shown=shown))
    return Earlier(
        reports=tuple(reports),
        not_read=tuple(not_read),
        waiting=_waiting(rows_of(rows, CANDIDATE), reports),
    )


ShownOf = frozenset[tuple[Quantity, frozenset[Cell]]]


def _forecasts(settings: Settings, name: str) -> pd.DataFrame | None:
    """Return the candidate's rows of a version's prediction table; None where unreadable."""
    try:
        version = find(settings.store, name)
        bundle = open_description(settings, version)
        return rows_of(open_predictions(settings, version, bundle).rows, CANDIDATE)
    except RehabcastError:
        return None


def _report(settings: Settings, audit: Entry, *, is_last: bool) -> Report | None:
    """Return the report of an audit; None where it cannot be read."""
    try:
        version = find(settings.store, audit.about)
        digest = audit.details()["report_digest"]
        if is_last:
            report, found = fetch_report(settings, version)
            if found == digest:
                return report
        return fetch_earlier_report(settings, version, digest)
    except RehabcastError:
        return None


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
