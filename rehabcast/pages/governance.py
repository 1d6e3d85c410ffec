"""The governance room: candidates and champions, their audits, and decisions in the ledger.

Each decision goes through the same functions as the commands. Where people sign with keys of their
own, a page cannot sign for them: it shows the command instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from audits.ledger.identity import Identities
from audits.ledger.ledger import Ledger
from audits.ledger.records import Champion, Override, Role
from audits.ledger.trail import CHAMPION_CHANGES, PROPOSAL, Entry
from contracts.errors import ContractError, EvidenceMissing, IntegrityError, RehabcastError
from contracts.naming.worded import Worded
from rehabcast.auditing.decisions import (
    run_approval,
    run_promotion,
    run_revocation,
    run_rollback,
)
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_report
from serving.access.trust import DEVELOPMENT
from serving.http.decoding import RequestInvalid
from serving.http.refusals import RequestRefused
from serving.pages.forms import to_date
from serving.pages.page import HOME, Answer, Field, Visit, go
from serving.pages.rendering import later
from training.registry.model_versions import find

ROOM = f"{HOME}/governance"
MOST_FINDINGS, MOST_ENTRIES = 40, 200
REASON = Field(name="reason", label=later("Why, in a sentence"), kind="long")
REASON_FIELDS = (REASON,)
ROLLBACK_FIELDS = (
    Field(name="epoch", label=later("Back to the change number"), kind="number", longest=6), REASON,
)  # fmt: skip
OVERRIDE_FIELDS = (
    REASON,
    Field(name="until", label=later("Until"), kind="date", longest=10),
    Field(name="use", label=later("The only use allowed"), kind="long"),
)
ROLES = {
    Role.ML_OWNER.value: later("ML owner: responsible for the model"),
    Role.GOVERNANCE.value: later("Governance: responsible for its use with patients"),
}


def approval_fields(visit: Visit) -> Sequence[Field]:
    """Return the fields of an approval: in one of the roles that somebody has."""
    choices = [(role, words) for role, words in ROLES.items() if role in visit.person.roles]
    return (Field(name="role", label=later("As"), kind="choice", choices=choices), REASON)


def room(visit: Visit) -> Answer:
    """Show every audited version, what serves, and whether the ledger verifies."""
    with closing(_ledger()) as ledger:
        entries = ledger.trail()
        champions = _champions(ledger, entries)
        verified, why = _verified(ledger)
        audited = dict.fromkeys(e.about for e in reversed(entries) if e.kind == "audit")
        versions = [
            {"version": each, "audit": audit, "approvals": ledger.approvals(audit),
             "champion": _serving(each, champions)}
            for each in audited
            if (audit := ledger.latest_audit(each)) is not None
        ]  # fmt: skip
        facts = {
            "versions": versions, "champions": champions, "verified": verified, "why": why,
            "entries": len(entries), "trial": ledger.identities.people is None, "now": visit.now,
        }  # fmt: skip
    return Answer(template="governance.html", facts=facts)


def trail(visit: Visit) -> Answer:
    """Show the ledger, newest entry first."""
    with closing(_ledger()) as ledger:
        entries = ledger.trail()
    shown = [(e, _said(e)) for e in reversed(entries[-MOST_ENTRIES:])]
    return Answer(template="trail.html", facts={"entries": shown, "count": len(entries)})


def version(visit: Visit) -> Answer:
    """Show a version: its audit, who approved, and what can be decided now."""
    name = _version_of(visit)
    settings = Settings()
    with closing(_ledger()) as ledger:
        audit = ledger.latest_audit(name)
        if audit is None:
            raise EvidenceMissing(
                Worded("%(version)s has no audit", version=name),
                Worded("run `rehabcast audit %(version)s` first", version=name),
            )
        report, why, current = None, None, False
        try:
            report, digest = fetch_report(settings, find(settings.store, name))
            current = digest == audit.report_digest
        except RehabcastError as error:
            why = error
        champions = _champions(ledger, ledger.trail())
        facts = {
            "version": name, "audit": audit, "report": report, "why": why, "current": current,
            "approvals": ledger.approvals(audit), "champion": _serving(name, champions),
            "changes": [c for c in champions if c.model == visit.parameters["model"]],
            "findings": _findings(report), "rules": _by_rule(report), "most": MOST_FINDINGS,
            "keys": _signs(ledger.identities), "approval_fields": approval_fields(visit),
            "reason_fields": REASON_FIELDS, "override_fields": OVERRIDE_FIELDS,
            "rollback_fields": ROLLBACK_FIELDS, "now": visit.now,
            "done": visit.query.get("done", ""), "room": ROOM,
        }  # fmt: skip
    return Answer(template="version.html", facts=facts)


def approve(visit: Visit) -> Answer:
    """Approve a version as one of one's roles."""
    _require_trial()
    run_approval(
        _version_of(visit), visit.form["role"], reason=visit.form["reason"], person=_name_of(visit)
    )
    return _back(visit, "approved")


def promote(visit: Visit) -> Answer:
    """Make a version the champion."""
    _require_trial()
    run_promotion(_version_of(visit), actor=_name_of(visit))
    return _back(visit, "promoted")


def override(visit: Visit) -> Answer:
    """Make a version the champion whose audit did not pass, by name, reason, date and use."""
    _require_trial()
    until = to_date(visit.form["until"], "the date")
    given = Override(
        approver=_name_of(visit), reason=visit.form["reason"], restricted_use=visit.form["use"],
        until=datetime(until.year, until.month, until.day, tzinfo=UTC),
    )  # fmt: skip
    run_promotion(_version_of(visit), override=given, actor=_name_of(visit))
    return _back(visit, "promoted")


def revoke(visit: Visit) -> Answer:
    """Take the champion out of service: it needs no key, because in doubt it must be easy."""
    _require_champion(visit)
    run_revocation(visit.parameters["model"], reason=visit.form["reason"], actor=_name_of(visit))
    return _back(visit, "revoked")


def rollback(visit: Visit) -> Answer:
    """Bring an earlier champion back."""
    _require_trial()
    said = visit.form["epoch"]
    if not said.isdecimal() or not int(said):
        raise RequestInvalid(
            "the number of the change is not a whole number", "write 1, for example"
        )
    again = run_rollback(
        visit.parameters["model"], int(said), reason=visit.form["reason"], actor=_name_of(visit)
    )
    return go(f"{ROOM}/{again.model_version}?done=promoted")


def _ledger() -> Ledger:
    return open_ledger(Settings())


def _version_of(visit: Visit) -> str:
    return f"{visit.parameters['model']}/{visit.parameters['number']}"


def _name_of(visit: Visit) -> str:
    """Return the name that the ledger keeps: the provider's own, which nobody can change."""
    who = visit.person
    return who.person if who.name == DEVELOPMENT else who.name


def _require_trial() -> None:
    with closing(_ledger()) as ledger:
        if _signs(ledger.identities):
            raise RequestRefused(
                409,
                "in this ledger people sign with keys of their own, which no page has",
                "run the command that the page shows, with your key",
            )


def _signs(identities: Identities) -> bool:
    return identities.people is not None


def _require_champion(visit: Visit) -> None:
    """Refuse to revoke another version than the page showed: it may have been replaced since."""
    with closing(_ledger()) as ledger:
        serving = ledger.champion(visit.parameters["model"])
    if serving.model_version != _version_of(visit) or serving.revoked is not None:
        raise ContractError(
            Worded("%(version)s is not in service now", version=_version_of(visit)),
            "look at the governance room again",
        )


def _champions(ledger: Ledger, entries: Sequence[Entry]) -> list[Champion]:
    models = {e.about.partition("/")[0] for e in entries if e.kind in CHAMPION_CHANGES}
    return [ledger.champion(model) for model in sorted(models)]


def _serving(version: str, champions: Sequence[Champion]) -> Champion | None:
    return next((c for c in champions if c.model_version == version), None)


def _verified(ledger: Ledger) -> tuple[bool, RehabcastError | None]:
    try:
        ledger.verify()
    except IntegrityError as error:
        return False, error
    return True, None


def _findings(report: Any) -> list[Any]:
    """Return the findings that did not pass, those that block first."""
    if report is None:
        return []
    order = {"blocked": 0, "needs review": 1}
    held = [f for f in report.verdict.findings if f.binding and f.outcome != "pass"]
    return sorted(held, key=lambda f: order.get(str(f.outcome), 2))


def _by_rule(report: Any) -> dict[str, Counter[str]]:
    rules: dict[str, Counter[str]] = {}
    for finding in report.verdict.findings if report is not None else ():
        if finding.binding:
            rules.setdefault(finding.rule, Counter())[str(finding.outcome)] += 1
    return rules


def _said(entry: Entry) -> str:
    """Return why somebody did it, where the entry says so."""
    details = entry.details()
    champion = details.get("champion") or {}
    if entry.kind == PROPOSAL:
        return f"{details['attribute']}: {details['label']}"
    said = (details.get("reason"), details.get("why"), champion.get("revoked"),
            champion.get("reason"), details.get("outcome"))  # fmt: skip
    return next((str(each) for each in said if each), "")


def _back(visit: Visit, done: str) -> Answer:
    return go(f"{ROOM}/{_version_of(visit)}?done={done}")
