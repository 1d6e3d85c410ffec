from __future__ import annotations

import json

import pytest

from audits.ledger.audit_entries import look_of
from audits.ledger.trail import AUDIT, Entry


def audit_of(about: str, bundle: str, kind: str = AUDIT) -> Entry:
    return Entry(
        sequence=1, time="", kind=kind, about=about, actor="", previous="", hash="",
        payload=json.dumps({"bundle_digest": bundle}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "look"),
    [
        ([], 1),
        ([audit_of("arm/1", "a"), audit_of("arm/2", "b")], 3),
        ([audit_of("arm/1", "a"), audit_of("arm/1", "a")], 2),
        ([audit_of("arm/3", "new")], 1),
        ([audit_of("arm/1", "a"), audit_of("arm/3", "new"), audit_of("arm/4", "b")], 2),
        ([audit_of("leg/1", "a"), audit_of("arm/1", "b", kind="approval")], 1),
        ([audit_of("arm/01", "a")], 2),
        ([audit_of("arm/3", "older bytes under this number")], 2),
    ],
)
def test_each_bundle_of_a_name_is_one_look(entries: list[Entry], look: int) -> None:
    assert look_of(entries, "arm/3", "new") == look
