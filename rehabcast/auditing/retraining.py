"""What the change plan of a line lets a retraining alter; decided before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from mlflow.exceptions import MlflowException

from audits.changes.plan import ChangePlan
from audits.changes.wording import change_in_words
from audits.ledger.changes.plans import read_book
from audits.ledger.ledger import Ledger
from audits.ledger.records import Champion
from contracts.changes.difference import (
    SHOWN_BY_AUDIT,
    SHOWN_BY_TRAINING,
    Change,
    ChangeKind,
    differences,
)
from contracts.changes.facts import facts_of
from contracts.cohort import Cohort
from contracts.errors import ContractError, EvidenceMissing, ServiceUnavailable
from contracts.priors import prior_of, started_from
from contracts.task import Task
from inference.bundle import BundleDescription
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import open_description
from training.fitting.config import TrainingConfig
from training.fitting.preparation import training_parts
from training.registry.foreseen import foreseen
from training.registry.model_versions import ModelVersion, find

BY: Mapping[ChangeKind, str] = {
    ChangeKind.MORE_DATA: "--cohort",
    ChangeKind.LESS_DATA: "--cohort",
    ChangeKind.ANOTHER_COHORT: "--cohort or --pretrain-on",
    ChangeKind.ARCHITECTURE: "--config",
    ChangeKind.PARAMETERS: "--config, --seed or --task",
    ChangeKind.SOFTWARE: "this release of rehabcast",
}
"""Where a change comes from; every other one comes from the task, or from what the cohort has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line that can be retrained.

    Parameters
    ----------
    plan
        The change plan in force.
    champion
        The version last in service, revoked or not.
    bundle
        What its signed bundle says of itself.
    version
        Its registration.
    """

    plan: ChangePlan
    champion: Champion
    bundle: BundleDescription
    version: ModelVersion


def line_of(settings: Settings, ledger: Ledger, model: str) -> Line:
    """Return what a model's next version is held to.

    Raises
    ------
    EvidenceMissing
        No change plan is in force, or no version was in service.
    IntegrityError
        The champion's bundle is not what was signed.
    """
    record = read_book(ledger.engine).in_force(model)
    if record is None:
        raise EvidenceMissing(
            f"{model!r} has no change plan in force, which says what retraining may alter",
            "have two people approve one (docs/change-plan.md), or use `rehabcast train`",
        )
    champion = ledger.champion(model)
    version = find(settings.store, champion.model_version)
    return Line(
        plan=record.plan,
        champion=champion,
        bundle=open_description(settings, version),
        version=version,
    )


def parameters_of_version(
    settings: Settings, version: ModelVersion, config_digest: str
) -> TrainingConfig:
    """Return by which parameters a version was trained: those that its signed bundle names.

    Raises
    ------
    EvidenceMissing
        Its run does not have them any more, or has others.
    ServiceUnavailable
        The registry does not answer.
    """
    try:
        logged = settings.store.client().get_run(version.run_id).data.params
    except MlflowException as error:
        raise ServiceUnavailable(
            f"the registry does not give the run of {version}", "try again once MLflow answers"
        ) from error
    missing = EvidenceMissing(
        f"the run of {version} does not have the training parameters that its bundle was made with",
        "give them with --config",
    )
    try:
        parameters = TrainingConfig(
            **{key: type(of)(logged[key]) for key, of in asdict(TrainingConfig()).items()}
        )
    except (KeyError, ValueError, ContractError) as error:
        raise missing from error
    if parameters.digest != config_digest:
        raise missing
    return parameters


def require_within_plan(
    line: Line,
    cohort: Cohort,
    task: Task,
    parameters: TrainingConfig,
    *,
    own: TrainingConfig | None,
    pretrain_on: Cohort | None,
) -> tuple[Change, ...]:
    """Return what a retraining would change, before anything is fitted.

    What only training shows is looked at afterwards (`outside_of`), and by the audit.

    Parameters
    ----------
    own
        The champion's parameters, to name those that differ; None where they are not known.

    Raises
    ------
    ContractError
        It would change what the plan does not name: each is said, with what it comes from. Or
        nothing would change.
    """
    before, parts = line.bundle, training_parts(cohort, task, parameters)
    learned = _learned_before(before.manifest.pretrained_on, pretrain_on)
    after = foreseen(before.manifest, cohort, parts, task, parameters, pretrained_on=learned)
    found = differences(
        facts_of(before.manifest, before.task, None),
        facts_of(after, task, None),
        fewer_people=after.subjects < before.manifest.subjects,
    )
    if not found:
        raise ContractError(
            f"nothing differs from {line.champion.model_version}: the same cohort, task, training"
            " parameters and software",
            "name the cohort that has changed with --cohort",
        )
    if outside := [each for each in found if line.plan.change(each.kind) is None]:
        asked = _Asked(before=before, own=own, task=task, parameters=parameters)
        lines = "\n".join(f"  {_said(each, asked)}" for each in outside)
        raise ContractError(
            f"this retraining is outside of the change plan of {line.plan.line} (version"
            f" {line.plan.version}), so nothing was trained:\n{lines}",
            f"keep to the plan (`rehabcast plan show {line.plan.line}`), or have two people approve"
            " another one",
        )
    return found


def still_open(plan: ChangePlan) -> tuple[ChangeKind, ...]:
    """Return the kinds that nobody chooses, may still come of a retraining, and are not planned."""
    return tuple(
        kind for kind in (*SHOWN_BY_TRAINING, *SHOWN_BY_AUDIT) if plan.change(kind) is None
    )


def outside_of(line: Line, after: BundleDescription) -> tuple[Change, ...]:
    """Return what of a trained version the plan does not name: it showed in training only."""
    found = differences(
        facts_of(line.bundle.manifest, line.bundle.task, None),
        facts_of(after.manifest, after.task, None),
        fewer_people=after.manifest.subjects < line.bundle.manifest.subjects,
    )
    return tuple(each for each in found if line.plan.change(each.kind) is None)


def _learned_before(before: str, pretrain_on: Cohort | None) -> str:
    """Return what it would learn from first, in the champion's words where it is the same."""
    if pretrain_on is None:
        return ""
    if pretrain_on.digest in before.split():
        return before
    return f"{pretrain_on.provenance.name}, digest {pretrain_on.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a retraining would be made with, beside what the champion was made with."""

    before: BundleDescription
    own: TrainingConfig | None
    task: Task
    parameters: TrainingConfig


def _said(change: Change, asked: _Asked) -> str:
    by = BY.get(change.kind, "--task, or what the cohort has")
    named = "; ".join(_parameters(asked)) if change.kind is ChangeKind.PARAMETERS else ""
    what = f"{change.kind} ({named})" if named else change_in_words(change)
    return f"{what}: the plan does not name it; it comes from {by}"


def _parameters(asked: _Asked) -> Iterator[str]:
    """Yield each training parameter that would be another one."""
    manifest, now = asked.before.manifest, asdict(asked.parameters)
    if asked.own is not None:
        was = asdict(asked.own)
        yield from (f"{name}: {was[name]} -> {now[name]}" for name in now if was[name] != now[name])
    elif manifest.config_digest != asked.parameters.digest:
        yield "the champion's run has lost its own, which they are not"
    old = started_from(manifest.family, manifest.prior, asked.before.task.prior)
    new = prior_of(asked.parameters.architecture, asked.task.prior)
    if old is not None and new is not None and old != new:
        numbers = ", with other numbers" if old.name == new.name else ""
        yield f"recovery population: {old.name} -> {new.name}{numbers}"
    if manifest.judging is None:
        yield "people were judged by single networks, and are now by several joined"
