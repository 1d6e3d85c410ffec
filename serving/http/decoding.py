"""Decodes bodies and queries; a refusal never repeats what was sent."""

from __future__ import annotations

import json
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from contracts.errors import RehabcastError

T = TypeVar("T")

MAX_FIELDS = 20
SEE_OPENAPI = "see /openapi.json for what this route takes"


class RequestInvalid(RehabcastError):
    """A body is not JSON, or not what its route takes; the message has no content of the body."""

    def __init__(self, reason: str, what_to_do: str = SEE_OPENAPI) -> None:
        super().__init__(reason, what_to_do)


def decoded(kind: type[T], body: bytes) -> T:
    """Read a body as what its route takes.

    Raises
    ------
    RequestInvalid
        It is not JSON, is nested too deeply, has unknown, missing or wrong fields, or names one
        twice: a proxy or log may have read the other. NaN and Infinity are not JSON.
    """
    try:
        content = msgspec.json.decode(body, type=kind)
        # Numbers are not parsed again: only names matter here.
        json.loads(body, object_pairs_hook=_refuse_repeated_names, parse_int=str, parse_float=str)
        return content
    except msgspec.ValidationError as error:
        raise RequestInvalid(_without_values(str(error))) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise RequestInvalid("the body is not JSON, or is nested too deeply") from None


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise RequestInvalid("an object names a field twice", "send each field once")


def form_fields(form: bytes) -> dict[str, str]:
    """Read a form, or the query of an address.

    Raises
    ------
    RequestInvalid
        It has more than `MAX_FIELDS` fields.
    """
    try:
        return dict(parse_qsl(form.decode("ascii", "replace"), max_num_fields=MAX_FIELDS))
    except ValueError:
        raise RequestInvalid(
            f"the form or query has more than {MAX_FIELDS} fields", "send fewer fields"
        ) from None


def _without_values(message: str) -> str:
    """Leave out what the caller wrote from msgspec's message, which is shown and may be logged."""
    problem, _, where = message.partition(" - at ")
    known = ("Expected", "Object missing required field")
    if not problem.startswith(known):
        problem = "Object contains a field or value that is not known"
    # A path has our field names and list positions; below a map it would have the caller's keys.
    return f"{problem}, at {where}" if where and "[...]" not in where else problem
