"""What each argument of the Python API must be, and the sentence that says so where it is not."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from os import PathLike
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from contracts.errors import ContractError

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_DAYS, LONGEST_WEEKS = 40_000, 1_000
"""As in requests to the service (`contracts.observation.Day`, `serving.schemas`)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an argument must be.

    Parameters
    ----------
    words
        What is expected, as the end of "must be ...".
    accepts
        Whether a value is that.
    """

    words: str
    accepts: Callable[[object], bool]

    def or_none(self) -> Kind:
        """Return the kind of an argument that may be left out."""
        return Kind(f"{self.words}, or None", lambda value: value is None or self.accepts(value))


def _is_path(value: object) -> bool:
    text = str(value) if isinstance(value, PathLike) else value
    return isinstance(text, str) and text != "" and "\0" not in text


def _is_cohort(value: object) -> bool:
    from pandas import DataFrame

    from contracts.cohort import Cohort

    return isinstance(value, Cohort) and isinstance(value.events, DataFrame)


def _is_task(value: object) -> bool:
    from contracts.task import Task

    return isinstance(value, Task)


def _are_parameters(value: object) -> bool:
    from training.fitting.config import TrainingConfig

    return isinstance(value, TrainingConfig)


def _whole(most: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and -most <= value <= most


def _are_entries(value: object) -> bool:
    return isinstance(value, list | tuple) and all(type(each) is int and each > 0 for each in value)


PATH = Kind("a path, as text or pathlib.Path", _is_path)
TEXT = Kind("text", lambda value: isinstance(value, str))
SWITCH = Kind("True or False", lambda value: isinstance(value, bool))
DAY = Kind(f"a whole number of days, up to {LONGEST_DAYS:,}", _whole(LONGEST_DAYS))
WEEKS = Kind(f"a whole number of weeks, up to {LONGEST_WEEKS:,}", _whole(LONGEST_WEEKS))
VERSION = Kind("the name of a version, as text: 'arm/1'", TEXT.accepts)
ENTRIES = Kind("a list of numbers of the ledger's entries", _are_entries)
COHORT = Kind("a cohort, as rehabcast.read_cohort returns it", _is_cohort)
TASK = Kind("a task, as rehabcast.read_task returns it", _is_task)
PARAMETERS = Kind("a rehabcast.TrainingConfig", _are_parameters)


def takes(**kinds: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check the arguments of a public function before it runs.

    Parameters
    ----------
    **kinds
        Of each argument, by name.

    Raises
    ------
    ContractError
        By the function: an argument is of another kind. Its value, which may be about a person, is
        not repeated.
    """

    def checked(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        if set(signature.parameters) != set(kinds):
            raise TypeError(f"{function.__name__}: not each argument has a kind")

        @wraps(function)
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            for name, value in _given(signature, function.__name__, arguments, named).items():
                if not kinds[name].accepts(value):
                    raise ContractError(
                        f"rehabcast.{function.__name__}: {name} is {_described(value)}",
                        f"it must be {kinds[name].words}",
                    )
            return function(*arguments, **named)

        return call

    return checked


def _given(
    signature: inspect.Signature, name: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments by name; one that is missing, unknown or given twice is refused."""
    try:
        return signature.bind(*arguments, **named).arguments
    except TypeError as error:
        raise ContractError(
            f"rehabcast.{name}: {error}", f"call it as rehabcast.{name}{_shown(signature)}"
        ) from None


def _shown(signature: inspect.Signature) -> str:
    bare = [
        each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def _described(value: object) -> str:
    """Return what kind of thing a value is."""
    if value is None:
        return "None"
    if isinstance(value, str | Path):
        return (
            "a text that cannot be used" if isinstance(value, Path) or _unusable(value) else "text"
        )
    if type(value) is int:
        return "an int beyond what is possible" if abs(value) > LONGEST_WEEKS else "an int"
    return f"of type {type(value).__name__}"


def _unusable(text: str) -> bool:
    return text == "" or "\0" in text
