"""Rules by which next week's dose follows from the last two weeks: a file, each with its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.declarations import read_declaration
from contracts.task_parts.parts import Number, Strict, Words

Action = Literal["progress", "hold", "regress", "stop and call"]
Standing = Literal["trial", "convention"]
Fact = Literal[
    "danger_signs", "adherence_least", "borg_median", "borg_16_sessions", "pain_worst",
    "pain_rise", "pain_next_morning", "fatigue_worst", "quality_least", "quality_fall",
]  # fmt: skip
"""What a rule may read: number of danger signs; the lower adherence of two weeks, 0 to 1; median
rating of exertion, Borg 6 to 20, and sessions of 16 or more; worst pain of 10, its largest rise
within a session, and whether it was still up the next morning (1 or 0); worst fatigue of 10; of an
exercise the lower share of two weeks' repetitions that was done as shown, and by how much that
share fell."""


class Condition(Strict):
    """A fact within limits.

    Parameters
    ----------
    fact
        One of `Fact`.
    at_least, below
        Half-open, one of them at least.
    """

    fact: Fact
    at_least: Number | None = None
    below: Number | None = None

    def holds(self, value: float) -> bool:
        """Return whether a value is within the limits."""
        low = self.at_least is None or value >= self.at_least
        return low and (self.below is None or value < self.below)

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.at_least is None and self.below is None:
            raise ValueError("it has no limit: write at_least or below")
        return self


class Rule(Strict):
    """One rule.

    Parameters
    ----------
    name, action
        What it is called, and what follows where one of its conditions holds.
    any
        The conditions.
    standing, source
        Whether a trial used the limit or it is a convention, and where it is from.
    """

    name: Words
    action: Action
    any: Annotated[tuple[Condition, ...], Field(min_length=1)]
    standing: Standing
    source: Words


class DoseRules(Strict):
    """The rules, in the order in which they decide.

    Parameters
    ----------
    step_part, step_source
        By what part of the dose one step is, and where that is from.
    rules
        The last lets progress: whoever gets there, nothing spoke against it.
    """

    step_part: Annotated[Number, Field(gt=0, le=0.5)]
    step_source: Words
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        order = ["stop and call", "regress", "hold", "progress"]
        places = [order.index(rule.action) for rule in self.rules]
        if places != sorted(places) or set(places) != set(range(len(order))):
            raise ValueError(
                "rules must stop, then regress, then hold, then let progress, each at least once"
            )
        return self

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Every fact that is read, in the order of the rules."""
        read = (condition.fact for rule in self.rules for condition in rule.any)
        return tuple(dict.fromkeys(read))


ADVICE = "correct the file; contracts/doses/rules/next-week.toml is a complete one"


def read_dose_rules(path: Path) -> DoseRules:
    """Read a file of rules.

    Raises
    ------
    ContractError
        It can't be read or breaks the contract: each key, what was found and what to write.
    """
    return read_declaration(path, DoseRules, "rules of next week's dose", ADVICE)


@cache
def shipped_dose_rules() -> DoseRules:
    """Return the rules that rehabcast ships, of hours of therapy."""
    return read_dose_rules(Path(__file__).parent / "rules" / "next-week.toml")


@cache
def shipped_exercise_rules() -> DoseRules:
    """Return the rules that rehabcast ships, of repetitions of one exercise."""
    return read_dose_rules(Path(__file__).parent / "rules" / "exercise.toml")
