"""What clinicians decided about next week's dose, by group: from the record, small cells held back.

A decision is feedback on an answer that advised a dose: accepted; changed, where it names another
dose; rejected. Numbers are of decisions, rounded down to tens, and none is shown that fewer than
`MINIMUM_SHOWN` people are behind.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from contracts.groups import MINIMUM_SHOWN, rounded_people
from serving.state.entries import Kind
from serving.state.evidence.reading import Group, Person, at_once, labels_of, output_of
from serving.state.store import Store
from serving.state.tables import entry_table
from stores.database import reading

Choice = Literal["accepted", "changed", "rejected"]
CHOICES: tuple[Choice, ...] = ("accepted", "changed", "rejected")
EVERYBODY, ADVICE = "everybody", "advice"
SHARE_STEP = 0.05
"""To which a share is rounded: beside rounded numbers it tells nobody's decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedDose:
    """One decision about a dose that was advised.

    Parameters
    ----------
    person, action, choice
        About whom, what the rules advised, and what was decided.
    groups
        The person's, at the time of the answer.
    """

    person: Person
    action: str
    choice: Choice
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionsOfGroup:
    """How often advice to people of a group was accepted, changed and rejected.

    Parameters
    ----------
    attribute, group
        Which group; of `ADVICE`, what was advised.
    decisions, accepted, changed, rejected
        Rounded down to tens; None where fewer than `MINIMUM_SHOWN` people are behind it.
    share_accepted
        Rounded to `SHARE_STEP`; None where those who are, or are not, in it are few people.
    """

    attribute: str
    group: str
    decisions: int | None
    accepted: int | None
    changed: int | None
    rejected: int | None
    share_accepted: float | None


def decided_doses(store: Store, tenant: str) -> list[DecidedDose]:
    """Return the last decision about each answer that advised a dose, of those still on record."""
    with reading(store.engine) as connection:
        choices = _choices(connection, tenant)
        answers = _answers(connection, list(choices))
    return [
        DecidedDose(person=person, action=action, choice=choices[about], groups=groups)
        for about, (person, action, groups) in answers.items()
    ]


def by_group(decisions: Sequence[DecidedDose]) -> tuple[DecisionsOfGroup, ...]:
    """Tell decisions of everybody, by what was advised, and by group of each attribute."""
    cells: dict[tuple[str, str], list[DecidedDose]] = defaultdict(list)
    for each in decisions:
        its_groups = {EVERYBODY: EVERYBODY, ADVICE: each.action, **each.groups}
        for place in its_groups.items():
            cells[place].append(each)
    order = {EVERYBODY: 0, ADVICE: 1}
    places = sorted(cells, key=lambda place: (order.get(place[0], 2), *place))
    return tuple(_of_group(*place, cells[place]) for place in places)


def _of_group(attribute: str, group: str, decisions: Sequence[DecidedDose]) -> DecisionsOfGroup:
    chosen = {name: [each for each in decisions if each.choice == name] for name in CHOICES}
    others = [each for each in decisions if each.choice != "accepted"]
    share = None
    if not (_are_few(chosen["accepted"]) or _are_few(others)):
        steps = round(len(chosen["accepted"]) / len(decisions) / SHARE_STEP)
        share = round(steps * SHARE_STEP, 2)
    return DecisionsOfGroup(
        attribute=attribute,
        group=group,
        decisions=_shown(decisions),
        accepted=_shown(chosen["accepted"]),
        changed=_shown(chosen["changed"]),
        rejected=_shown(chosen["rejected"]),
        share_accepted=share,
    )


def _are_few(decisions: Iterable[DecidedDose]) -> bool:
    return len({each.person for each in decisions}) < MINIMUM_SHOWN


def _shown(decisions: Sequence[DecidedDose]) -> int | None:
    return None if _are_few(decisions) else rounded_people(len(decisions))


def _choices(connection: sa.Connection, tenant: str) -> dict[str, Choice]:
    """Return what was decided last about each answer, by its id."""
    entry = entry_table.c
    query = (
        sa.select(entry.details, entry.content)
        .where(entry.kind == Kind.FEEDBACK.value, entry.tenant == tenant)
        .order_by(entry.sequence)
    )
    found: dict[str, Choice] = {}
    for row in connection.execute(query):
        details = json.loads(row.details)
        if details["outcome"] not in {"accepted", "overridden"}:
            continue
        changed = row.content is not None and "hours_a_week" in json.loads(row.content)
        overridden: Choice = "changed" if changed else "rejected"
        found[details["about"]] = "accepted" if details["outcome"] == "accepted" else overridden
    return found


class _NextWeek(msgspec.Struct):
    status: str
    action: str = ""


class _WhatIf(msgspec.Struct):
    next_week: _NextWeek | None = None


class _Answer(msgspec.Struct):
    """The part of an answer that says what was advised, and to people of which groups."""

    what_if: _WhatIf | None = None
    groups: list[Group] = []


_answer = msgspec.json.Decoder(_Answer)


def _answers(
    connection: sa.Connection, ids: Sequence[str]
) -> dict[str, tuple[Person, str, dict[str, str]]]:
    """Return person, advice and groups of the answers that advised a dose, by id."""
    entry = entry_table.c
    found: dict[str, Any] = {}
    for some in at_once(ids):
        query = sa.select(entry.id, entry.tenant, entry.subject, entry.content).where(
            entry.kind == Kind.FORECAST.value,
            entry.id.in_(some),
            entry.subject.is_not(None),
            entry.content.is_not(None),
        )
        for row in connection.execute(query):
            try:
                answer = _answer.decode(output_of(row.content))
            except msgspec.DecodeError:
                # Of another route, such as a Bundle: it is no answer with a dose.
                continue
            advised = None if answer.what_if is None else answer.what_if.next_week
            if advised is not None and advised.status == "advice":
                found[row.id] = (
                    (row.tenant, row.subject), advised.action, labels_of(answer.groups)
                )  # fmt: skip
    return found
