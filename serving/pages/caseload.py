"""The caseload: all patients of the caller, who needs a look first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from contracts.naming.units import readable
from contracts.vocabulary import vocabulary
from serving.http.alerts.handlers import LOOK_SECONDS
from serving.http.decoding import from_query
from serving.http.refusals import RequestRefused
from serving.monitoring.words import sentence
from serving.pages.charts import Point, sparkline
from serving.pages.page import Answer, Visit
from serving.pages.rendering import later
from serving.pages.words import ALERTS, TONES, URGENCIES, code_name
from serving.state.alerting.looking import look_at_waiting
from serving.state.champions import targets_of
from serving.state.watch.patients import PatientRow, Shown, patients

PAGE, MOST_PAGES = 50, 100_000
"""Patients of a page; and pages, as no database counts further than 64 bits."""

FILTERS = {
    "all": later("Everybody"), "alerts": later("Need a look"), "silent": later("Silent"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """An alert of a row: its name, how soon, and in a sentence."""

    name: str
    urgency: str
    tone: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A patient of the table."""

    subject: str
    alerts: Sequence[AlertLine]
    score: str
    change: str
    scale: str
    points: Sequence[Point]
    newest: str


def caseload(visit: Visit) -> Answer:
    """Show a page of the caller's patients."""
    runtime, tenant = visit.runtime, visit.caller.tenant
    shown = visit.query.get("show", "all")
    if shown not in FILTERS:
        raise RequestRefused(404, "there is no such list", "choose one of those on the page")
    asked = from_query(visit.query, "page", int, "a whole number") or 1
    number_of_page = min(max(asked, 1), MOST_PAGES)
    # PostgreSQL takes no U+0000 (`serving.pages.forms.check` refuses it of forms).
    named = visit.query.get("named", "").replace("\x00", "")[:64]
    snapshots = runtime.champions.current
    waiting = look_at_waiting(runtime.store, tenant, snapshots, visit.now, LOOK_SECONDS)
    targets = targets_of(snapshots)
    rows, total = patients(
        runtime.store.engine, tenant, visit.now.date(), codes=list(targets),
        shown=cast("Shown", shown), named=named,
        offset=PAGE * (number_of_page - 1), limit=PAGE,
    )  # fmt: skip
    ends = {code: (target.low, target.high) for code, (_, target) in targets.items()}
    facts = {
        "rows": [_row(row, ends, visit) for row in rows], "total": total, "waiting": waiting,
        "filters": FILTERS, "shown": shown, "named": named,
        "page": number_of_page, "pages": max(1, -(-total // PAGE)),
        "instruments": [
            f"{code_name(code)}, {visit.say.unit(code)}".rstrip(", ") for code in targets
        ],
        "simulated": any(s.served.bundle.manifest.simulated for s in snapshots),
    }  # fmt: skip
    return Answer(template="caseload.html", facts=facts)


def _row(row: PatientRow, ends: dict[str, tuple[float, float]], visit: Visit) -> Row:
    # The instrument of what needs a look, then that which the patient's page opens with.
    looked_at = [alert.code for alert in row.alerts if alert.code in ends]
    code = next((code for code in [*looked_at, *ends] if row.scores.get(code)), "")
    scores = row.scores.get(code, [])
    change = scores[-1][1] - scores[-2][1] if len(scores) > 1 else None
    low, high = ends.get(code, (0, 1))
    return Row(
        subject=row.subject,
        alerts=[
            AlertLine(
                name=visit.say(ALERTS[alert.kind]),
                urgency=visit.say(URGENCIES[alert.urgency]),
                tone=TONES[alert.urgency],
                says=sentence(alert, better=vocabulary()[alert.code].better),
            )
            for alert in row.alerts
        ],
        score=visit.say.amount(code, readable(scores[-1][1])) if scores else "",
        change="" if change is None else f"{'+' if change > 0 else ''}{readable(change)}",
        scale=code_name(code) if scores else "",
        points=sparkline(scores, low, high),
        newest=row.newest[:10],
    )
