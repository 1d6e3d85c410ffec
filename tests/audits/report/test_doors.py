"""Every file of a small audit, read for numbers of fewer than 11 people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.groups import is_few

COUNTS = {"subjects", "events", "people", "forecasts", "overlap", "new"}
"""Fields of `report.json` that count people, or rows of them."""
COUNTED = re.compile(
    r"\bn = (\d+)|\b(\d+) (?:(?:more|new|other|of these) )?(?:people|persons|subjects|events)\b"
)
"""How a text counts people."""
ABOUT_THE_RULE = re.compile(
    r"(?:fewer|less) than (?:the )?\d+ people|from \d+ people|the \d+ needed"
    r"|at least \d+ people(?:, \d+ events)?"
)


def counts(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Yield every number of people in a record."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from counts(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from counts(part, name)
    elif name in COUNTS and value is not None:
        yield name, int(value)


def told(text: str) -> list[int]:
    """Return the numbers of people that a text gives."""
    plain = ABOUT_THE_RULE.sub("", " ".join(re.sub(r"<[^>]+>", " ", text).split()))
    return [int(next(filter(None, found.groups()))) for found in COUNTED.finditer(plain)]


def test_no_file_of_an_audit_counts_fewer_than_eleven_people(editions: Path) -> None:
    """Seven people are a group of their own in this audit of ninety."""
    record = json.loads((editions / "report.json").read_text("utf-8"))
    numbers = list(counts(record))
    assert ("people", 90) in numbers
    assert [each for each in numbers if is_few(each[1])] == []
    shown = [row for row in record["performance"] if row["value"] is not None]
    # Of questions there are shares in whole per cent, and no counts.
    assert all(row["subjects"] >= 11 for row in shown if row["subjects"] is not None)
    texts = [p for p in editions.iterdir() if p.suffix in {".html", ".xml", ".json", ".svg"}]
    assert {p.suffix for p in texts} >= {".html", ".xml", ".json"}
    for path in texts:
        assert [n for n in told(path.read_text("utf-8")) if is_few(n)] == [], path.name


def test_the_reader_of_this_test_sees_a_count_where_there_is_one() -> None:
    assert told("sex: other (n = 7): <b>4</b> more people; fewer than 11 people") == [7, 4]
    assert list(counts({"a": [{"events": 3, "value": 2}], "people": None})) == [("events", 3)]


def test_the_stricter_policy_is_a_section_beside_the_verdict_of_the_board(editions: Path) -> None:
    for edition in ("governance.html", "technical.html"):
        text = (editions / edition).read_text("utf-8")
        assert "What a stricter policy would have said" in text
        assert "The verdict is that of the board" in text
    record = json.loads((editions / "report.json").read_text("utf-8"))
    (error,) = (r for r in record["stricter"] if r["rule"] == "no group forecast less accurately")
    hidden = {(r["axis"], r["group"]) for r in record["performance"] if r["value"] is None}
    listed = {(f["axis"], f["group"]) for f in error["findings"]}
    assert not listed & {(axis, group) for axis, group in hidden if group == "not recorded"}
