"""Decodes bodies and queries; a refusal never repeats what was sent.

A body is measured before it is decoded, in a time that depends on its size only: bodies of many
tiny values cost far more to decode and to answer than their bytes suggest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
import numpy as np

from contracts.errors import RehabcastError
from serving.http.decoding.unknown_fields import unknown_field

T = TypeVar("T")

MAX_FIELDS = 20
MAX_VALUES = 400_000
"""JSON values of one body. 8 MiB of observations or of FHIR resources, written as short as they can
be, hold 14 bytes a value and more."""

MAX_NESTING = 64
"""How deep arrays and objects may lie within each other. An extension of a contained resource in a
Bundle within a Bundle is 20 deep."""

WHOLE = re.compile(
    rb'("(?:[^"\\]++|\\.)*+"?)|(?<![\d.eE+-])(-?\d{1,15})\.0++(?![\d.eE])', re.DOTALL
)
"""A text, which stays as it is, or a whole number written as `10.0`: up to 15 digits, so that it is
exactly a double. Each byte is looked at a few times at most, whatever the body is."""

SEND_LESS = "send fewer subjects, fewer days or fewer resources at once"
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
        It is not JSON, holds more than `MAX_VALUES` values, is nested deeper than `MAX_NESTING`,
        has unknown, missing or wrong fields, or names one twice: a proxy or log may have read the
        other. NaN and Infinity are not JSON, and a NUL character no database takes.
    """
    size = measured(body)
    if size.values > MAX_VALUES:
        raise RequestInvalid(f"the body holds more than {MAX_VALUES:,} JSON values", SEND_LESS)
    if size.nesting > MAX_NESTING:
        raise RequestInvalid(
            f"the body is nested more than {MAX_NESTING} deep", "send it with less nesting"
        )
    if size.has_nul:
        raise RequestInvalid("a text of the body has a NUL character", "send it without")
    try:
        content = _content(kind, body)
        # Numbers are not parsed again: only names matter here.
        json.loads(body, object_pairs_hook=_refuse_repeated_names, parse_int=str, parse_float=str)
        return content
    except msgspec.ValidationError as error:
        raise _invalid(kind, body, error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise RequestInvalid("the body is not JSON") from None


def _invalid(kind: Any, body: bytes, error: msgspec.ValidationError) -> RequestInvalid:
    """Say what is wrong with a body that is not of its route's type; it may not be JSON either."""
    try:
        sent = json.loads(body, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return RequestInvalid("the body is not JSON")
    if found := unknown_field(kind, sent):
        return RequestInvalid(found.reason, found.what_to_do)
    return RequestInvalid(_without_values(str(error)))


def _content(kind: type[T], body: bytes) -> T:
    """Decode a body; a whole number written as `10.0`, as some clients do, is one (RFC 8259, 6).

    One decoder only decides what JSON is: another one takes NaN, Infinity, and `1e999` as infinite.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        written = WHOLE.sub(rb"\1\2", body)
        if written == body:
            raise
    return msgspec.json.decode(written, type=kind)


@dataclass(frozen=True, slots=True)
class Size:
    """How much a JSON text holds, and how deep.

    Parameters
    ----------
    values
        At most so many values: an array or object, and what follows a comma.
    nesting
        How deep arrays and objects lie within each other.
    has_nul
        Whether a text has the character U+0000.
    """

    values: int
    nesting: int
    has_nul: bool


def measured(body: bytes) -> Size:
    """Measure a JSON text without decoding it; of what is not JSON the numbers mean nothing."""
    plain = body.replace(rb"\\", b"  ")
    has_nul = rb"\u0000" in plain
    plain = plain.replace(rb"\"", b"  ")
    byte_N = np.frombuffer(plain, dtype=np.uint8)
    # The sum of all quotation marks so far is odd within a text; it may wrap around.
    outside_N = np.cumsum(byte_N == ord('"'), dtype=np.uint8) % 2 == 0
    byte_N = byte_N[outside_N]
    opens_N = (byte_N == ord("[")) | (byte_N == ord("{"))
    closes_N = (byte_N == ord("]")) | (byte_N == ord("}"))
    depth_N = np.cumsum(opens_N.astype(np.int8) - closes_N.astype(np.int8), dtype=np.int32)
    return Size(
        values=1 + int(np.count_nonzero(opens_N)) + int(np.count_nonzero(byte_N == ord(","))),
        nesting=int(depth_N.max(initial=0)),
        has_nul=has_nul,
    )


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise RequestInvalid("an object names a field twice", "send each field once")


def form_fields(form: bytes, most: int = MAX_FIELDS) -> dict[str, str]:
    """Read a form, or the query of an address.

    Raises
    ------
    RequestInvalid
        It has more than `most` fields.
    """
    try:
        return dict(parse_qsl(form.decode("ascii", "replace"), max_num_fields=most))
    except ValueError:
        raise RequestInvalid(
            f"the form or query has more than {most} fields", "send fewer fields"
        ) from None


def refuse_unknown(query: Iterable[str], known: Collection[str]) -> None:
    """Refuse a query with a parameter that would be ignored: its sender expects an effect.

    Raises
    ------
    RequestInvalid
        It has one; the message has only our own names.
    """
    if not set(query) <= set(known):
        names = ", ".join(sorted(known)) or "none"
        raise RequestInvalid(
            "the query has a parameter that is not known here", f"known are: {names}"
        )


def from_query(query: Mapping[str, str], name: str, kind: type[T], called: str) -> T | None:
    """Return a parameter of the query; None where it has none.

    Parameters
    ----------
    called
        What it should be, in words.

    Raises
    ------
    RequestInvalid
        It is something else.
    """
    if name not in query:
        return None
    try:
        return msgspec.convert(query[name], kind, strict=False)
    except msgspec.ValidationError:
        raise RequestInvalid(f"{name} is not {called}") from None


def _without_values(message: str) -> str:
    """Leave out what the caller wrote from msgspec's message, which is shown and may be logged."""
    problem, _, where = message.partition(" - at ")
    if problem.startswith("Number out of range"):
        problem = "Number out of range"
    elif not problem.startswith(("Expected", "Object missing required field")):
        problem = "Object contains a value that is not known"
    # A path has our field names and list positions; below a map it would have the caller's keys.
    return f"{problem}, at {where}" if where and "[...]" not in where else problem
