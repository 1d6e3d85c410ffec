from __future__ import annotations

import json

import pytest

from audits.ledger.audit_entries import earlier_audits
from audits.ledger.trail import AUDIT, Entry
from contracts.scope import Scope, ScopeAttribute


def audit_of(
    about: str, bundle: str, kind: str = AUDIT, scope: Scope | None = None
) -> Entry:  # fmt: skip
    details = {"bundle_digest": bundle, "scope": scope and scope.model_dump(mode="json")}
    return Entry(
        sequence=1, time="", kind=kind, about=about, actor="", previous="", hash="",
        payload=json.dumps(details),
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
    assert 1 + len(earlier_audits(entries, "arm/3", "new")) == look


def test_whom_each_audit_of_an_earlier_bundle_passed_for_is_kept_apart() -> None:
    women = ScopeAttribute(attribute="sex", inside=("female",))
    passed = Scope(attributes=(women,), share_inside=0.5)
    entries = [
        audit_of("arm/1", "a", scope=passed),
        audit_of("arm/2", "b"),
        audit_of("arm/1", "a"),
        audit_of("arm/3", "new"),
        audit_of("arm/2", "b", scope=passed),
    ]
    assert earlier_audits(entries, "arm/3", "new") == ((passed, None), (None,))
