"""What clinicians decided about next week's dose, by group: from the record, small cells held back.

A decision is feedback on an answer that advised a dose: accepted; changed, where it names another
dose; rejected. Numbers are of decisions, rounded down to tens, and none is shown that fewer than
`MINIMUM_SHOWN` people are behind. Who asks again sees another number only when at least so many
people more or fewer are behind it (`contracts.groups.last_shown`), as of a monthly edition: what is
shown follows from all decisions in their order, and nothing needs to be kept.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from contracts.groups import EVERYONE, MINIMUM_SHOWN, last_shown, rounded_people
from serving.state.entries import Kind
from serving.state.evidence.reading import Group, Person, at_once, labels_of, output_of
from serving.state.store import Store
from serving.state.tables import entry_table
from stores.database import reading

Choice = Literal["accepted", "changed", "rejected"]
CHOICES: tuple[Choice, ...] = ("accepted", "changed", "rejected")
ADVICE = "advice"
ALL = "all"
"""Of every choice."""

SHARE_STEP = 0.05
"""To which a share is rounded: beside rounded numbers it tells nobody's decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedDose:
    """One decision about a dose that was advised.

    Parameters
    ----------
    about
        The answer that advised it: of several decisions about one, the last counts.
    person, action, choice
        About whom, what the rules advised, and what was decided.
    groups
        The person's, at the time of the answer.
    """

    about: str
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


@dataclass(slots=True)
class _Cell:
    """Decisions of a group as they are now, and as they were when the number last changed."""

    now: dict[str, DecidedDose] = field(default_factory=dict)
    by_person: Counter[Person] = field(default_factory=Counter)
    people: int = 0
    decisions: int = 0
    share: float | None = None

    def put(self, new: DecidedDose) -> None:
        """Put a decision in; an earlier one about the same answer goes."""
        self.by_person[new.person] += new.about not in self.now
        self.now[new.about] = new
        self._show()

    def remove(self, old: DecidedDose) -> None:
        """Take a decision out."""
        del self.now[old.about]
        self.by_person[old.person] -= 1
        if not self.by_person[old.person]:
            del self.by_person[old.person]
        self._show()

    def _show(self) -> None:
        people = len(self.by_person)
        if last_shown(self.people, people) != self.people:
            self.people, self.decisions = people, len(self.now)
            self.share = _share_accepted(self.now.values())

    @property
    def shown(self) -> int | None:
        """The number of decisions that is shown."""
        return None if self.people < MINIMUM_SHOWN else rounded_people(self.decisions)


def decided_doses(store: Store, tenant: str) -> list[DecidedDose]:
    """Return every decision about an answer that advised a dose, of those still on record.

    In the order in which they were made; a later one about the same answer replaces an earlier one.
    """
    with reading(store.engine) as connection:
        choices = _choices(connection, tenant)
        answers = _answers(connection, list(dict.fromkeys(about for about, _ in choices)))
    return [
        DecidedDose(about=about, person=person, action=action, choice=choice, groups=groups)
        for about, choice in choices
        if about in answers
        for person, action, groups in [answers[about]]
    ]


def by_group(decisions: Iterable[DecidedDose]) -> tuple[DecisionsOfGroup, ...]:
    """Tell decisions of everyone, by what was advised, and by group of each attribute.

    Parameters
    ----------
    decisions
        In the order in which they were made (`decided_doses`).
    """
    cells: dict[tuple[str, str, str], _Cell] = defaultdict(_Cell)
    standing: dict[str, DecidedDose] = {}
    for new in decisions:
        old = standing.get(new.about)
        standing[new.about] = new
        for place in {EVERYONE: EVERYONE, ADVICE: new.action, **new.groups}.items():
            cells[*place, ALL].put(new)
            if old is not None and old.choice != new.choice:
                cells[*place, old.choice].remove(old)
            cells[*place, new.choice].put(new)
    order = {EVERYONE: 0, ADVICE: 1}
    places = sorted({place[:2] for place in cells}, key=lambda p: (order.get(p[0], 2), *p))
    return tuple(
        DecisionsOfGroup(
            attribute=attribute,
            group=group,
            decisions=cells[attribute, group, ALL].shown,
            accepted=cells[attribute, group, "accepted"].shown,
            changed=cells[attribute, group, "changed"].shown,
            rejected=cells[attribute, group, "rejected"].shown,
            share_accepted=cells[attribute, group, ALL].share,
        )
        for attribute, group in places
    )


def _share_accepted(decisions: Collection[DecidedDose]) -> float | None:
    """Return the share that was accepted; None where those who are, or are not, in it are few."""
    accepted = [each for each in decisions if each.choice == "accepted"]
    others = [each for each in decisions if each.choice != "accepted"]
    if min(_people(accepted), _people(others)) < MINIMUM_SHOWN:
        return None
    return round(round(len(accepted) / len(decisions) / SHARE_STEP) * SHARE_STEP, 2)


def _people(decisions: Iterable[DecidedDose]) -> int:
    return len({each.person for each in decisions})


def _choices(connection: sa.Connection, tenant: str) -> list[tuple[str, Choice]]:
    """Return what was decided about answers, in order: the answer's id, and the choice."""
    entry = entry_table.c
    query = (
        sa.select(entry.details, entry.content)
        .where(entry.kind == Kind.FEEDBACK.value, entry.tenant == tenant)
        .order_by(entry.sequence)
    )
    found: list[tuple[str, Choice]] = []
    for row in connection.execute(query):
        details = json.loads(row.details)
        if details["outcome"] not in {"accepted", "overridden"}:
            continue
        changed = row.content is not None and "hours_a_week" in json.loads(row.content)
        overridden: Choice = "changed" if changed else "rejected"
        choice: Choice = "accepted" if details["outcome"] == "accepted" else overridden
        found.append((details["about"], choice))
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
