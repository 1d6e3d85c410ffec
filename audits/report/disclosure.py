"""Keeps small groups from being read off the report: they are judged, but not shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from audits.judging.performance import Performance
from audits.judging.sensitivity import LabelSensitivity
from audits.measure.partitions import EVERYONE
from contracts.verdict import Finding, Verdict

FEWEST_SHOWN = 11
"""Groups below are hidden: the customary bound for published health statistics."""

FEW = f"fewer than {FEWEST_SHOWN}"

T = TypeVar("T", Finding, Performance, LabelSensitivity)


def disclosed(verdict: Verdict) -> Verdict:
    """Return a verdict without the numbers of groups that must not be shown."""
    concealed = hidden(verdict.findings)
    told = tuple(
        _without_numbers(finding) if finding in concealed else finding
        for finding in verdict.findings
    )
    return verdict.model_copy(update={"findings": told})


def disclosed_performance(rows: Iterable[Performance]) -> tuple[Performance, ...]:
    """Return performance without the numbers of groups that must not be shown."""
    every = list(rows)
    concealed = _hidden(
        every, lambda row: (row.axis, row.metric, row.milestone, row.horizon_day), _fewest
    )
    blank = {"subjects": None, "events": None, "value": None, "low": None, "high": None}
    return tuple(
        row.model_copy(update=blank) if place in concealed else row
        for place, row in enumerate(every)
    )


def disclosed_sensitivity(rows: Iterable[LabelSensitivity]) -> tuple[LabelSensitivity, ...]:
    """Return the sensitivity analysis without the groups that must not be shown."""
    every = list(rows)
    concealed = _hidden(every, lambda row: (row.axis, row.metric), _fewest)
    return tuple(row for place, row in enumerate(every) if place not in concealed)


def hidden(findings: Iterable[Finding]) -> frozenset[Finding]:
    """Return the findings whose values must not be shown.

    Those on fewer than 11 people, or on fewer than 11 events. Where that hides one group of an
    attribute only, the next smallest is hidden too: else the one could be worked out from the
    others and the whole. Sums over pairs can still give a group away to a patient reader; whoever
    publishes a report of a small cohort has to look at it with that in mind.
    """
    every = [finding for finding in findings if finding.subjects]
    concealed = _hidden(
        every, lambda told: (told.axis, told.rule, told.metric, told.horizon_day), _fewest
    )
    return frozenset(every[place] for place in concealed)


def _hidden(
    every: list[T], together: Callable[[T], Hashable], fewest: Callable[[T], int]
) -> set[int]:
    compared: dict[Hashable, list[int]] = defaultdict(list)
    for place, row in enumerate(every):
        compared[together(row)].append(place)
    concealed: set[int] = set()
    for places in compared.values():
        by_size = sorted(places, key=lambda place: fewest(every[place]))
        small = sum(fewest(every[place]) < FEWEST_SHOWN for place in by_size)
        concealed.update(by_size[: 2 if small == 1 else small])
    return concealed


def _fewest(row: Finding | Performance | LabelSensitivity) -> int:
    """Return the smallest count that a row would tell."""
    events = None if isinstance(row, LabelSensitivity) else row.events
    subjects = row.subjects or 0
    return subjects if events is None else min(subjects, events)


def _without_numbers(finding: Finding) -> Finding:
    who = EVERYONE if finding.axis == EVERYONE else f"{finding.axis}: {finding.group}"
    why = f"{FEW} people; judged, but not shown"
    if _fewest(finding) >= FEWEST_SHOWN:
        why = "not shown, so that a smaller group cannot be worked out"
    return finding.model_copy(
        update={
            "subjects": None, "events": None, "value": None, "low": None, "high": None,
            "p_value": None, "adjusted_p": None,
            "reason": f"{who}: {finding.metric}: {why}.",
        }
    )  # fmt: skip
