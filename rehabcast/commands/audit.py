"""`rehabcast audit`: judge a candidate, write and sign its report, record the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contracts.groups import MINIMUM_SHOWN, is_few
from contracts.verdict import Verdict
from rehabcast.commands.learning.mitigation import run_mitigation
from rehabcast.commands.learning.training import ConfigOption, VersionArgument
from rehabcast.commands.verdict_table import verdict_table
from rehabcast.output import INLINE, AsJson, emit, stderr_console
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.report.editions import NotMade


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """A recorded audit: verdict, report digest, its folder, and what could not be made of it.

    Parameters
    ----------
    outside_plan
        In words, what is outside of the change plan of the model's line.
    not_compared
        Versions whose earlier report could not be read: what it shows beside this one, nobody
        looked at.
    other_outcomes
        People of whom a forecast is left out of the comparison with the version in service, because
        its outcome has changed; None where they are fewer than 11.
    """

    verdict: Verdict = field(metadata=INLINE)
    report_digest: str
    report_folder: Path
    not_made: tuple[NotMade, ...] = ()
    outside_plan: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    other_outcomes: int | None = 0


def audit(
    model_version: VersionArgument,
    champion_predictions: Annotated[
        Path | None,
        typer.Option(
            help="The champion's prediction table on the candidate's cohort (`rehabcast"
            " evaluate`), where the champion was trained on another cohort."
        ),
    ] = None,
    external: Annotated[
        Path | None,
        typer.Option(
            help="The version's signed prediction table of another cohort (`rehabcast evaluate`);"
            " what it shows counts in the verdict."
        ),
    ] = None,
    proposal: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of the ledger's entry by which `rehabcast monitor run` proposed a group;"
            " what outcomes showed of it stands in for too little evidence. Repeatable."
        ),
    ] = None,
    served: Annotated[
        Path | None,
        typer.Option(
            help="The version's signed table beside the champion (`rehabcast monitor compare`), for"
            " what the change plan asks to be shown on people served."
        ),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Judge by this policy this once. The gate lets a version through only by the"
            " board's policy, which REHABCAST_POLICY names; else it is the one rehabcast ships."
        ),
    ] = None,
    mitigate: Annotated[
        bool,
        typer.Option(
            "--mitigate", help="Compare mitigations instead; nothing is recorded in the ledger."
        ),
    ] = False,
    attribute: Annotated[
        str | None, typer.Option(help="With --mitigate: the attribute; by default the first one.")
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="With --mitigate: a version trained in another way, NAME/N; repeatable."),
    ] = None,
    cohort: Annotated[
        Path | None,
        typer.Option(
            help="With --mitigate: the cohort that the version was trained on; variants with"
            " plain training, group-aware checkpoint choice, reweighing and Group DRO are then"
            " trained on it."
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Audit a candidate by subgroup; write the report to its run and the verdict to the ledger."""
    if mitigate:
        comparison = run_mitigation(model_version, attribute, variant or [], cohort, config, policy)
        emit(comparison, comparison.as_table(), as_json=as_json)
        return
    from rehabcast.auditing.plan_conditions import plan_conditions
    from rehabcast.auditing.planned_changes import next_step

    result = run_audit(
        model_version,
        champion_predictions=champion_predictions,
        external=external,
        proposals=proposal or (),
        served=served,
        policy_file=policy,
    )
    emit(result, verdict_table(result.verdict), as_json=as_json)
    _warn(result)
    if not as_json:
        stderr_console.print(f"Verdict: {result.verdict.outcome}. Reports: {result.report_folder}")
        _say_scope_and_plan(result)
        step = next_step(model_version, result.verdict.outcome, result.outside_plan)
        if step is not None:
            stderr_console.print(escape(step))
        if (conditions := plan_conditions(Settings(), model_version)) is not None:
            stderr_console.print(escape(conditions))


def _say_scope_and_plan(result: AuditResult) -> None:
    from audits.judging.wording import scope_in_words

    if result.verdict.scope is not None:
        stderr_console.print(escape("\n".join(scope_in_words(result.verdict.scope))))
    if result.outside_plan:
        said = "Outside of the change plan, so it can't replace the version in service:"
        lines = (f"  {reason}" for reason in result.outside_plan)
        stderr_console.print(escape("\n".join((said, *lines))))


def _warn(result: AuditResult) -> None:
    """Say which editions and comparisons are missing; the verdict stands all the same."""
    if result.other_outcomes != 0:
        people = result.other_outcomes or f"fewer than {MINIMUM_SHOWN}"
        stderr_console.print(
            f"Note: {people} people have another outcome than in the table of the version in"
            " service, such as of a later visit. These forecasts are not compared with it."
        )
    if result.not_compared:
        stderr_console.print(
            f"Warning: earlier reports of {', '.join(result.not_compared)} could not be read, so"
            " nobody looked whether this one shows a person beside them. Restore their runs and"
            " audit again, or do not pass both on."
        )
    for missing in result.not_made:
        stderr_console.print(f"Warning: {missing.edition} could not be made ({missing.found})")
    if result.not_made:
        stderr_console.print(
            "The verdict is recorded, and report.json has everything. For the missing files too,"
            " correct what the warning names and run: rehabcast audit"
            f" {result.verdict.model_version}"
        )


def run_audit(
    model_version: str,
    *,
    champion_predictions: Path | None = None,
    external: Path | None = None,
    proposals: Sequence[int] = (),
    served: Path | None = None,
    policy_file: Path | None = None,
) -> AuditResult:
    """Judge a version's out-of-fold predictions; sign the report, and record the verdict."""
    from audits.judging.further.external import FurtherEvidence
    from audits.judging.judge import AuditInputs, judge
    from audits.ledger.audit_entries import earlier_audits
    from audits.ledger.evidence.proposals import laid_before
    from audits.report.content import compose
    from rehabcast.auditing.champion_forecasts import beside_champion
    from rehabcast.auditing.earlier_reports import earlier_reports, had_another_external
    from rehabcast.auditing.external_validation import open_external
    from rehabcast.auditing.planned_changes import (
        held_to_plan,
        is_compared,
        outside_in_plan,
        planned_line,
    )
    from rehabcast.auditing.reports import (
        facts_of,
        publish_editions,
        sign_report,
        with_explanation_quality,
    )
    from rehabcast.identity import actor_of, open_ledger
    from rehabcast.signed_artifacts import REPORT_FOLDER, open_bundle, open_predictions, policy_for
    from training.registry.model_versions import fetch, find

    settings = Settings()
    version = find(settings.store, model_version)
    bundle = open_bundle(settings, version)
    ledger, policy = open_ledger(settings, make=True), policy_for(settings, bundle, policy_file)
    actor = actor_of(settings, ledger)
    # Frozen before the forecasts are read: the chain shows which came first.
    ledger.freeze_policy(policy.version, policy.digest, actor=actor, now=datetime.now(UTC))
    table, trail = open_predictions(settings, version, bundle), ledger.trail()
    predictions = with_explanation_quality(settings, version, table.rows)
    former = earlier_reports(settings, trail, predictions)
    predictions = former.counted(predictions)
    questions = None if table.questions.empty else former.counted(table.questions)
    follow_up = former.follow_up(settings, version, bundle.manifest.follow_up_digest)
    planned = planned_line(
        settings, ledger, trail, model_version, bundle, predictions, champion_predictions, served
    )
    earlier = earlier_audits(trail, model_version, bundle.digest)
    champion, champion_digest, beside = beside_champion(
        settings, ledger, model_version, predictions, champion_predictions,
        other_use=is_compared(planned),
    )  # fmt: skip
    predictions = beside.rows
    elsewhere = None if external is None else open_external(settings, external, bundle)
    verdict = judge(
        predictions,
        policy,
        AuditInputs(
            model_version=model_version,
            bundle_digest=bundle.digest,
            predictions_digest=table.digest,
            data_digest=bundle.manifest.data_digest,
            code_digest=bundle.manifest.code_digest,
            simulated=bundle.manifest.simulated,
            champion=champion,
            champion_predictions_digest=champion_digest,
            follow_up_digest=bundle.manifest.follow_up_digest,
            earlier=earlier,
        ),
        FurtherEvidence(
            questions=questions,
            external=elsewhere,
            follow_up=follow_up,
            shown_in_service=laid_before(
                trail, proposals, model_version, bundle.digest, policy.digest
            ),
        ),
    )
    verdict = held_to_plan(planned, verdict, predictions, policy, earlier)
    now = datetime.now(UTC)
    until = now + timedelta(days=policy.valid_days)
    report = compose(
        predictions,
        verdict,
        policy,
        facts_of(settings, bundle),
        made_at=now.isoformat(timespec="seconds"),
        valid_until=until.isoformat(timespec="seconds"),
        names_verified=ledger.identities.people is not None,
        questions=questions,
        follow_up=follow_up,
        plan=None if planned is None else planned.plan,
        earlier=former.reports,
        some_wait=bool(former.waiting),
        external_numbers=elsewhere is None
        or not had_another_external(trail, bundle.digest, elsewhere.validation.predictions_digest),
    )
    digest = sign_report(settings, version, report)
    left_out = len(beside.other_outcomes)
    ledger.record_audit(report.verdict, digest, actor=actor, now=now, valid_until=until)
    # Only now: nothing that goes wrong with an edition may keep a verdict from the ledger.
    not_made = publish_editions(settings, version, report)
    return AuditResult(
        verdict=report.verdict,
        report_digest=digest,
        report_folder=fetch(settings.store, version, REPORT_FOLDER),
        not_made=not_made,
        outside_plan=outside_in_plan(planned, report.verdict),
        not_compared=former.not_read,
        other_outcomes=None if is_few(left_out) else left_out,
    )
