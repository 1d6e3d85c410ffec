"""What outcomes in service have shown of a group that an audit has too few people of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audits.judging.further.external import WHERE
from audits.judging.wording import group_in_words
from contracts.verdict import Finding, Outcome, ShownInService


def with_service(
    findings: Iterable[Finding], shown: Sequence[ShownInService]
) -> tuple[Finding, ...]:
    """Return findings where what was shown in service stands in for too little evidence.

    Only there: a rule that is broken, by the estimate or certainly, stays so.
    """
    by_group = {(each.attribute, each.label): each for each in shown}
    return tuple(
        _with(finding, by_group.get((finding.axis, finding.group))) for finding in findings
    )


def _with(finding: Finding, shown: ShownInService | None) -> Finding:
    is_open = finding.binding and finding.outcome is Outcome.INSUFFICIENT
    if shown is None or not is_open or finding.rule not in shown.rules:
        return finding
    who = group_in_words(finding.axis, finding.group)
    reason = (
        f"{WHERE['service']}: {who}: “{finding.rule}” was shown to hold of people followed since"
        f" the promotion (the ledger's entry {shown.entry}, {shown.digest[:12]}); the audit has too"
        " little evidence of its own."
    )
    return finding.model_copy(
        update={
            "outcome": Outcome.PASS, "evidence": "service", "reason": reason, "shortage": None,
        }
    )  # fmt: skip
