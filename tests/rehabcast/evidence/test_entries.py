"""What a board reads of an entry: which rules and groups, and no e-value of a single week."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audits.ledger.trail import SUSPENSION, WARNING, Entry
from rehabcast.evidence.early import EARLY
from rehabcast.evidence.entries import said_of
from rehabcast.evidence.running import OUTCOMES, WHO_COMES

RULE = {
    "rule": "signed error", "attribute": "sex", "group": "female", "milestone": None,
    "side": "too high", "e_value": 987.0,
}  # fmt: skip
EVERYONES = {**RULE, "attribute": "everyone", "group": "everyone", "milestone": "walks"}
SHIFT = {"quantity": "steps", "attribute": "site", "group": "north", "direction": "higher"}


def entry(kind: str, **details: Any) -> Entry:
    return Entry(
        sequence=1, time="2026-11-28T00:00:00+00:00", kind=kind, about="arm/1", actor="the monitor",
        payload=json.dumps(details), previous="", hash="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (
            entry(WARNING, what=OUTCOMES, evidence={"tests": [RULE]}),
            "of outcomes; signed error, sex: female: too high",
        ),
        (entry(WARNING, what=OUTCOMES, evidence={"tests": []}), "of outcomes"),
        (
            entry(WARNING, what=EARLY, evidence={"tests": [RULE], "horizon_weeks": 3}),
            "of early outcomes; signed error, sex: female: too high",
        ),
        # Of who comes, `tests` is how many there are.
        (
            entry(WARNING, what=WHO_COMES, evidence={"tests": 9, "foremost": [SHIFT]}),
            "of who comes; steps, site: north: higher",
        ),
        (
            entry(SUSPENSION, evidence={"tests": [EVERYONES, RULE]}),
            "signed error (walks), everyone: too high; signed error, sex: female: too high",
        ),
        (entry(SUSPENSION, evidence={"tests": []}), "of all tests together"),
    ],
)
def test_it_names_what_the_evidence_names(of: Entry, said: str) -> None:
    assert said_of(of) == said
