"""Answers the items of reporting standards from a report, and says what is not available."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits.report.content import Report

_ITEMS: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("crosswalk.toml").read_text("utf-8")
)
STANDARDS = tuple(_ITEMS)

NOT_AVAILABLE = "not available"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One item of a standard: its number, what it asks (in our words), and the answer."""

    item: str
    topic: str
    answer: str


def answers(report: Report, standard: str) -> list[Answer]:
    """Answer every item of a standard."""
    known = _known(report)
    return [
        Answer(item=item, topic=topic, answer=answer.format_map(known))
        for item, (topic, answer) in _ITEMS[standard].items()
    ]


def _known(report: Report) -> dict[str, Any]:
    facts = report.facts

    def told(value: str | None) -> str:
        return value or f"{NOT_AVAILABLE}: not stated for this installation"

    return {
        "developer": told(facts.developer),
        "contact": told(facts.contact),
        "funding": told(facts.funding),
        "family": facts.family,
        "condition": facts.condition,
        "target": facts.target,
        "low": f"{facts.target_low:g}",
        "high": f"{facts.target_high:g}",
        "weeks": ", ".join(str(week) for week in facts.horizon_weeks),
        "milestones": ", ".join(facts.milestones) or "none",
        "inputs": ", ".join(facts.inputs),
        "attributes": "; ".join(f"{k} ({v})" for k, v in facts.audited_attributes.items()),
        "cohort": facts.cohort_name + (" (SIMULATED)" if facts.simulated else ""),
        "people": report.people,
        "subjects": facts.subjects,
        "comparators": ", ".join(report.comparators) or "none",
        "version": report.verdict.model_version,
        "created": facts.created,
        "outcome": report.verdict.outcome,
        "policy": report.policy.version,
        "valid": report.valid_until[:10],
        "seed": facts.seed,
    }
