"""Answers the items of reporting standards from a report, and says what is not available."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits.report.content import Report

_ITEMS: dict[str, dict[str, dict[str, str]]] = tomllib.loads(
    Path(__file__).with_name("crosswalk.toml").read_text("utf-8")
)
STANDARDS = tuple(_ITEMS)

NOT_AVAILABLE = "not available"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One item of a standard.

    Parameters
    ----------
    item, topic
        Its number, and what it asks, in our words.
    text
        The answer, or why there is none.
    is_available
        False where the report has no answer.
    """

    item: str
    topic: str
    text: str
    is_available: bool


def answers(report: Report, standard: str) -> list[Answer]:
    """Answer every item of a standard."""
    stated = {
        "developer": report.facts.developer,
        "contact": report.facts.contact,
        "funding": report.facts.funding,
    }
    missing = {name for name, value in stated.items() if not value}
    not_stated = f"{NOT_AVAILABLE}: not stated for this installation"
    values = _values(report) | {name: value or not_stated for name, value in stated.items()}
    return [
        Answer(item=number, topic=item["topic"], text=f"{NOT_AVAILABLE}: {item['not_available']}",
               is_available=False)
        if "not_available" in item
        else Answer(item=number, topic=item["topic"], text=item["answer"].format_map(values),
                    is_available=item.get("fact") not in missing)
        for number, item in _ITEMS[standard].items()
    ]  # fmt: skip


def _values(report: Report) -> dict[str, Any]:
    facts = report.facts
    return {
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
