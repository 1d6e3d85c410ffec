"""Groups that outcomes have taken out of the scope of a version in service.

A restriction is a change of the champion that leaves everything as it was but whom it is served to.
It lasts until a new audit of the version, or another version, is promoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audits.ledger.trail import (
    CHAMPION_CHANGES,
    ENDS,
    PROMOTION,
    RESTORE,
    RESTRICTION,
    ROLLBACK,
    Entry,
)
from contracts.errors import IntegrityError
from contracts.scope import OutsideGroup, Scope

MAY_CHANGE = ("epoch", "sequence")
"""What of a champion a restriction changes."""

SINCE = "by the outcomes since it came into service"
"""Says of a rule that it was broken in service, and not in an audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restricted:
    """A group that a version is no longer served to, and the rules that it was seen to break."""

    attribute: str
    label: str
    rules: tuple[str, ...]


def restricted_in(entry: Entry) -> tuple[Restricted, ...]:
    """Return the groups that an entry restricts."""
    return tuple(
        Restricted(
            attribute=each["attribute"], label=each["label"], rules=tuple(each["rules"])
        )
        for each in entry.details()["restricted"]
    )  # fmt: skip


def restrictions(stored: Iterable[Entry]) -> dict[int, tuple[Restricted, ...]]:
    """Return the groups out of scope by each restriction, with those before, by entry."""
    in_force: dict[str, tuple[Restricted, ...]] = {}
    found: dict[int, tuple[Restricted, ...]] = {}
    for entry in stored:
        if entry.kind in {PROMOTION, ROLLBACK, *ENDS}:
            in_force.pop(entry.details()["champion"]["model"], None)
        elif entry.kind == RESTRICTION:
            model = entry.details()["champion"]["model"]
            in_force[model] = (*in_force.get(model, ()), *restricted_in(entry))
            found[entry.sequence] = in_force[model]
    return found


def restricted_scope(scope: Scope | None, groups: Sequence[Restricted]) -> Scope | None:
    """Return a scope without some groups; None where there is no scope, which nothing narrows."""
    if scope is None or not groups:
        return scope
    attributes = []
    for attribute in scope.attributes:
        out = {each.label: each for each in groups if each.attribute == attribute.attribute}
        more = tuple(
            OutsideGroup(label=label, rules=tuple(f"{rule}, {SINCE}" for rule in each.rules))
            for label, each in out.items()
        )
        attributes.append(
            attribute.model_copy(
                update={
                    "inside": tuple(label for label in attribute.inside if label not in out),
                    "outside": (*attribute.outside, *more),
                }
            )
        )
    return scope.model_copy(update={"attributes": tuple(attributes)})


def check_restrictions(stored: Iterable[Entry]) -> None:
    """Check that each restriction changes nothing but whom the champion before is served to.

    Raises
    ------
    IntegrityError
        There was no champion, it was withdrawn, or something else was changed.
    """
    champions: dict[str, Mapping[str, Any]] = {}
    for entry in stored:
        if entry.kind in CHAMPION_CHANGES:
            champion = entry.details()["champion"]
            if entry.kind == RESTRICTION:
                _check(entry, champion, champions.get(champion["model"], {}))
            champions[champion["model"]] = champion


def _check(entry: Entry, champion: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    kept = {name: value for name, value in champion.items() if name not in MAY_CHANGE}
    was = {name: value for name, value in before.items() if name not in MAY_CHANGE}
    if kept != was or champion["revoked"] is not None or not restricted_in(entry):
        raise IntegrityError(
            f"ledger: the restriction of entry {entry.sequence} is of no version in service, or"
            " changes more than its scope",
            RESTORE,
        )
