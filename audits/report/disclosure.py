"""Keeps small groups from being read off the report: they are judged, but not shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from contracts.verdict import Finding

FEWEST_SHOWN = 11
"""Groups below are hidden: the customary bound for published health statistics."""


def hidden(findings: Iterable[Finding]) -> frozenset[Finding]:
    """Return the findings whose values must not be shown.

    Those on fewer than 11 people, or on fewer than 11 who reached a milestone. Where that hides one
    group of an attribute only, the next smallest is hidden too: else the one could be worked out
    from the others and the whole. Sums over pairs can still give a group away to a patient reader;
    whoever publishes a report of a small cohort has to look at it with that in mind.
    """
    compared: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.subjects > 0:
            compared[finding.axis, finding.rule, finding.metric].append(finding)
    concealed: set[Finding] = set()
    for together in compared.values():
        by_size = sorted(together, key=fewest)
        small = sum(fewest(finding) < FEWEST_SHOWN for finding in by_size)
        concealed.update(by_size[: 2 if small == 1 else small])
    return frozenset(concealed)


def fewest(finding: Finding) -> int:
    """Return the smallest count that a finding would tell."""
    return finding.subjects if finding.events is None else min(finding.subjects, finding.events)
