"""By which policy and at which attempt an audit judged, and for whom it passed."""

from __future__ import annotations

from collections.abc import Iterable

from audits.judging.policy import Policy, load_policy
from audits.judging.wording import group_in_words, limit_in_words
from audits.policies.compare import changes
from audits.policies.stricter import StricterLimit
from audits.report.content import Report
from audits.report.document import Block, Bullets, Heading, Paragraph, Table
from contracts.scope import Scope
from contracts.verdict import Outcome


def how_it_was_judged(report: Report) -> Iterable[Block]:
    """Say who gets no forecast, how many versions were audited before, and what is looser."""
    scope = report.verdict.scope
    if scope is not None and not scope.is_everyone:
        yield from _outside(scope)
    yield Paragraph(text=_looks(report.verdict.look))
    if looser := _looser(report.policy):
        yield Heading(level=1, text="This policy asks less than the one that rehabcast ships")
        yield Bullets(items=looser)


def stricter_policy(report: Report) -> Iterable[Block]:
    """Say what the stricter policy that rehabcast ships would have said of the same forecasts."""
    if not report.stricter:
        return
    yield Heading(level=1, text="What a stricter policy would have said")
    yield Paragraph(
        text="The verdict is that of the board's policy alone. Beside it, the same forecasts were"
        " judged by the tighter limits of the stricter policy that comes with rehabcast"
        " (`rehabcast policy new FILE --strict`). A group in the last column is too small to show"
        " that it keeps the tighter limit. Only groups whose numbers this report shows are listed."
    )
    rules = {rule.name: rule for rule in report.policy.rules}
    unit = report.policy.score_unit
    yield Table(
        caption="By rule: the board's limit, the stricter one, and who would not have passed",
        columns=("Rule", "Limit", "Stricter limit", "Would be blocked", "Would need review",
                 "Could not be shown"),
        rows=tuple(
            (
                each.rule,
                limit_in_words(rules[each.rule], unit),
                limit_in_words(
                    rules[each.rule].model_copy(update={"limit": each.stricter}), unit
                ),
                *(
                    _those(each, outcome)
                    for outcome in (Outcome.BLOCKED, Outcome.REVIEW, Outcome.INSUFFICIENT)
                ),
            )
            for each in report.stricter
        ),
        widths=(4, 2, 2, 4, 4, 4),
        small=True,
    )  # fmt: skip


def _those(limit: StricterLimit, outcome: Outcome) -> str:
    named = [group_in_words(f.axis, f.group) for f in limit.findings if f.outcome is outcome]
    return "; ".join(named) or "none"


def _outside(scope: Scope) -> Iterable[Block]:
    rows = [
        (group_in_words(attribute.attribute, group.label), group.rules)
        for attribute in scope.attributes
        for group in attribute.outside
    ] + [
        (" and ".join(map(group_in_words, pair.attributes, pair.labels)), pair.rules)
        for pair in scope.pairs
    ]
    yield Paragraph(
        text=f"At least {10 * scope.share_inside:.0f} in 10 of the people audited get a forecast;"
        " the people below get none."
    )
    yield Table(
        caption="Who gets no forecast",
        columns=("People", "Not shown to hold", "What would bring them in"),
        rows=tuple(
            (
                people,
                "; ".join(f"“{rule}”" for rule in rules),
                "Outcomes of more of these people, then a new audit in which the rules hold.",
            )
            for people, rules in rows
        ),
        widths=(5, 8, 7),
    )


def _looks(look: int) -> str:
    if look == 1:
        return "This is the first version of this model that was audited."
    versions = "1 other version" if look == 2 else f"{look - 1} other versions"
    return (
        f"{versions} of this model had been audited before this one. Who tries often passes by"
        " chance at last, so where an earlier audit did not show that a group, or everyone, is"
        " served well, a rule passes here only with more certainty than at the first audit."
    )


def _looser(policy: Policy) -> tuple[str, ...]:
    return tuple(
        f"{change.requirement}: {change.kind}; {change.what}."
        for change in changes(load_policy(), policy)
        if change.weakens
    )
