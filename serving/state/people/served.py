"""Who was served what, and what became of it: counts of people, read from the record."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from contracts.groups import attributes_of_person, bands_of
from contracts.task import Sensitive, Task
from contracts.vocabulary import NOT_RECORDED
from serving.state.entries import Kind
from serving.state.tables import NO_DAY, entry_table, observation_table
from stores.database import reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Forecasts and refusals of one version that one caller was given by one route.

    Parameters
    ----------
    people
        How many different people they were about, as far as they were named and not erased.
    first, last
        Dates (UTC).
    """

    model_version: str
    route: str
    actor: str
    people: int
    first: str
    last: str


def served(engine: sa.Engine, tenant: str) -> list[Served]:
    """Return who was served what of a tenant's patients, the latest first."""
    entry = entry_table.c
    query = (
        sa.select(
            entry.details, entry.actor,
            sa.func.count(sa.distinct(entry.subject)).label("people"),
            sa.func.min(entry.time).label("first"), sa.func.max(entry.time).label("last"),
        )
        .where(entry.tenant == tenant, entry.kind == Kind.FORECAST.value)
        .group_by(entry.details, entry.actor)
        .order_by(sa.desc("last"))
    )  # fmt: skip
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [
        Served(
            model_version=details["model_version"], route=details["route"], actor=row.actor,
            people=row.people, first=row.first[:10], last=row.last[:10],
        )
        for row in rows
        for details in [json.loads(row.details)]
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFeedback:
    """What clinicians made of forecasts about the people of one group.

    Parameters
    ----------
    attribute, label
        Which group, as the audit calls it.
    people
        How many had feedback.
    by_outcome
        How many had feedback of each outcome.
    """

    attribute: str
    label: str
    people: int
    by_outcome: Mapping[str, int]


def feedback_by_group(engine: sa.Engine, tenant: str, tasks: Sequence[Task]) -> list[GroupFeedback]:
    """Return feedback by the groups of people that models are audited by."""
    entry = entry_table.c
    with reading(engine) as connection:
        given = connection.execute(
            sa.select(entry.subject, entry.details)
            .where(
                entry.tenant == tenant,
                entry.kind == Kind.FEEDBACK.value,
                entry.subject.is_not(None),
            )
            .distinct()
        ).all()
        facts = connection.execute(
            sa.select(observation_table).where(
                observation_table.c.tenant == tenant, observation_table.c.day == NO_DAY
            )
        ).all()
    said: dict[str, set[str]] = defaultdict(set)
    for row in given:
        said[row.subject].add(json.loads(row.details)["outcome"])
    known = {(row.subject, row.code): (row.value, row.label) for row in facts}
    groups: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for attribute in _attributes(tasks):
        for subject, outcomes in said.items():
            label = _group(attribute, known.get((subject, attribute.code)))
            groups[attribute.name, label].append(outcomes)
    return [
        GroupFeedback(
            attribute=attribute, label=label, people=len(people),
            by_outcome={
                outcome: sum(outcome in each for each in people)
                for outcome in sorted(set().union(*people))
            },
        )
        for (attribute, label), people in sorted(groups.items())
    ]  # fmt: skip


def _attributes(tasks: Sequence[Task]) -> list[Sensitive]:
    """Return what the audits of some tasks compare people by, each name once."""
    found = {
        attribute.name: attribute
        for task in tasks
        for attribute in task.sensitive
        if attribute.name in attributes_of_person(task)
    }
    return list(found.values())


def _group(attribute: Sensitive, fact: tuple[float | None, str | None] | None) -> str:
    value, label = fact or (None, None)
    bands = bands_of(attribute)
    if bands is None:
        return label or NOT_RECORDED
    return str(bands.label(np.array([np.nan if value is None else value]))[0])
