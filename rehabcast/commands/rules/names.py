"""What no name that is given to a command may be, whatever it names.

Each kind of name has its own rule besides, where it is read: of models, people, tenants, patients.
A patient's is never said in a refusal, as it may be a real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from contracts.errors import ContractError
from contracts.naming.model_version import LONGEST_NAME
from contracts.naming.names import described, is_invisible, is_like_an_option

NAMES = frozenset({
    "approver", "client", "exercise", "issuer", "line", "model", "model_version", "name",
    "register", "round_name", "shadow", "site", "subject", "tenant", "tenant_claim", "version",
})  # fmt: skip
"""Parameters of commands that are names."""

MADE: Mapping[str, tuple[str, ...]] = {
    "access add-cds-client": ("issuer", "tenant"),
    "access add-client": ("client", "tenant"),
    "access add-issuer": ("name", "tenant", "tenant_claim"),
    "benchmark": ("register",),
    "exercise enrol": ("exercise",),
    "federate export": ("site",),
    "federate offer": ("site", "round_name"),
    "people add": ("name",),
    "plan new": ("line",),
    "train": ("model",),
}
"""Names that a command gives to something: other commands take it by that name afterwards. What
has such a name since before there was this rule can still be asked about, revoked and erased."""


def require_names(words: str, ctx: typer.Context) -> None:
    """Refuse what cannot be a name, or could not be typed again as one.

    Parameters
    ----------
    words
        The words of the command.

    Raises
    ------
    ContractError
        A name is blank, too long or has a character that nobody can see; or a name that is made
        would be taken for an option.
    """
    for parameter in ctx.command.params:
        name = ctx.params.get(parameter.name or "")
        if parameter.name not in NAMES or not isinstance(name, str):
            continue
        made = parameter.name in MADE.get(words, ())
        if (why := _flaw(name, made=made)) is not None:
            raise ContractError(f"{_typed(parameter)}: {why}", "give another name")


def _typed(parameter: Any) -> str:
    """Return a parameter as the help shows it: `--tenant`, NAME."""
    option: str = parameter.opts[0]
    return option if option.startswith("-") else (parameter.metavar or option).upper()


def _flaw(name: str, *, made: bool) -> str | None:
    if not name.strip():
        return "it is empty"
    if len(name) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} characters"
    if place := next((at for at, each in enumerate(name, 1) if is_invisible(each)), 0):
        return f"its character {place} is {described(name[place - 1])}, which nobody can see"
    if made and is_like_an_option(name):
        return "it begins with a dash, so that other commands would take it for an option"
    return None
