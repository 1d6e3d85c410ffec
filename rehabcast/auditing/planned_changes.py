"""What an audit needs to hold a version to the change plan of its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from audits.changes.outside import outside_plan
from audits.changes.plan import ChangePlan
from audits.changes.wording import outside_in_words
from audits.judging.further.compared import inside
from audits.judging.further.under_plan import InService, under_plan
from audits.judging.policy import Policy
from audits.judging.rules import rows_of
from audits.judging.validation import breaks_contract
from audits.ledger.changes.plans import read_book
from audits.ledger.ledger import Ledger
from audits.ledger.records import Champion, champion_of, scope_of
from audits.ledger.trail import AUDIT, Entry
from audits.measure.looks import Earlier
from audits.measure.prediction_table import KEY
from audits.sequential.in_service import ServedPairs, served_results
from contracts.changes.facts import VersionFacts, facts_of
from contracts.errors import ContractError, EvidenceMissing
from contracts.naming.model_version import split_version
from contracts.predictions import CANDIDATE, CHAMPION, MODEL
from contracts.scope import Scope
from contracts.verdict import Outcome, Verdict
from inference.bundle import Bundle
from rehabcast.auditing.champion_forecasts import champion_table, with_champion
from rehabcast.auditing.external_validation import open_external
from rehabcast.auditing.served_pairs import open_pairs
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import open_description
from training.registry.model_versions import find


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """A line of which a change plan is in force.

    Parameters
    ----------
    plan
        That plan.
    after
        What the audited version is; for whom it is served is not known yet.
    before
        The version last in service; None where there was none.
    pairs
        Its forecasts in service beside those of its shadow; None without a comparison there.
    """

    plan: ChangePlan
    after: VersionFacts
    before: InService | None
    pairs: ServedPairs | None = None


def is_compared(planned: PlannedLine | None) -> bool:
    """Return whether a plan asks for a comparison with another version, revoked or not."""
    return (
        planned is not None and planned.before is not None and planned.before.forecasts is not None
    )


def held_to_plan(
    planned: PlannedLine | None,
    verdict: Verdict,
    predictions: pd.DataFrame,
    policy: Policy,
    earlier: Earlier,
) -> Verdict:
    """Return a verdict with what was found under the plan in force; unchanged without one."""
    if planned is None:
        return verdict
    own, scope = rows_of(predictions, CANDIDATE), verdict.scope
    cohort = own if scope is None else own[inside(own, scope)]
    of_served = (
        ()
        if breaks_contract(verdict.findings)
        else served_results(planned.plan, cohort, planned.pairs, scope, policy, earlier)
    )
    return under_plan(
        verdict, planned.plan, planned.after, planned.before, predictions, policy, earlier,
        served=None if planned.pairs is None else planned.pairs.comparison, of_served=of_served,
    )  # fmt: skip


def outside_in_plan(planned: PlannedLine | None, verdict: Verdict) -> tuple[str, ...]:
    """Say what of an audited version is outside of the plan; nothing where there is no plan."""
    if planned is None or verdict.change is None:
        return ()
    return tuple(map(outside_in_words, outside_plan(planned.plan, verdict.change)))


def next_step(version: str, outcome: Outcome, outside_plan: Sequence[str]) -> str | None:
    """Say what can lead into service; outside of the plan in force approvals can't."""
    if outside_plan:
        model, _ = split_version(version)
        return (
            "Next: train a version that keeps to the plan; or have two people approve another plan"
            f" (rehabcast plan show {model}), then run: rehabcast audit {version}"
        )
    if outcome is Outcome.BLOCKED:
        return None
    step = f"rehabcast approve {version} --role ROLE --reason TEXT"
    return f"Next, by two different people: {step}"


def planned_line(
    settings: Settings,
    ledger: Ledger,
    trail: Sequence[Entry],
    model_version: str,
    bundle: Bundle,
    predictions: pd.DataFrame,
    champion_predictions: Path | None,
    served: Path | None,
) -> PlannedLine | None:
    """Return the plan in force for a version, and what it replaces; None where there is no plan.

    Parameters
    ----------
    trail
        The ledger's entries.
    predictions
        The version's prediction table.
    champion_predictions
        A table of the champion's forecasts of other people than those that it was trained on.
    served
        A table of both versions in service (`rehabcast.auditing.served_pairs`).

    Raises
    ------
    IntegrityError, ContractError
        As `rehabcast.auditing.external_validation.open_external`: under a plan that table counts
        only as it was signed, made with the champion's bundle, and of people new to it. As
        `rehabcast.auditing.served_pairs.open_pairs`; or that table is of no use.
    """
    model, _ = split_version(model_version)
    book = read_book(ledger.engine)
    record = book.in_force(model)
    if record is None:
        _require_use(served, f"{model!r} has no change plan in force")
        return None
    after, pairs = facts_of(bundle.manifest, bundle.task, None), None
    try:
        champion = ledger.champion(model)
    except EvidenceMissing:
        _require_use(served, f"no version of {model!r} was in service before")
        return PlannedLine(plan=record.plan, after=after, before=None)
    if book.returns(model, bundle.digest):
        _require_use(served, f"{model_version} returns to service, and is compared with nobody")
        scope = last_scope(trail, model, bundle.digest)
        before = InService(
            version=champion.model_version, bundle_digest=champion.bundle_digest, returns=True,
            facts=after.model_copy(update={"scope": scope}), forecasts=None,
        )  # fmt: skip
    else:
        before = _before(settings, trail, champion, bundle, predictions, champion_predictions)
        if served is not None:
            pairs = open_pairs(
                settings, served, bundle, champion.model_version, before.bundle_digest
            )
    return PlannedLine(plan=record.plan, after=after, before=before, pairs=pairs)


def _require_use(served: Path | None, reason: str) -> None:
    """Refuse a table of people served that nothing would be judged on."""
    if served is not None:
        raise ContractError(f"{reason}, so that --served is of no use", "leave --served out")


def _before(
    settings: Settings,
    trail: Sequence[Entry],
    champion: Champion,
    bundle: Bundle,
    predictions: pd.DataFrame,
    champion_predictions: Path | None,
) -> InService:
    """Return what was last in service, also where it was revoked: a plan holds all the same."""
    other = open_description(settings, find(settings.store, champion.model_version))
    forecasts = []
    # People of two cohorts may be numbered alike: these forecasts are of others.
    if other.manifest.cohort_name == bundle.manifest.cohort_name:
        forecasts.append(champion_table(settings, champion.model_version, None).rows)
    if champion_predictions is not None:
        # Signed, and of people whom that version has not seen: nobody wrote it by hand.
        forecasts.append(open_external(settings, champion_predictions, other).forecasts)
    beside = [with_champion(predictions, rows) for rows in forecasts]
    of_champion = [both.rows[both.rows[MODEL] == CHAMPION] for both in beside] or [
        predictions.iloc[:0]
    ]
    return InService(
        version=champion.model_version,
        bundle_digest=other.digest,
        facts=facts_of(other.manifest, other.task, served_scope(trail, champion)),
        other_outcomes=any(both.other_outcomes for both in beside),
        had_more_people=other.manifest.subjects > bundle.manifest.subjects,
        forecasts=pd.concat(of_champion).drop_duplicates(KEY).reset_index(drop=True),
    )


def last_scope(trail: Sequence[Entry], model: str, bundle_digest: str) -> Scope | None:
    """Return for whom a bundle was served when it was last in service; None for everyone."""
    champions = [
        champion_of({**entry.details()["champion"], "sequence": entry.sequence})
        for entry in trail
        if entry.is_champion_change
    ]
    served = [c for c in champions if (c.model, c.bundle_digest) == (model, bundle_digest)]
    return served_scope(trail, served[-1])


def served_scope(trail: Sequence[Entry], champion: Champion) -> Scope | None:
    """Return for whom a champion is served; None for everyone, as by an override."""
    if champion.is_override:
        return None
    audits = [
        entry.details()
        for entry in trail
        if entry.kind == AUDIT and entry.sequence < champion.sequence
    ]
    of_report = [d for d in audits if d["report_digest"] == champion.report_digest]
    return scope_of(of_report[-1]) if of_report else None
