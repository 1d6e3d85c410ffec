"""Editions as they were made first: what readers have is never made anew with other numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from contracts.errors import EvidenceMissing
from serving.state.store import Store
from serving.state.tables import edition_table
from stores.database import reading, write

Numbers = Mapping[tuple[str, ...], int]
"""From how many people the number of each cell is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An edition as it is kept: what people read, as JSON, and what its numbers are told from."""

    content: str
    numbers: Numbers


def keep(store: Store, service: str, month: str, make: Callable[[Numbers], Kept]) -> str:
    """Return the edition of a month, made and kept where there is none: one, whoever makes it.

    Parameters
    ----------
    service
        The version, and since when it is the champion (`Followed.service`).
    make
        Makes it beside the numbers of the edition before.

    Raises
    ------
    EvidenceMissing
        There is one of a later month already: its numbers would not be those of an earlier one.
    """

    def action(connection: sa.Connection) -> str:
        columns = edition_table.c
        of_service = (
            sa.select(edition_table)
            .where(columns.service == service)
            .order_by(columns.month.desc())
            .limit(1)
        )
        same = connection.execute(of_service.where(columns.month == month)).one_or_none()
        if same is not None:
            return str(same.content)
        last = connection.execute(of_service).one_or_none()
        if last is not None and last.month > month:
            raise EvidenceMissing(
                f"there is no edition of {month}, and one of {last.month} was made already",
                "editions are made in the order of their months: read that of a later month",
            )
        made = make({} if last is None else _numbers(last.cells))
        cells = json.dumps([[*cell, number] for cell, number in made.numbers.items()])
        connection.execute(
            sa.insert(edition_table).values(
                service=service, month=month, content=made.content, cells=cells
            )
        )
        return made.content

    return write(store.engine, action)


def made_before(store: Store, service: str, month: str) -> str | None:
    """Return the edition of a month as it was made first; None where there is none."""
    columns = edition_table.c
    query = sa.select(columns.content).where(columns.service == service, columns.month == month)
    with reading(store.engine) as connection:
        return connection.execute(query).scalar_one_or_none()


def _numbers(cells: str) -> Numbers:
    return {tuple(cell): number for *cell, number in json.loads(cells)}
