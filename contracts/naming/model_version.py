"""A model version, `NAME/N`: its one spelling, and which others mean the same version.

A registry that reads `01` as 1 would let one version be audited under two names, and a later audit
of the one would not reach the other. Every name that enters is therefore checked here; what is on
record already is compared by `version_key`.
"""

from __future__ import annotations

import re
import unicodedata

from contracts.errors import ContractError
from contracts.naming.names import (
    canonical,
    comparable,
    flaw,
    is_invisible,
    is_like_an_option,
    shown,
)

LONGEST_NAME = 200
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
RESERVED = "/:@%"
"""Characters with a meaning in MLflow's addresses of models."""


def model_name(name: str) -> str:
    """Return a model's name if it is written in its one spelling.

    Raises
    ------
    ContractError
        It is empty or too long, has a character that cannot be seen or has a meaning in addresses,
        or is another spelling of a usual name.
    """
    reserved = next((c for c in name if c in RESERVED), None)
    why = flaw(name) if reserved is None else f"it contains {reserved!r}"
    if why is None and len(name) > LONGEST_NAME:
        why = f"it is longer than {LONGEST_NAME} characters"
    if why is None and canonical(name) != name:
        why = "it is not in its usual spelling (composed letters, single spaces inside only)"
    if why is not None:
        usual = "" if reserved else _usual(name)
        raise ContractError(
            f"{shown(name)!r} is not the name of a model: {why}",
            f"write it as {usual!r}"
            if usual
            else f"write it in letters of one alphabet and digits, without any of {RESERVED}",
        )
    return name


def new_model_name(name: str) -> str:
    """Return the name that a model is given, which commands can be given too.

    Raises
    ------
    ContractError
        As of `model_name`, or it begins with a dash.
    """
    if is_like_an_option(name):
        raise ContractError(
            f"{shown(name)!r} begins with a dash, so that commands would take it for an option",
            "choose another name",
        )
    return model_name(name)


def split_version(model_version: str) -> tuple[str, str]:
    """Return the parts of `NAME/N`.

    Raises
    ------
    ContractError
        It is not written as `NAME/N`, or is another spelling of it, such as `arm/01`.
    """
    name, slash, number = model_version.rpartition("/")
    if not slash or not name.strip():
        raise ContractError(
            f"{shown(model_version)!r} is not a model version",
            "write it as NAME/N, such as arm/1, as `rehabcast train` prints it",
        )
    if NUMBER.fullmatch(number) is None:
        _, known = version_key(model_version)
        usual = f"{_usual(name)}/{known}" if isinstance(known, int) and known >= 0 else "NAME/N"
        raise ContractError(
            f"{shown(model_version)!r} is not the spelling of a model version: its number is"
            f" {shown(number)!r}",
            f"write it as {usual}",
        )
    return model_name(name), number


def version_key(model_version: str) -> tuple[str, int | str]:
    """Return what two spellings of one version have in common, whatever they look like."""
    name, _, number = model_version.rpartition("/")
    digits = comparable(number)
    try:
        return comparable(name), int(digits)
    except ValueError:
        return comparable(name), digits


def _usual(name: str) -> str:
    """Return the spelling that was probably meant; empty where nothing is left."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if not is_invisible(c))
    usual = canonical(visible)
    return usual if flaw(usual) is None else ""
