"""Renders a verdict as one self-contained page for people: clinicians, patients, a board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from audits.disparity import Statistic
from audits.partitions import EVERYONE
from audits.policy import Policy, Rule
from audits.report.disclosure import FEWEST_SHOWN, fewest, hidden
from audits.report.plot import HEIGHT, WIDTH, Plot, plot
from audits.wording import limit_in_words, quantity
from contracts.errors import ContractError
from contracts.verdict import Finding, Outcome, Verdict

MARKS = {Outcome.PASS: "✓", Outcome.INSUFFICIENT: "?", Outcome.REVIEW: "!", Outcome.BLOCKED: "✗"}
MEANS = {
    Outcome.PASS: "This version may be promoted: every binding rule was shown to hold.",
    Outcome.INSUFFICIENT: "This version may not be promoted: for at least one binding rule there is"
    " not enough evidence either way. A named person can answer for it, and that will show on every"
    " forecast.",
    Outcome.REVIEW: "This version may not be promoted: at least one binding rule is probably"
    " broken. A named person can answer for it, and that will show on every forecast.",
    Outcome.BLOCKED: "This version may not be promoted: at least one binding rule was shown to be"
    " broken. Nobody can override that.",
}
FEW = f"fewer than {FEWEST_SHOWN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A finding as a reader sees it: texts, and a picture where there is an interval to show."""

    rule: str
    metric: str
    group: str
    people: str
    events: str
    estimate: str
    interval: str
    limit: str
    outcome: Outcome
    binding: bool
    reason: str
    picture: Plot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """All findings on one attribute, or on one pair of attributes."""

    axis: str
    rows: tuple[Row, ...]


def render(verdict: Verdict, policy: Policy, *, cohort_name: str, made_at: str) -> str:
    """Return the report as HTML: no script, nothing loaded from elsewhere, readable on paper.

    Parameters
    ----------
    verdict, policy
        What was decided, by which rules.
    cohort_name, made_at
        Whom it was audited on, and when (UTC, ISO 8601).

    Raises
    ------
    ContractError
        The verdict was made by another policy.
    """
    if verdict.policy_digest != policy.digest:
        raise ContractError(
            f"report: the verdict was made by policy {verdict.policy_digest[:12]}, not by"
            f" version {policy.version!r} ({policy.digest[:12]})"
        )
    rows = _rows(verdict, policy)
    sections = [
        Section(axis=axis, rows=tuple(row for place, row in rows if place == axis))
        for axis in dict.fromkeys(place for place, _ in rows)
    ]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        verdict=verdict,
        policy=policy,
        cohort_name=cohort_name,
        made_at=made_at,
        means=MEANS[verdict.outcome],
        marks=MARKS,
        held_back_by=[row for _, row in rows if row.binding and row.outcome is not Outcome.PASS],
        sections=sections,
        limits={rule.name: limit_in_words(rule) for rule in policy.rules},
        few=FEW,
        picture_width=WIDTH,
        picture_height=HEIGHT,
    )


def _rows(verdict: Verdict, policy: Policy) -> list[tuple[str, Row]]:
    rules = {rule.name: rule for rule in policy.rules}
    concealed = hidden(verdict.findings)
    return [
        (finding.axis, _row(finding, rules.get(finding.rule), is_hidden=finding in concealed))
        for finding in verdict.findings
    ]


def _row(finding: Finding, rule: Rule | None, *, is_hidden: bool) -> Row:
    """Return a row; no rule stands for the finding that an attribute is the same for everyone."""
    estimate = interval = "not computed"
    picture = None
    if is_hidden:
        estimate = interval = "hidden"
    elif rule is not None and finding.value is not None:
        estimate = quantity(rule, finding.value)
        if finding.low is not None and finding.high is not None:
            interval = quantity(rule, finding.low, finding.high)
            is_difference = rule.statistic is not Statistic.VALUE
            picture = plot(rule, finding.value, finding.low, finding.high, zero=is_difference)
    return Row(
        rule=finding.rule,
        metric=finding.metric,
        group=finding.group,
        people=_count(finding.subjects, is_hidden=is_hidden),
        events="" if finding.events is None else _count(finding.events, is_hidden=is_hidden),
        estimate=estimate,
        interval=interval,
        limit="none" if rule is None else limit_in_words(rule),
        outcome=finding.outcome,
        binding=finding.binding,
        reason=_hidden_reason(finding) if is_hidden else finding.reason,
        picture=picture,
    )


def _count(number: int, *, is_hidden: bool) -> str:
    if is_hidden:
        return FEW if number < FEWEST_SHOWN else "hidden"
    return str(number)


def _hidden_reason(finding: Finding) -> str:
    who = EVERYONE if finding.axis == EVERYONE else f"{finding.axis}: {finding.group}"
    if fewest(finding) < FEWEST_SHOWN:
        return f"{who}: {finding.metric}: {FEW} people; judged, but not shown."
    return f"{who}: {finding.metric}: not shown, so that a smaller group cannot be worked out."
