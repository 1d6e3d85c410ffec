"""Bodies and queries as what a route takes; the refusal holds nothing of what was sent."""

from __future__ import annotations

import json
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

T = TypeVar("T")

MOST_FIELDS = 20


class RequestInvalid(Exception):
    """A body is no JSON, or not what its route takes; the message holds nothing of the body."""


def decoded(kind: type[T], body: bytes) -> T:
    """Read a body as what its route takes.

    Raises
    ------
    RequestInvalid
        It is no JSON, nested too deep, has unknown, missing or wrong fields, or names one twice:
        a proxy or log may have believed the other. NaN and Infinity are no JSON.
    """
    try:
        told = msgspec.json.decode(body, type=kind)
        # Numbers are left as they are: only names matter here.
        json.loads(body, object_pairs_hook=_named_once, parse_int=str, parse_float=str)
        return told
    except msgspec.ValidationError as error:
        raise RequestInvalid(_without_values(str(error))) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise RequestInvalid("the body is no JSON, or nested too deep") from None


def _named_once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise RequestInvalid("an object names a field twice")


def form_fields(form: bytes) -> dict[str, str]:
    """Read a form, or the query of an address.

    Raises
    ------
    RequestInvalid
        It has more than `MOST_FIELDS` fields.
    """
    try:
        return dict(parse_qsl(form.decode("ascii", "replace"), max_num_fields=MOST_FIELDS))
    except ValueError:
        raise RequestInvalid(f"more than {MOST_FIELDS} fields") from None


def _without_values(told: str) -> str:
    """Leave out what the caller wrote: the message is shown, and may be logged."""
    what, _, where = told.partition(" - at ")
    known = ("Expected", "Object missing required field")
    if not what.startswith(known):
        what = "Object contains a field or value that is not known"
    # A path names fields of ours and places in lists; below a map it would name the caller's keys.
    return f"{what}, at {where}" if where and "[...]" not in where else what
