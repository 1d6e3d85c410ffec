from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audits.ledger.ledger import Ledger
from audits.ledger.mirror import find_drift, mirror_aliases
from audits.ledger.records import Role
from contracts.verdict import Verdict

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
VerdictOf = Callable[..., Verdict]


class Aliases:
    """An alias store in memory, which can be away, and lets others act while it is asked."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}
        self.away = False
        self.can_be_written = True
        self.meanwhile: Callable[[], Any] | None = None

    def version(self, model: str) -> str | None:
        self._reach()
        return self.shown.get(model)

    def set_version(self, model: str, version: str | None) -> None:
        self._reach()
        if not self.can_be_written:
            raise ConnectionError("the store is read-only")
        if version is None:
            self.shown.pop(model, None)
        else:
            self.shown[model] = version

    def _reach(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if self.away:
            raise ConnectionError("the store is away")


@pytest.fixture
def aliases() -> Aliases:
    return Aliases()


def promote(ledger: Ledger, verdict: Verdict) -> None:
    until = NOW + timedelta(days=9)
    audit = ledger.record_audit(verdict, "e" * 64, actor="ann", now=NOW, valid_until=until)
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        ledger.approve(audit, role, person=person, reason="Read and discussed.", now=NOW)
    seen = ledger.epoch(verdict.model_version.rpartition("/")[0])
    ledger.promote(audit, seen_epoch=seen, actor="bob", now=NOW)


def mirrored(ledger: Ledger, aliases: Aliases) -> int:
    return len(mirror_aliases(ledger, aliases, actor="bob", now=NOW))


def test_a_promotion_shows_in_the_alias_and_is_no_drift(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    promote(ledger, verdict_of())
    assert find_drift(ledger, aliases) == []  # Not yet sent is not moved by hand.
    assert mirrored(ledger, aliases) == 0
    assert aliases.shown == {"arm": "3"}
    length = ledger.verify().length
    assert mirrored(ledger, aliases) == 0
    assert ledger.verify().length == length


def test_what_could_not_be_sent_is_sent_later(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    promote(ledger, verdict_of())
    aliases.away = True
    with pytest.raises(ConnectionError):
        mirrored(ledger, aliases)
    promote(ledger, verdict_of(model_version="arm/4"))
    aliases.away = False
    assert mirrored(ledger, aliases) == 0
    assert aliases.shown == {"arm": "4"}


@pytest.mark.parametrize("moved", ["9", None])
def test_a_move_by_hand_is_told_noted_and_set_right(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf, moved: str | None
) -> None:
    promote(ledger, verdict_of())
    mirrored(ledger, aliases)
    aliases.set_version("arm", moved)
    (drift,) = find_drift(ledger, aliases)
    assert (drift.model, drift.found, drift.expected) == ("arm", moved, "3")
    assert aliases.shown.get("arm") == moved  # Looking changes nothing.
    assert mirror_aliases(ledger, aliases, actor="bob", now=NOW) == [drift]
    assert aliases.shown == {"arm": "3"}
    entry = ledger.trail()[-1]
    assert (entry.kind, entry.details()["found"]) == ("drift", moved)
    assert ledger.champion("arm").version == "3"
    ledger.verify()


def test_a_revoked_champion_is_shown_by_no_alias(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    promote(ledger, verdict_of())
    mirrored(ledger, aliases)
    ledger.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)
    assert mirrored(ledger, aliases) == 0
    assert aliases.shown == {}


def test_the_ledger_can_be_written_while_the_store_does_not_answer(
    ledger: Ledger, ledger_url: str, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    promote(ledger, verdict_of())
    other = Ledger(ledger_url)

    def revoke() -> None:
        other.revoke("arm", actor="gus", reason="Wrong units on ward 3.", now=NOW)

    for ask in (lambda: find_drift(ledger, aliases), lambda: mirrored(ledger, aliases)):
        aliases.meanwhile = revoke
        assert not ask()
        assert ledger.champion("arm").revoked is not None
        promote(ledger, verdict_of(model_version="arm/4"))
    other.close()


def test_an_older_update_that_comes_late_is_followed_by_the_newer_and_is_no_drift(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    """Two processes mirror: the one with the older champion writes last."""
    promote(ledger, verdict_of())

    class Late(Aliases):
        def set_version(self, model: str, version: str | None) -> None:
            super().set_version(model, version)
            aliases.set_version(model, version)

        def version(self, model: str) -> str | None:
            return aliases.version(model)

    def overtaken() -> None:
        promote(ledger, verdict_of(model_version="arm/4"))
        assert mirrored(ledger, aliases) == 0
        assert aliases.shown == {"arm": "4"}

    late = Late()
    late.meanwhile = overtaken  # Between its reading and its writing.
    assert mirrored(ledger, late) == 0
    assert aliases.shown == {"arm": "4"}
    assert mirrored(ledger, aliases) == 0
    assert "drift" not in {entry.kind for entry in ledger.trail()}


def test_a_drift_that_cannot_be_set_right_is_recorded_once_and_set_right_later(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    promote(ledger, verdict_of())
    mirrored(ledger, aliases)
    aliases.set_version("arm", "9")
    aliases.can_be_written = False
    for _ in range(3):
        with pytest.raises(ConnectionError):
            mirrored(ledger, aliases)
    aliases.can_be_written = True
    mirrored(ledger, aliases)
    assert aliases.shown == {"arm": "3"}
    assert [entry.kind for entry in ledger.trail()].count("drift") == 1


def test_two_that_see_one_drift_record_it_once(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    promote(ledger, verdict_of())
    mirrored(ledger, aliases)
    aliases.set_version("arm", "9")
    aliases.meanwhile = lambda: mirrored(ledger, aliases)
    mirrored(ledger, aliases)
    assert [entry.kind for entry in ledger.trail()].count("drift") == 1


def test_a_model_that_cannot_be_mirrored_keeps_no_other_from_it(
    ledger: Ledger, aliases: Aliases, verdict_of: VerdictOf
) -> None:
    promote(ledger, verdict_of())
    promote(ledger, verdict_of(model_version="leg/1"))

    class WithoutArm(Aliases):
        def set_version(self, model: str, version: str | None) -> None:
            if model == "arm":
                raise ConnectionError("deleted")
            super().set_version(model, version)

    partly = WithoutArm()
    with pytest.raises(ConnectionError):
        mirrored(ledger, partly)
    assert partly.shown == {"leg": "1"}
    aliases.shown = partly.shown
    assert mirrored(ledger, aliases) == 0
    assert aliases.shown == {"arm": "3", "leg": "1"}
