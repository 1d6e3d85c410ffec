"""Answers items on monitoring in use from an edition, and says what is not available."""

from __future__ import annotations

from pathlib import Path

from audits.report.crosswalk import NOT_AVAILABLE, Answer
from audits.report.monthly.content import Edition
from contracts.naming.parsing import parsed_toml

_ITEMS: dict[str, dict[str, dict[str, str]]] = parsed_toml(
    Path(__file__).with_name("crosswalk.toml").read_text("utf-8")
)
STANDARDS: dict[str, str] = {name: str(read) for name, read in _ITEMS.pop("texts").items()}
"""Each standard, and which text of it was read."""


def answers(edition: Edition, standard: str) -> list[Answer]:
    """Answer every item of a standard."""
    values = {
        "tests": len(edition.tests),
        "plan_version": edition.plan_version,
        "plan_digest": edition.plan_digest[:12],
        "policy_version": edition.policy_version,
        "policy_digest": edition.policy_digest[:12],
        "change_plan": edition.change_plan,
        "entries": ", ".join(str(each.sequence) for each in edition.done) or "none",
        "suspends_at": f"{edition.suspends_at:g}",
        "warns_at": f"{edition.warns_at:g}",
    }
    found = []
    for number, item in _ITEMS[standard].items():
        key = "plan" if edition.change_plan is not None and "plan" in item else "answer"
        is_available = key in item
        text = (
            item[key].format_map(values)
            if is_available
            else f"{NOT_AVAILABLE}: {item['not_available']}"
        )
        found.append(
            Answer(item=number, topic=item["topic"], text=text, is_available=is_available)
        )  # fmt: skip
    return found
