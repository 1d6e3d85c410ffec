"""A scenario: every parameter of a simulated cohort, as a frozen value read from TOML.

A scenario file names only what differs from the defaults of the parameter classes.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from contracts.declarations import mistakes
from contracts.errors import ContractError
from contracts.naming.parsing import parsed_toml
from features.simulate.latent import Groups, Shift
from features.simulate.people import People
from features.simulate.therapy import Therapy
from features.simulate.visits import Visits
from features.simulate.wear import Wear


@dataclass(frozen=True, slots=True, kw_only=True)
class Disparity:
    """What is planted for the people of one group; nothing, by default.

    Parameters
    ----------
    code, label
        The group: a fact of the person and its label.
    share
        Share of the group among the people; None leaves the usual share.
    therapy_factor, start_delay_days
        Factor of the minutes of a session, and days by which therapy starts later.
    steps_factor, steps_spread
        Median share of steps that their device still counts, and SD of its log.
    wear_shift
        Shift of the logit of a worn day.
    score_bias, noise_factor
        Fugl-Meyer points by which assessors misjudge, and factor of the noise of every scale. The
        truth is saved without either.
    time_factor, rate_shift, poor_factor
        What differs in recovery itself, see `features.simulate.latent.Shift`.
    """

    code: str = "REHABCAST//SEX"
    label: str = "female"
    share: float | None = None
    therapy_factor: float = 1.0
    start_delay_days: int = 0
    steps_factor: float = 1.0
    steps_spread: float = 0.0
    wear_shift: float = 0.0
    score_bias: float = 0.0
    noise_factor: float = 1.0
    time_factor: float = 1.0
    rate_shift: float = 0.0
    poor_factor: float = 1.0

    def shift(self) -> Shift:
        """Return what differs in the prior of the group's members."""
        return Shift(
            time_factor=self.time_factor, rate_shift=self.rate_shift, poor_factor=self.poor_factor
        )

    @property
    def is_nothing(self) -> bool:
        """True where nothing is planted."""
        nothing = Disparity(code=self.code, label=self.label, share=self.share)
        return self == nothing

    def members(self, facts: pd.DataFrame) -> NDArray[np.bool_]:
        """Return who is in the group, (N,), given facts with one column per code."""
        if self.is_nothing:
            return np.zeros(len(facts), dtype=np.bool_)
        return (facts[self.code] == self.label).to_numpy(dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that determines a simulated cohort, apart from its seed and size.

    Parameters
    ----------
    name, about
        Short name, and in words what is planted.
    groups, therapy, people, wear, visits
        Parameters of the parts.
    disparity
        What is planted for one group.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str = "stroke"
    about: str = ""
    groups: Groups = field(default_factory=Groups)
    therapy: Therapy = field(default_factory=Therapy)
    people: People = field(default_factory=People)
    wear: Wear = field(default_factory=Wear)
    visits: Visits = field(default_factory=Visits)
    disparity: Disparity = field(default_factory=Disparity)

    def shift(self, *, member: bool) -> Shift:
        """Return what differs in a subject's prior, given membership of the planted group."""
        return self.disparity.shift() if member else Shift()

    def mixed_people(self) -> People:
        """Return the people's parameters with the planted group at its planted share."""
        group = self.disparity
        if group.share is None:
            return self.people
        mix = dict(self.people.mixes[group.code])
        rest = sum(share for label, share in mix.items() if label != group.label)
        scaled = {label: share * (1 - group.share) / rest for label, share in mix.items()}
        mixes = {**self.people.mixes, group.code: {**scaled, group.label: group.share}}
        return replace(self.people, mixes=mixes)

    def as_record(self) -> dict[str, Any]:
        """Return every parameter, ready for JSON, as `scenario_of` reads it."""
        return asdict(self)


def read_scenario(file: Path) -> Scenario:
    """Read a scenario file.

    Raises
    ------
    ContractError
        Unreadable, or a parameter that doesn't exist or has an impossible value.
    """
    try:
        return scenario_of(parsed_toml(file.read_text("utf-8")), source=str(file))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ContractError(
            f"{file}: cannot be read as a scenario ({why})", "check the path and the TOML syntax"
        ) from error


def scenario_of(record: Mapping[str, Any], *, source: str) -> Scenario:
    """Return the scenario of a record, whose missing parameters take their defaults."""
    try:
        scenario = TypeAdapter(Scenario).validate_python(record)
    except ValidationError as error:
        faults = "; ".join(mistakes(error, Scenario))
        raise ContractError(
            f"{source}: not a scenario: {faults}",
            "correct these parameters; scenarios/ has examples",
        ) from error
    if senseless := list(_senseless(scenario.as_record())):
        raise ContractError(
            f"{source}: not a scenario: {'; '.join(senseless)}",
            "correct these parameters; scenarios/ has examples",
        )
    disparity, mixes = scenario.disparity, scenario.people.mixes
    if disparity.label not in {
        *mixes.get(disparity.code, {}),
        *_AID_LABELS.get(disparity.code, ()),
    }:
        raise ContractError(
            f"{source}: disparity: no simulated subject has {disparity.code} {disparity.label!r}",
            "use a code and a label of the simulated people",
        )
    return scenario


SHARES = frozenset({"share", "late_share", "outage_chance", "dropout", "kept", "recorded", "mixes"})
NOT_BELOW_0 = frozenset({"spread", "factor", "hours", "weeks", "width"})
"""Last words of the names of such parameters."""


def _senseless(record: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Return each number that makes no sense: not finite, a share beyond 1, a spread below 0."""
    for name, value in record.items():
        at = f"{place}{name}"
        if isinstance(value, Mapping):
            yield from _senseless(value, f"{at}.")
        elif isinstance(value, list | tuple):
            yield from _senseless({f"{name} {n + 1}": one for n, one in enumerate(value)}, place)
        elif isinstance(value, float | int) and not math.isfinite(value):
            yield f"{at} is {value}, and no number"
        elif isinstance(value, float | int):
            words = [word.partition(" ")[0] for word in at.split(".")]
            if SHARES.intersection(words) and not 0 <= value <= 1:
                yield f"{at} is {value:g}, but a share is from 0 to 1"
            elif value < 0 and words[-1].rpartition("_")[2] in NOT_BELOW_0:
                yield f"{at} is {value:g}, but it cannot be below 0"


_AID_LABELS = {"REHABCAST//WALKING_AID": ("none", "cane", "rollator", "wheelchair")}
