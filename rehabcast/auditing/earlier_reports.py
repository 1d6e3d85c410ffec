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
    from collections.abc import Sequence

    from rehabcast.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What earlier audits of a ledger told, and whom a new one does not count because of it.

    Parameters
    ----------
    reports
        The last report of each version that was audited, in the order of first audits.
    not_read
        Versions whose report or predictions could not be read, so that nobody compared them.
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
    reports: list[EarlierReport] = []
    not_read = []
    versions = dict.fromkeys(entry.about for entry in trail if entry.kind == AUDIT)
    for name in versions:
        try:
            version = find(settings.store, name)
            report, _ = fetch_report(settings, version)
            bundle = open_description(settings, version)
            counted = rows_of(open_predictions(settings, version, bundle).rows, CANDIDATE)
        except RehabcastError:
            not_read.append(name)
            continue
        if report.some_wait:
            counted = _without(counted, _waiting(counted, reports))
        shown = shown_by(report.verdict, report.performance, report.policy)
        if report.people:
            reports.append(EarlierReport(rows=counted, shown=shown))
    return Earlier(
        reports=tuple(reports),
        not_read=tuple(not_read),
        waiting=_waiting(rows_of(rows, CANDIDATE), reports),
    )


def _waiting(rows: pd.DataFrame, earlier: Sequence[EarlierReport]) -> frozenset[int]:
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
