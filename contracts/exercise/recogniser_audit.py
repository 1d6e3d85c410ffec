"""The audit by group of a recogniser of exercises, as it is kept beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from contracts.declarations import mistakes
from contracts.errors import ContractError, EvidenceMissing
from contracts.naming.formats import KEY, name_of, require_known_form, without_form
from contracts.naming.parsing import parsed_json
from contracts.task_parts.parts import Number, Whole

FORM = "exercise-audit"
SUFFIX = ".audit.json"
STRICT = ConfigDict(extra="forbid")
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[Whole, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAccuracy:
    """How often the sets of a group are recognised, of people who were left out.

    Parameters
    ----------
    attribute, group
        Such as side, and left.
    people
        Of a part of all rounded down; None where too few, and nothing else is said then.
    right, low, high
        Share of sets that got their name, and its 95 % interval over people.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    attribute: str
    group: str
    people: Count | None
    right: Share | None
    low: Share | None
    high: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniserAudit:
    """An audit of a recogniser.

    Parameters
    ----------
    model_version
        Of the recogniser that was fitted on all of these people.
    people, sets
        Whose recordings, and how many.
    simulated
        Whether nobody moved.
    groups
        Everybody first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    model_version: str
    people: Count
    sets: Count
    simulated: Annotated[bool, Field(strict=True)]
    groups: tuple[GroupAccuracy, ...]


_AUDIT = TypeAdapter(RecogniserAudit)


def audit_path(recogniser: Path) -> Path:
    """Return where the audit of a recogniser is kept: beside it."""
    return recogniser.with_name(recogniser.name + SUFFIX)


def write_recogniser_audit(path: Path, audit: RecogniserAudit) -> None:
    """Write an audit.

    Raises
    ------
    OSError
        It cannot be written there.
    """
    content = {KEY: name_of(FORM), **_AUDIT.dump_python(audit, mode="json")}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_recogniser_audit(recogniser: Path, model_version: str) -> RecogniserAudit:
    """Read the audit that is kept beside a recogniser.

    Raises
    ------
    EvidenceMissing
        There is none, or it is of another version.
    ContractError
        It can't be read, or is none.
    """
    path = audit_path(recogniser)
    advice = "audit it by group first: `rehabcast exercise audit`"
    try:
        said: object = parsed_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise EvidenceMissing(
            f"{recogniser}: there is no audit by group of this recogniser ({path.name})", advice
        ) from None
    except OSError as error:
        raise ContractError(f"{path}: cannot be read ({error.strerror})", advice) from error
    except ValueError as error:
        raise ContractError(f"{path}: it is no audit of a recogniser", advice) from error
    require_known_form(said, FORM, str(path), ContractError)
    if not isinstance(said, Mapping) or said.get(KEY) != name_of(FORM):
        raise ContractError(f"{path}: it is no audit of a recogniser", advice)
    try:
        audit = _AUDIT.validate_python(without_form(said))
    except ValidationError as error:
        found = "; ".join(mistakes(error, RecogniserAudit))
        raise ContractError(f"{path}: it is no audit of a recogniser: {found}", advice) from error
    if audit.model_version != model_version:
        raise EvidenceMissing(
            f"{path}: it is of the recogniser {audit.model_version}, and this one is"
            f" {model_version}",
            advice,
        )
    return audit
