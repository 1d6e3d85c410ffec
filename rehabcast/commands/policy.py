"""`rehabcast policy`: write, check, explain and compare the rules of the audit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from contracts.errors import ContractError
from rehabcast.commands.learning.training import task_file
from rehabcast.output import AsJson, emit
from stores.private_files import written_whole

if TYPE_CHECKING:
    from audits.judging.policy import Policy, Rule
    from audits.policies.compare import Change
    from contracts.task import Task

app = typer.Typer(no_args_is_help=True, help="The rules of the audit: write, check, explain them.")

PEOPLE = (30, 100, 200)
"""Sizes of an audit for which `explain` says what could be shown."""

PolicyFile = Annotated[Path, typer.Argument(help="TOML file of a policy.")]
TaskOption = Annotated[
    Path | None,
    typer.Option(
        "--task", parser=task_file, help="Task file whose models the policy is meant for."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWritten:
    """A new policy file, and what to do with it."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChecked:
    """A sound policy, and what of it asks less than the one rehabcast ships.

    Parameters
    ----------
    looser
        Requirement and what it was and is.
    """

    version: str
    digest: str
    looser: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleExplained:
    """A rule in words.

    Parameters
    ----------
    can_show
        By number of people in the audit: what a group of half of them can show.
    """

    rule: str
    binding: bool
    must_be_shown: bool
    asks: str
    rationale: str
    can_show: dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyExplained:
    """A policy in words."""

    version: str
    digest: str
    rules: tuple[RuleExplained, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDifference:
    """What the second policy asks more or less than the first."""

    first: str
    second: str
    changes: tuple[Change, ...]


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="TOML file to write.")],
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Write the stricter policy: half of the important difference, higher coverage.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the policy that rehabcast ships to a file, to be changed."""
    from audits.judging.policy import PACKAGED, load_policy
    from audits.policies.stricter import STRICT

    with written_whole(file, new=True) as draft:
        draft.write_text((STRICT if strict else PACKAGED).read_text("utf-8"), "utf-8")
    written = PolicyWritten(path=file, digest=load_policy(file).digest)
    advice = (
        f"{file}: change its limits, raise its version, then run: rehabcast policy check {file}"
    )
    emit(written, escape(advice), as_json=as_json)


@app.command()
def check(file: PolicyFile, task: TaskOption = None, as_json: AsJson = False) -> None:
    """Name every mistake of a policy, and each limit that is looser than the shipped one."""
    from audits.judging.policy import load_policy
    from audits.policies.compare import changes

    policy = load_policy(file)
    if task is not None:
        from training.task import read_task

        if faults := misfits(policy, read_task(task)):
            raise ContractError(
                f"{file}: does not fit {task}: {'; '.join(faults)}",
                "correct the policy or the task",
            )
    looser = tuple(change for change in changes(load_policy(), policy) if change.weakens)
    checked = PolicyChecked(version=policy.version, digest=policy.digest, looser=looser)
    title = f"Policy {policy.version} is sound ({policy.digest[:12]})"
    if looser:
        emit(
            checked, _table(f"{title}; it asks less than the shipped one", looser), as_json=as_json
        )
    else:
        emit(checked, escape(f"{title}; it asks no less than the shipped one."), as_json=as_json)


def misfits(policy: Policy, task: Task) -> list[str]:
    """Return each requirement that no model of a task could ever keep, or be judged by."""
    known = [attribute.name for attribute in task.sensitive]
    names = ", ".join(known)
    faults = [
        f"required, {each.attribute}: the task does not audit it (it has {names})"
        for each in policy.required
        if each.attribute not in known
    ]
    for rule in policy.rules:
        faults += [
            f"{rule.name!r}, axes, {axis}: the task does not audit it (it has {names})"
            for axis in rule.axes or ()
            if axis not in known
        ]
        if rule.metric.of_milestone and not task.milestones:
            faults.append(f"{rule.name!r}, metric, {rule.metric}: the task has no milestone")
    return faults


@app.command()
def explain(
    file: Annotated[
        Path | None,
        typer.Argument(help="TOML file of a policy; by default the board's (REHABCAST_POLICY)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say each rule in plain words, why its limit is what it is, and what few people can show."""
    from audits.judging.policy import load_policy
    from rehabcast.settings import Settings

    policy = load_policy(Settings().policy if file is None else file)
    explained = PolicyExplained(
        version=policy.version,
        digest=policy.digest,
        rules=tuple(_explained(rule, policy) for rule in policy.rules),
    )
    table = Table(
        "rule", "asks", *(f"{people} people" for people in PEOPLE), "why",
        title=f"Policy {policy.version}: each rule, and the worst result that still passes",
        caption="Rules on everyone: all people; other rules: a group of half of them. A smaller"
        " group can show less. Taken as given: results of people differ by one important difference"
        " (standard deviation), one forecast each, and of everyone else one in five is overlooked.",
        show_lines=True,
    )  # fmt: skip
    for rule in explained.rules:
        binds = "binding" if rule.binding else "reported only"
        binds += "" if rule.must_be_shown else " where it is broken or suspected to be"
        table.add_row(f"{rule.rule} ({binds})", rule.asks, *rule.can_show.values(), rule.rationale)
    emit(explained, table, as_json=as_json)


def _explained(rule: Rule, policy: Policy) -> RuleExplained:
    from audits.judging.wording import limit_in_words
    from audits.measure.disparity import Scope

    who = {
        Scope.OVERALL: "everyone",
        Scope.AXES: "each group",
        Scope.PAIRS: "each intersection of two groups",
        Scope.PATTERNS: "each pattern of the course",
    }[rule.scope]
    compared = rule.statistic if rule.comparator is None else f"compared with {rule.comparator}"
    attributes = "" if rule.axes is None else f" of {', '.join(rule.axes)}"
    when = ", at each horizon" if rule.each_horizon else ""
    return RuleExplained(
        rule=rule.name,
        binding=rule.binding,
        must_be_shown=rule.must_be_shown,
        asks=f"{who}{attributes}: {rule.metric}, {compared},"
        f" {limit_in_words(rule, policy.score_unit)}{when}",
        rationale=rule.rationale,
        can_show={people: _can_show(rule, policy, people) for people in PEOPLE},
    )


def _can_show(rule: Rule, policy: Policy, people: int) -> str:
    from audits.judging.wording import quantity
    from audits.policies.power import has_bound, worst_that_passes

    if not has_bound(rule):
        return "depends on the data (bootstrap)"
    worst = worst_that_passes(rule, policy, people)
    return "too few to pass" if worst is None else quantity(rule, policy.score_unit, worst)


@app.command()
def diff(first: PolicyFile, second: PolicyFile, as_json: AsJson = False) -> None:
    """Say which rules of the second policy are stricter, looser, new or gone."""
    from audits.judging.policy import load_policy
    from audits.policies.compare import changes

    before, after = load_policy(first), load_policy(second)
    found = PolicyDifference(
        first=before.digest, second=after.digest, changes=changes(before, after)
    )
    if found.changes:
        emit(found, _table(f"From {first} to {second}", found.changes), as_json=as_json)
    else:
        emit(found, "Both ask the same.", as_json=as_json)


def _table(title: str, found: tuple[Change, ...]) -> Table:
    table = Table("requirement", "is", "what", title=title)
    for change in found:
        table.add_row(change.requirement, str(change.kind), change.what)
    return table
