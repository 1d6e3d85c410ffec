"""What people declare in TOML files, checked, and their mistakes in plain words."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from contracts.errors import CohortInvalid, ContractError
from contracts.naming.formats import require_known_form, without_form
from contracts.naming.open_points import as_problems, open_points, without_confirmations
from contracts.naming.parsing import parsed_toml

Declared = TypeVar("Declared")

LONGEST_VALUE = 60
"""Characters of a wrong value that a message repeats."""


def read_toml(path: Path, what: str, advice: str) -> dict[str, Any]:
    """Read what stands in a TOML file; `what` and `advice` as of `read_declaration`.

    Raises
    ------
    ContractError
        It can't be read, or is not TOML.
    """
    try:
        # Text editors may begin a file with a byte order mark, which TOML does not know.
        return parsed_toml(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ContractError(
            f"{path}: cannot be read ({error.strerror})", "check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: not {what}: {error}", advice) from error


def read_declaration(
    path: Path, model: type[Declared], what: str, advice: str, kind: str | None = None,
    proposed: Collection[str] | None = None,
) -> Declared:  # fmt: skip
    """Read a TOML file as what it declares.

    Parameters
    ----------
    model
        A model or dataclass of pydantic's.
    what
        What the file should be, with its article, for messages.
    advice
        What to do about a file that is something else.

    kind
        Of `contracts.naming.formats`, where the file may say its form.
    proposed
        Of a file that rehabcast may have proposed: the keys whose values may be a question mark.

    Raises
    ------
    CohortInvalid
        It was proposed, and not everything in it is decided: each open point.
    ContractError
        It can't be read, or breaks the contract: each key, what was found and what to write.
    """
    content = read_toml(path, what, advice)
    if kind is not None:
        require_known_form(content, kind, str(path), ContractError)
        content = without_form(content)
    if proposed is not None:
        if points := open_points(content, proposed):
            raise CohortInvalid(as_problems(points, str(path)))
        content = without_confirmations(content)
    try:
        return TypeAdapter(model).validate_python(content)
    except ValidationError as error:
        faults = "; ".join(mistakes(error, model))
        raise ContractError(f"{path}: not {what}: {faults}", advice) from error


def mistakes(error: ValidationError, model: type[Any]) -> list[str]:
    """Return each mistake as a sentence: which key, what was found, what to write."""
    faults: list[dict[str, Any]] = [dict(fault) for fault in error.errors(include_url=False)]
    places: list[tuple[int | str, ...]] = [tuple(fault["loc"]) for fault in faults]
    # A list with a wrong entry also counts as too short: only the entry needs to be mended.
    return [
        _sentence(fault, model)
        for fault, place in zip(faults, places, strict=True)
        if fault["type"] != "too_short" or not any(_is_within(other, place) for other in places)
    ]


def _is_within(place: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _sentence(fault: dict[str, Any], model: type[Any]) -> str:
    where = tuple(fault["loc"])
    key, kind = _path(where), fault["type"]
    if kind == "missing":
        return f"{key} is missing"
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        known = ", ".join(_keys_at(model, where[:-1]))
        return f"{key} is not a key here" + (f": use one of {known}" if known else "")
    if kind in {"value_error", "assertion_error"}:
        words = str(fault["ctx"]["error"])
        return f"{key}: {words}" if key else words
    if kind in {"string_too_short", "too_short"} and not fault["input"]:
        return f"{key} is empty: fill it in"
    found = repr(fault["input"])
    if len(found) > LONGEST_VALUE:
        found = f"{found[:LONGEST_VALUE]}..."
    words = fault["msg"].replace("Input should", "it should")
    return f"{key} is {found}, but {words[:1].lower()}{words[1:]}"


def _path(where: Sequence[int | str]) -> str:
    """Return the place of a key as people count: `tables 2, columns 1, unit`."""
    words: list[str] = []
    for part in where:
        if isinstance(part, int) and words:
            words[-1] += f" {part + 1}"
        else:
            words.append(str(part))
    return ", ".join(words)


def _keys_at(model: type[Any], where: Sequence[int | str]) -> list[str]:
    """Return the keys of the model at this place, none where it has no model."""
    if is_dataclass(model):
        return [] if where else sorted(field.name for field in fields(model))
    at: type[BaseModel] | None = model
    for part in where:
        if isinstance(part, int) or at is None:
            continue
        field = at.model_fields.get(part)
        at = None if field is None else _model_in(field.annotation)
    return [] if at is None else sorted(at.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)
