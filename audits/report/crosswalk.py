"""Answers the items of reporting standards from a report, and says what is not available."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audits.changes.plan import Who
from audits.changes.wording import criterion_in_words
from audits.judging.validation import CHECK
from audits.judging.wording import group_in_words
from audits.measure.groups import EVERYONE
from audits.report.content import Report, trained_on
from audits.report.further import external, known_people
from contracts.naming.parsing import parsed_toml

_ITEMS: dict[str, dict[str, dict[str, str]]] = parsed_toml(
    Path(__file__).with_name("crosswalk.toml").read_text("utf-8")
)
TEXTS: dict[str, Any] = _ITEMS.pop("texts")
"""Which text of each standard was read, and when."""
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
    read
        Which text of the item was read, where it is another than that of the whole standard.
    """

    item: str
    topic: str
    text: str
    is_available: bool
    read: str | None = None


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
    known = {"external": report.verdict.external, "plan": report.plan}
    better = [name for name, evidence in known.items() if evidence is not None]

    def key_of(item: dict[str, str]) -> str:
        return next((name for name in better if name in item), "answer")

    return [
        Answer(item=number, topic=item["topic"], text=f"{NOT_AVAILABLE}: {item['not_available']}",
               is_available=False, read=item.get("read"))
        if "not_available" in item and key_of(item) not in item
        else Answer(item=number, topic=item["topic"],
                    text=item.get(key_of(item), "").format_map(values),
                    is_available=item.get("fact") not in missing, read=item.get("read"))
        for number, item in _ITEMS[standard].items()
    ]  # fmt: skip


def _plan(report: Report) -> dict[str, Any]:
    """Return what is stated of the change plan; nothing where there is none."""
    plan = report.plan
    if plan is None:
        return {}
    by_group = [c for c in plan.criteria if c.who is Who.EACH_GROUP]
    return {
        "plan_digest": plan.digest[:12],
        "plan_version": plan.version,
        "plan_changes": "; ".join(
            f"{change.kind}: {change.description}" for change in plan.changes
        ),
        "plan_tests": "; ".join(f"{change.kind}: {change.test}" for change in plan.changes),
        "plan_impact": "; ".join(
            (*(f"{change.kind}: {change.impact}" for change in plan.changes), plan.impact_together)
        ),
        "plan_retrain": " ".join(plan.retrain_when.conditions),
        "plan_rollback": " ".join((*plan.rollback.conditions, plan.rollback.how)),
        "plan_criteria": "; ".join(map(criterion_in_words, plan.criteria)),
        "plan_by_group": f"{len(by_group)} of {len(plan.criteria)} criteria are by group",
    }


def _external(report: Report) -> dict[str, Any]:
    """Return what is stated of an external cohort; nothing where there is none."""
    found = report.verdict.external
    if found is None:
        return {}
    findings = external(report.verdict.findings)
    rules = [f for f in findings if f.metric != CHECK]
    on_groups = [f for f in rules if f.axis != EVERYONE]
    groups = dict.fromkeys(group_in_words(f.axis, f.group) for f in on_groups)
    counts = Counter(str(f.outcome) for f in on_groups)
    return {
        "external_cohort": found.cohort_name + (" (SIMULATED)" if found.simulated else ""),
        "external_data": found.data_digest[:12],
        "external_known": known_people(found),
        "external_made_by": found.made_by,
        "external_made_at": found.made_at[:10],
        "external_digest": found.predictions_digest,
        "external_groups": "; ".join(groups) or "none",
        "external_overall": " ".join(f.reason for f in rules if f.axis == EVERYONE),
        "external_fairness": "findings on groups: "
        + (", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "none"),
    }


def _values(report: Report) -> dict[str, Any]:
    facts = report.facts
    return {
        **_external(report),
        **_plan(report),
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
        "subjects": trained_on(facts),
        "comparators": ", ".join(report.comparators) or "none",
        "version": report.verdict.model_version,
        "created": facts.created,
        "outcome": report.verdict.outcome,
        "policy": report.policy.version,
        "valid": report.valid_until[:10],
        "seed": facts.seed,
    }
