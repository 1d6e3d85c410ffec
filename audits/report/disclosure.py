"""Suppression of small groups: they are judged, but their numbers are not shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from audits.judging.performance import Performance
from audits.judging.sensitivity import LabelSensitivity
from audits.judging.wording import group_in_words
from contracts.verdict import Finding, Verdict

MINIMUM_SHOWN = 11
"""Smaller groups are hidden: the customary bound for published health statistics."""

T = TypeVar("T", Finding, Performance, LabelSensitivity)


def suppress_in_verdict(verdict: Verdict) -> Verdict:
    """Return a verdict without the numbers of groups that must not be shown."""
    to_hide = suppressed(verdict.findings)
    findings = tuple(
        _without_numbers(finding) if finding in to_hide else finding for finding in verdict.findings
    )
    in_scope = tuple(_of_scope(finding) for finding in verdict.scope_findings)
    return verdict.model_copy(update={"findings": findings, "scope_findings": in_scope})


def suppress_in_performance(rows: Iterable[Performance]) -> tuple[Performance, ...]:
    """Return performance without the numbers of groups that must not be shown."""
    kept = list(rows)
    indices = _to_suppress(kept, lambda row: (row.axis, row.metric, row.milestone, row.horizon_day))
    blank = {"subjects": None, "events": None, "value": None, "low": None, "high": None}
    return tuple(
        row.model_copy(update=blank) if index in indices else row for index, row in enumerate(kept)
    )


def suppress_in_sensitivity(rows: Iterable[LabelSensitivity]) -> tuple[LabelSensitivity, ...]:
    """Return the sensitivity analysis without the groups that must not be shown."""
    kept = list(rows)
    indices = _to_suppress(kept, lambda row: (row.axis, row.metric))
    return tuple(row for index, row in enumerate(kept) if index not in indices)


def suppressed(findings: Iterable[Finding]) -> frozenset[Finding]:
    """Return the findings whose values must not be shown.

    Those on fewer than 11 people, or on fewer than 11 events. Where that hides only one group of an
    attribute, the next smallest is hidden too, because the first could otherwise be worked out from
    the others and the total. Sums over intersections can still reveal a group to a patient reader:
    whoever publishes a report on a small cohort has to check it for that.
    """
    counted = [finding for finding in findings if finding.subjects]
    indices = _to_suppress(counted, lambda f: (f.axis, f.rule, f.metric, f.horizon_day))
    return frozenset(counted[index] for index in indices)


def _to_suppress(rows: list[T], compared_by: Callable[[T], Hashable]) -> set[int]:
    """Return the indices of the rows to hide; rows with the same key are compared by a reader."""
    compared: dict[Hashable, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        compared[compared_by(row)].append(index)
    to_hide: set[int] = set()
    for indices in compared.values():
        by_size = sorted(indices, key=lambda index: _smallest_count(rows[index]))
        small = sum(_smallest_count(rows[index]) < MINIMUM_SHOWN for index in by_size)
        to_hide.update(by_size[: 2 if small == 1 else small])
    return to_hide


def _smallest_count(row: Finding | Performance | LabelSensitivity) -> int:
    """Return the smallest count that a row would reveal."""
    events = None if isinstance(row, LabelSensitivity) else row.events
    subjects = row.subjects or 0
    return subjects if events is None else min(subjects, events)


def _of_scope(finding: Finding) -> Finding:
    """Return a finding on the people in scope without any number.

    Beside the finding on everyone, a number would show the people outside.
    """
    who = group_in_words(finding.axis, finding.group)
    return _blank(finding, f"{who}, in scope: {finding.metric}: {finding.outcome}.")


def _without_numbers(finding: Finding) -> Finding:
    why = f"fewer than {MINIMUM_SHOWN} people; judged, but not shown"
    if _smallest_count(finding) >= MINIMUM_SHOWN:
        why = "not shown, so that a smaller group cannot be worked out"
    who = group_in_words(finding.axis, finding.group)
    return _blank(finding, f"{who}: {finding.metric}: {why}.")


def _blank(finding: Finding, reason: str) -> Finding:
    return finding.model_copy(
        update={
            "subjects": None, "events": None, "value": None, "low": None, "high": None,
            "p_value": None, "adjusted_p": None, "reason": reason,
        }
    )  # fmt: skip
