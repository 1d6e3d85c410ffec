"""`rehabcast retrain`: the next version of a line, within what its change plan says may alter."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contracts.errors import EvidenceMissing, Interrupted
from rehabcast.commands.governance import ModelArgument
from rehabcast.commands.learning.training import (
    CohortOption,
    ConfigOption,
    PretrainOption,
    SeedOption,
    TrainingResult,
    WithoutOption,
    task_file,
    train_candidate,
)
from rehabcast.output import INLINE, AsJson, emit, stderr_console
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.changes.plan import ChangePlan
    from contracts.changes.difference import ChangeKind
    from training.fitting.config import TrainingConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingResult:
    """A candidate that was trained under a change plan.

    Parameters
    ----------
    trained
        The candidate.
    champion
        The version last in service, whose task and parameters it has unless others were given.
    plan_digest, plan_version
        The plan in force.
    changes
        What differs from the champion, as far as it was known before training; all planned.
    outside_plan
        What showed in training only and is not planned: the gate will refuse it.
    still_open
        Kinds of change that its audit may show, and that are not planned either.
    next_steps
        Commands, in their order.
    """

    trained: TrainingResult = field(metadata=INLINE)
    champion: str
    plan_digest: str
    plan_version: str
    changes: tuple[str, ...]
    outside_plan: tuple[str, ...]
    still_open: tuple[str, ...]
    next_steps: tuple[str, ...]


def retrain(
    model: ModelArgument,
    cohort: CohortOption,
    task: Annotated[
        Path | None,
        typer.Option(parser=task_file, help="Task file (TOML); by default the champion's task."),
    ] = None,
    config: ConfigOption = None,
    pretrain_on: PretrainOption = None,
    without: WithoutOption = None,
    seed: SeedOption = None,
    as_json: AsJson = False,
) -> None:
    """Train the champion's recipe on a cohort, within what the change plan says may alter."""
    if without is not None:
        from features.cohort import read_cohort
        from rehabcast.auditing.overlap import require_without

        require_without(map(read_cohort, filter(None, (cohort, pretrain_on))), without)
    try:
        result = run_retraining(model, cohort, task, config, pretrain_on, seed)
    except KeyboardInterrupt:
        raise Interrupted(
            "training was stopped", "run the same command again to go on where it was"
        ) from None
    version = result.trained.model_version
    message = (
        f"Registered candidate {version}, under version {result.plan_version} of the change plan"
        f" ({result.plan_digest[:12]}). Since {result.champion}: {', '.join(result.changes)}."
    )
    emit(result, escape(message), as_json=as_json)
    if as_json:
        return
    if result.outside_plan:
        lines = "\n".join(f"  {each}" for each in result.outside_plan)
        stderr_console.print(
            escape(
                f"Outside of the change plan, so the gate will refuse {version}:\n{lines}\n"
                "Nothing has to be trained again: its audit counts once two people have approved a"
                " plan that names this. Who is served stays as it is until then."
            )
        )
    steps = "\n".join(f"  {step}" for step in result.next_steps)
    stderr_console.print(escape(f"Next:\n{steps}"))


def run_retraining(
    model: str,
    cohort: Path,
    task: Path | None = None,
    config: Path | None = None,
    pretrain_on: Path | None = None,
    seed: int | None = None,
) -> RetrainingResult:
    """Check what would change against the plan in force, then train and register a candidate."""
    from audits.changes.wording import change_in_words
    from contracts.changes.difference import SHOWN_BY_AUDIT
    from features.cohort import read_cohort
    from rehabcast.auditing.retraining import (
        line_of,
        outside_of,
        parameters_of_version,
        require_within_plan,
        still_open,
    )
    from rehabcast.identity import open_ledger
    from rehabcast.signed_artifacts import open_description
    from training.fitting.config import read_config
    from training.registry.model_versions import find
    from training.task import read_task

    settings = Settings()
    with closing(open_ledger(settings)) as ledger:
        line = line_of(settings, ledger, model)
    own: TrainingConfig | None = None
    digest = line.bundle.manifest.config_digest
    try:
        own = parameters = parameters_of_version(settings, line.version, digest)
    except EvidenceMissing:
        if config is None:
            raise
    if config is not None:
        parameters = read_config(config)
    parameters = parameters if seed is None else replace(parameters, seed=seed)
    people = read_cohort(cohort)
    before = None if pretrain_on is None else read_cohort(pretrain_on)
    its_task = line.bundle.task if task is None else read_task(task)
    changes = require_within_plan(line, people, its_task, parameters, own=own, pretrain_on=before)
    if said := what_may_still_come(still_open(line.plan)):
        stderr_console.print(escape(said))
    trained = train_candidate(
        people, its_task, model, parameters, before,
        facts={"change_plan_digest": line.plan.digest},
    )  # fmt: skip
    after = open_description(settings, find(settings.store, trained.model_version))
    outside = tuple(change_in_words(each) for each in outside_of(line, after))
    return RetrainingResult(
        trained=trained,
        champion=line.champion.model_version,
        plan_digest=line.plan.digest,
        plan_version=line.plan.version,
        changes=tuple(each.kind.value for each in changes),
        outside_plan=outside,
        still_open=tuple(kind for kind in still_open(line.plan) if kind in SHOWN_BY_AUDIT),
        next_steps=tuple(next_steps(trained.model_version, line.plan, outside)),
    )


def what_may_still_come(kinds: Sequence[ChangeKind]) -> str:
    """Say what may come of a retraining that nobody chooses and the plan does not name."""
    from contracts.changes.difference import SHOWN_BY_AUDIT, SHOWN_BY_TRAINING

    parts = [
        f"{by} may show {' or '.join(among)}"
        for by, shown in (("training", SHOWN_BY_TRAINING), ("the audit", SHOWN_BY_AUDIT))
        if (among := [kind for kind in kinds if kind in shown])
    ]
    if not parts:
        return ""
    return (
        f"Within the change plan as far as is known before: {', and '.join(parts)}. The plan does"
        " not name that, so the gate would then refuse the version."
    )


def next_steps(version: str, plan: ChangePlan, outside: Sequence[str] = ()) -> Sequence[str]:
    """Return the commands that lead to a promotion under a plan, in their order.

    Parameters
    ----------
    outside
        What of the version is outside of the plan.
    """
    from audits.changes.plan import ShownOn

    audit = f"rehabcast audit {version}"
    another = (
        ("rehabcast plan register plan.toml",
         "rehabcast plan approve plan.toml --role ROLE --reason TEXT")
        if outside else ()
    )  # fmt: skip
    if any(each.shown_on is ShownOn.SERVED for each in plan.criteria):
        return (
            *another,
            f"rehabcast serve --shadow {version}",
            f"rehabcast monitor compare {version} --output pairs.parquet",
            f"{audit} --served pairs.parquet",
        )
    return (*another, audit)
