"""The TOML file of plans that `rehabcast whatif` asks about, and what is wrong with one, as facts.

The decoder tells what is wrong in a sentence of its own only, which another version of it may word
in another way: what is wrong is found again, by the same types.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from contracts.declarations import read_toml
from contracts.errors import ContractError

if TYPE_CHECKING:
    from serving.whatif import PlansFile

Place = tuple[str | int, ...]

HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt,
}  # fmt: skip

ADVICE = "correct the file; docs/twin.md has a complete one"


class Kind(StrEnum):
    """What stands in a file, as people say it."""

    NUMBER = "a number"
    WHOLE = "a whole number"
    YES_OR_NO = "true or false"
    TEXT = "text"
    LIST = "a list"
    TABLE = "a table"
    TIME = "a date or time"


class Fault(StrEnum):
    """What is wrong at a place."""

    UNKNOWN_NAME = "unknown name"
    MISSING_NAME = "missing name"
    OTHER_KIND = "other kind"
    BEYOND_LIMIT = "beyond a limit"
    UNKNOWN_WORD = "unknown word"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """The first thing in a file that its type does not take.

    Parameters
    ----------
    place
        Names, and places in lists; of a name that is unknown or missing, of its table.
    of_name
        Whether it is a name in the table there that is wrong, and not what stands under it.
    wanted, instead
        Of another kind, or beyond a limit: what it must be, and what it is.
    limit
        Such as `<= 10` or `of length <= 2`.
    name
        That is unknown or missing; or the unknown word.
    """

    fault: Fault
    place: Place
    of_name: bool = False
    wanted: Kind | None = None
    instead: Kind | None = None
    limit: str = ""
    name: str = ""


def read_plans(path: Path) -> PlansFile:
    """Read a file of plans.

    Raises
    ------
    ContractError
        It can't be read, is not TOML, holds what it must not, or asks nothing.
    """
    from serving.whatif import PlansFile

    content = read_toml(path, "a file of plans", ADVICE)
    try:
        asked = msgspec.convert(content, PlansFile)
    except msgspec.ValidationError:
        mistake = first_mistake(inspect.type_info(PlansFile), content)
        said = "is not a file of plans" if mistake is None else in_words(mistake)
        raise ContractError(f"{path}: {said}", ADVICE) from None
    if not asked.plans and asked.search is None and asked.last_weeks is None:
        raise ContractError(f"{path}: asks nothing: no plans, no search, no last_weeks", ADVICE)
    return asked


def first_mistake(wanted: inspect.Type, value: Any, place: Place = ()) -> Mistake | None:
    """Return the first thing in what a TOML file holds that a type does not take; None if none is.

    Of a union it asks the first type only, beside which there is nothing but null.
    """
    match wanted:
        case inspect.Metadata():
            return first_mistake(wanted.type, value, place)
        case inspect.UnionType():
            return first_mistake(wanted.types[0], value, place)
        case inspect.StructType() if isinstance(value, dict):
            return _in_table(wanted, value, place)
        case inspect.LiteralType() if isinstance(value, str):
            if value in wanted.values:
                return None
            return Mistake(fault=Fault.UNKNOWN_WORD, place=place, name=value)
    kind = _wanted(wanted)
    instead = _kind_of(value)
    if instead is not kind and (kind, instead) != (Kind.NUMBER, Kind.WHOLE):
        return Mistake(fault=Fault.OTHER_KIND, place=place, wanted=kind, instead=instead)
    if limit := _limit_broken(wanted, value):
        return Mistake(fault=Fault.BEYOND_LIMIT, place=place, wanted=kind, limit=limit)
    match wanted:
        case inspect.ListType():
            parts = [(wanted.item_type, item, (*place, at)) for at, item in enumerate(value)]
            return _first(first_mistake(*part) for part in parts)
        case inspect.DictType():
            return _first(_of_entry(wanted, name, item, place) for name, item in value.items())
    return None


def _in_table(
    wanted: inspect.StructType, value: dict[str, Any], place: Place
) -> Mistake | None:  # fmt: skip
    fields = {field.encode_name: field for field in wanted.fields}
    for name, item in value.items():
        if name not in fields:
            return Mistake(fault=Fault.UNKNOWN_NAME, place=place, name=name)
        if found := first_mistake(fields[name].type, item, (*place, name)):
            return found
    missing = [name for name, field in fields.items() if field.required and name not in value]
    if missing:
        return Mistake(fault=Fault.MISSING_NAME, place=place, name=missing[0])
    return None


def _of_entry(wanted: inspect.DictType, name: str, item: Any, place: Place) -> Mistake | None:
    if limit := _limit_broken(wanted.key_type, name):
        return Mistake(
            fault=Fault.BEYOND_LIMIT, place=place, of_name=True, wanted=Kind.TEXT, limit=limit
        )
    return first_mistake(wanted.value_type, item, (*place, name))


def _first(found: Iterable[Mistake | None]) -> Mistake | None:
    return next((each for each in found if each is not None), None)


def _wanted(wanted: inspect.Type) -> Kind:
    match wanted:
        case inspect.FloatType():
            return Kind.NUMBER
        case inspect.IntType():
            return Kind.WHOLE
        case inspect.BoolType():
            return Kind.YES_OR_NO
        case inspect.ListType():
            return Kind.LIST
        case inspect.DictType() | inspect.StructType():
            return Kind.TABLE
    return Kind.TEXT


def _kind_of(value: Any) -> Kind:
    # Python's True is an int too.
    kinds = ((bool, Kind.YES_OR_NO), (int, Kind.WHOLE), (float, Kind.NUMBER), (str, Kind.TEXT),
             (list, Kind.LIST), (dict, Kind.TABLE))  # fmt: skip
    return next((kind for of, kind in kinds if isinstance(value, of)), Kind.TIME)


def _limit_broken(wanted: inspect.Type, value: Any) -> str:
    """Return the limit that a value breaks, in words; empty where it breaks none."""
    signs: dict[str, float | None] = {}
    size, of = value, ""
    match wanted:
        case inspect.FloatType() | inspect.IntType():
            signs = {">=": wanted.ge, ">": wanted.gt, "<=": wanted.le, "<": wanted.lt}
        case inspect.StrType() | inspect.ListType() | inspect.DictType():
            signs = {">=": wanted.min_length, "<=": wanted.max_length}
            size, of = len(value), "of length "
    for sign, limit in signs.items():
        # NaN is within no limit.
        if limit is not None and not HOLDS[sign](size, limit):
            return f"{of}{sign} {limit:g}"
    return ""


def in_words(mistake: Mistake) -> str:
    """Say what is wrong, and where."""
    place = _path(mistake.place)
    at = f" at {place}" if place else ""
    # The file's own names may hold anything.
    if mistake.fault is Fault.UNKNOWN_NAME:
        return f"{mistake.name!r} is not known{at}"
    if mistake.fault is Fault.MISSING_NAME:
        return f"{mistake.name!r} is missing{at}"
    if mistake.fault is Fault.UNKNOWN_WORD:
        return f"{place}: {mistake.name!r} is no word known there"
    what = f"a name in {place}" if mistake.of_name else place or "the file"
    if mistake.fault is Fault.OTHER_KIND:
        return f"{what} must be {mistake.wanted}, not {mistake.instead}"
    return f"{what} must be {mistake.wanted} {mistake.limit}"


def _path(place: Place) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")
