"""By which policy and at which attempt an audit judged, and for whom it passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audits.judging.policy import Policy, load_policy
from audits.judging.wording import group_in_words
from audits.policies.compare import changes
from audits.report.content import Report
from audits.report.document import Block, Bullets, Heading, Paragraph, Table
from contracts.scope import Scope
from contracts.verdict import Finding, Outcome

PROBABLY_BROKEN = {Outcome.REVIEW, Outcome.BLOCKED}
MORE = "Outcomes of more of them, then a new audit."
BETTER = "A version that serves them better, then a new audit."


def how_it_was_judged(report: Report) -> Iterable[Block]:
    """Say who gets no forecast, how many versions were audited before, and what is looser."""
    scope = report.verdict.scope
    if scope is not None and not scope.is_everyone:
        yield from _outside(scope, report.verdict.findings)
    yield Paragraph(text=_looks(report.verdict.look))
    if looser := _looser(report.policy):
        yield Heading(level=1, text="This policy asks less than the one that rehabcast ships")
        yield Bullets(items=looser)


def _outside(scope: Scope, findings: Sequence[Finding]) -> Iterable[Block]:
    harmed = {(f.attributes, f.group) for f in findings if f.outcome in PROBABLY_BROKEN}
    groups = [
        ((attribute.attribute,), (group.label,), group.rules)
        for attribute in scope.attributes
        for group in attribute.outside
    ] + [(pair.attributes, pair.labels, pair.rules) for pair in scope.pairs]
    yield Paragraph(
        text=f"At least {10 * scope.share_inside:.0f} in 10 of the people audited get a forecast;"
        " the people below get none."
    )
    yield Table(
        caption="Who gets no forecast",
        columns=("People", "Not shown to hold", "What would bring them in"),
        rows=tuple(
            (
                " and ".join(map(group_in_words, attributes, labels)),
                "; ".join(f"“{rule}”" for rule in rules),
                BETTER if (attributes, " & ".join(labels)) in harmed else MORE,
            )
            for attributes, labels, rules in groups
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
        " served well, a rule passes here only with more certainty than at the first audit: its"
        " interval is then wider, and beside it stands with how much confidence."
    )


def _looser(policy: Policy) -> tuple[str, ...]:
    return tuple(
        f"{change.requirement}: {change.kind}; {change.what}."
        for change in changes(load_policy(), policy)
        if change.weakens
    )
