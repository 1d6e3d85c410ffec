"""Names a field that a request has and its route does not take, and never what else was sent.

A name that a caller made up may be a patient's. Only one within `MOST_EDITS` characters of a long
name that we gave is repeated; of any other, its place among the fields of its object is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from msgspec import inspect

MOST_EDITS = 2
SHORTEST_REPEATED = 6
"""Characters of the name that we gave: `Cole` is one edit from `code`, and is somebody's name."""

MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that is not known.

    Parameters
    ----------
    where
        Path of its object: our names and positions in lists.
    position
        Of the field in its object, from 1.
    name, nearest
        As sent, escaped, and the name that it resembles; empty where it may not be repeated, and
        where it resembles none.
    known
        What the object may have.
    """

    where: str
    position: int
    name: str
    nearest: str
    known: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Say which field it is."""
        field = f"field `{self.name}`" if self.name else f"field {self.position}"
        nearest = f", perhaps for `{self.nearest}`" if self.nearest else ""
        return f"{field} of the object at `{self.where}` is not known{nearest}"

    @property
    def what_to_do(self) -> str:
        """Say what may be sent."""
        return f"send only {', '.join(f'`{name}`' for name in self.known)}; see /openapi.json"


def unknown_field(kind: Any, value: Any) -> UnknownField | None:
    """Return the first field of a decoded JSON value that its type does not take; None if all are.

    Parameters
    ----------
    kind
        Type that the value should have had.
    """
    return _first(_described(kind), value, "$")


@cache
def _described(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _first(kind: inspect.Type, value: Any, where: str) -> UnknownField | None:
    match kind:
        case inspect.Metadata():
            return _first(kind.type, value, where)
        case inspect.UnionType():
            parts = [(each, value, where) for each in kind.types]
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            parts = [(kind.item_type, item, f"{where}[{k}]") for k, item in enumerate(value)]
        case inspect.StructType() if isinstance(value, dict):
            fields = {field.encode_name: field.type for field in kind.fields}
            if kind.forbid_unknown_fields:
                for position, name in enumerate(value, 1):
                    if name not in fields:
                        return _not_known(name, position, where, tuple(fields))
            parts = [
                (fields[name], item, f"{where}.{name}")
                for name, item in value.items()
                if name in fields
            ]
        case _:
            # Below a map there would be the caller's own keys, and nothing that is not known.
            parts = []
    return next((found for part in parts if (found := _first(*part)) is not None), None)


def _not_known(name: str, position: int, where: str, known: tuple[str, ...]) -> UnknownField:
    def edits(ours: str) -> int:
        return _edits(_plain(name), _plain(ours))

    nearest = min(known, key=edits, default="")
    if edits(nearest) > min(MOST_EDITS, len(_plain(nearest)) // 3):
        return UnknownField(where, position, "", "", known)
    may_repeat = len(_plain(nearest)) >= SHORTEST_REPEATED and len(name) <= MOST_SHOWN
    shown = ascii(name)[1:-1].replace("`", "'") if may_repeat else ""
    return UnknownField(where, position, shown, nearest, known)


def _plain(name: str) -> str:
    """Return a name without what differs between styles: `onsetDate` is `onset_date`."""
    return name.lower().replace("_", "").replace("-", "")


def _edits(one: str, other: str) -> int:
    """Return how many characters must be changed (Levenshtein 1966); beyond the limit a bound."""
    if abs(len(one) - len(other)) > MOST_EDITS:
        return MOST_EDITS + abs(len(one) - len(other))
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]
