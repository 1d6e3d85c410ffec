"""Options that another one makes meaningless: refused for every command, and never ignored.

What is ignored without a word was decided by somebody: a validation that was named and did not
count looks like one that did.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand

from contracts.errors import ContractError
from contracts.naming.names import shown
from rehabcast.commands.rules.names import require_names
from rehabcast.commands.rules.outputs import require_outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When some options of a command are of use.

    Parameters
    ----------
    options
        Which.
    given
        The option that decides, with the value that it must have where it matters.
    needed
        Whether they are of use only with it; else they are only without it.
    """

    options: tuple[str, ...]
    given: tuple[str, ...]
    needed: bool


def _with(*given: str, options: tuple[str, ...]) -> Rule:
    return Rule(options=options, given=given, needed=True)


def _without(*given: str, options: tuple[str, ...]) -> Rule:
    return Rule(options=options, given=given, needed=False)


_ON_RAY = (_with("--engine", "ray", options=("--ray-address",)),)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "audit": (
        _without(
            "--mitigate",
            options=("--champion-predictions", "--external", "--proposal", "--served"),
        ),
        _with("--mitigate", options=("--attribute", "--variant", "--cohort")),
        _with("--cohort", options=("--config",)),
    ),
    "benchmark": (_without("--by", "site", options=("--folds", "--repeats")),),
    "cohort import": _ON_RAY,
    "exercise audit": (
        _with("--sets", options=("--map", "--seed")),
        _with("--map", options=("--sets",)),
    ),
    "features extract": _ON_RAY,
    "forecast": (_without("--every-instrument", options=("--task",)),),
    "search": _ON_RAY,
    "train": _ON_RAY,
}
"""By the words of the command."""


LARGEST = 2**31 - 1
"""Of a whole number that is given to any command."""


NO_TIME = re.compile(r"'(.*)' does not match the formats? (?:'%Y-%m-%d'|('%Y-%m'))", re.DOTALL)
"""What typer says of a day or month that it cannot read, be it of form or as 31 June."""


class CheckedCommand(TyperCommand):
    """A command that refuses, before it runs, what no command takes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed; say of a day whether its form is wrong or no calendar has it."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if (found := NO_TIME.search(error.message)) is not None:
                error.message = _no_day(*found.groups())
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run the command, if every option is of use and every output has a place of its own."""
        require_sizes(ctx)
        require_use(ctx)
        require_names(words_of(ctx), ctx)
        require_outputs(words_of(ctx), ctx)
        return super().invoke(ctx)


def _no_day(typed: str, month: str | None) -> str:
    what, example = ("month", "2026-03") if month else ("day", "2026-03-31")
    if re.sub("[0-9]", "0", typed) == re.sub("[0-9]", "0", example):
        return f"there is no {what} {typed} in the calendar"
    return f"{shown(typed[:40])!r} is no {what} as {example}"


def require_sizes(ctx: typer.Context) -> None:
    """Refuse whole numbers that integers of 32 bits, as databases have them, do not hold.

    Raises
    ------
    typer.BadParameter
        As where a number is outside of its option's own limits.
    """
    for parameter in ctx.command.params:
        given = ctx.params.get(parameter.name or "")
        for number in given if isinstance(given, list | tuple) else [given]:
            if isinstance(number, int) and abs(number) > LARGEST:
                raise typer.BadParameter(
                    f"{number} is more than {LARGEST}", ctx=ctx, param_hint=f"'{parameter.opts[0]}'"
                )


def check_options(app: typer.Typer) -> None:
    """Let every command of an application, and of those in it, refuse options of no use."""
    for command in app.registered_commands:
        command.cls = CheckedCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            check_options(group.typer_instance)


def require_use(ctx: typer.Context) -> None:
    """Refuse an option of no use.

    Raises
    ------
    ContractError
        Which, why, and what to do.
    """
    given = {
        option: ctx.params[parameter.name]
        for parameter in ctx.command.params
        if parameter.name is not None
        and getattr(ctx.get_parameter_source(parameter.name), "name", "DEFAULT") != "DEFAULT"
        for option in parameter.opts
    }
    for rule in RULES.get(words_of(ctx), ()):
        name, *value = rule.given
        decides = name in given and value in ([], [str(given[name])])
        useless = [option for option in rule.options if option in given]
        if useless and decides is not rule.needed:
            how, instead = ("without", "give") if rule.needed else ("with", "leave out")
            these, deciding = ", ".join(useless), " ".join(rule.given)
            raise ContractError(
                f"{these}: of no use {how} {deciding}",
                f"leave out {these}, or {instead} {deciding}",
            )


def words_of(ctx: Any) -> str:
    """Return the words that name a command, without the program's own."""
    names = []
    while ctx.parent is not None:
        names.append(ctx.info_name or "")
        ctx = ctx.parent
    return " ".join(reversed(names))
