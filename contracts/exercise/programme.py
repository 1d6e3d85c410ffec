"""A programme of home exercise: what a therapist prescribes, as data."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from contracts.declarations import read_declaration
from contracts.task_parts.parts import Number, Strict, Whole

Side = Literal["left", "right"]
Per = Literal["day", "week"]
Recording = Literal["all day", "in sessions"]

DAYS_A_WEEK = 7
MOST_EXERCISES, MOST_WEEKS = 30, 104
FIRST_YEAR, LAST_YEAR = 1990, 2199
"""Other years are slips; wearables begin about then."""
MOST_REPETITIONS_A_DAY = 2_000
"""Of one exercise: more is a slip, as trials of high repetition ask for some hundreds (local)."""

Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^\S(.*\S)?$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Exercise(Strict):
    """One prescribed exercise of one side.

    Parameters
    ----------
    name
        As the therapist and the recogniser call it.
    side
        Of the limb that does it; an exercise of both sides stands there twice.
    sets, per, repetitions
        So many sets a day or a week, of so many repetitions.
    goal_range_deg, goal_seconds, goal_smoothness
        What a repetition reaches that is done as shown: its range in degrees, the shortest time
        that it takes, and its smoothness (SPARC, 0 or below; nearer to 0 is smoother). What has no
        goal is not judged.
    template, template_sha256
        File of the demonstrated repetitions, relative to the programme's, and its digest.
    """

    name: Name
    side: Side
    sets: Annotated[Whole, Field(ge=1, le=100)]
    per: Per
    repetitions: Annotated[Whole, Field(ge=1, le=500)]
    goal_range_deg: Annotated[Number, Field(gt=0, le=360)] | None = None
    goal_seconds: Annotated[Number, Field(gt=0, le=60)] | None = None
    goal_smoothness: Annotated[Number, Field(ge=-50, le=0)] | None = None
    template: Name | None = None
    template_sha256: Digest | None = None

    @property
    def key(self) -> tuple[str, Side]:
        """What makes it another exercise: name, whatever its capitals, and side."""
        return self.name.casefold(), self.side

    @property
    def sets_a_week(self) -> int:
        """Prescribed sets a week."""
        return self.sets * (DAYS_A_WEEK if self.per == "day" else 1)

    @property
    def repetitions_a_week(self) -> int:
        """Prescribed repetitions a week."""
        return self.sets_a_week * self.repetitions

    @property
    def has_goals(self) -> bool:
        """Whether the quality of a repetition can be judged."""
        return (self.goal_range_deg, self.goal_seconds, self.goal_smoothness) != (None, None, None)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        a_day = self.repetitions_a_week / DAYS_A_WEEK
        if a_day > MOST_REPETITIONS_A_DAY:
            raise ValueError(
                f"{self.name!r} asks for {a_day:,.0f} repetitions a day, and more than"
                f" {MOST_REPETITIONS_A_DAY:,} are a slip: correct sets, per or repetitions"
            )
        if self.template_sha256 is not None and self.template is None:
            raise ValueError(f"{self.name!r} has the digest of a template and no template: name it")
        return self


class Programme(Strict):
    """Exercises that are prescribed for some weeks.

    Parameters
    ----------
    name
        What therapist and patient call it.
    start, weeks
        First day, and for how long.
    recording
        `all day`: the sensor is worn all day, and a day of too little recording is not known. `in
        sessions`: it is put on to exercise, and a day without a recording is one without exercise.
    exercises
        Each name once a side.
    """

    name: Name
    start: Annotated[date, Field(strict=True)]
    weeks: Annotated[Whole, Field(ge=1, le=MOST_WEEKS)]
    recording: Recording
    exercises: Annotated[tuple[Exercise, ...], Field(min_length=1, max_length=MOST_EXERCISES)]

    @property
    def end(self) -> date:
        """The last day."""
        return self.start + timedelta(days=DAYS_A_WEEK * self.weeks - 1)

    def exercise(self, name: str | None, side: Side | None) -> Exercise | None:
        """Return the prescribed exercise of a name and a side; None where it is not prescribed."""
        wanted = None if name is None else (name.casefold(), side)
        return next((each for each in self.exercises if each.key == wanted), None)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not FIRST_YEAR <= self.start.year <= LAST_YEAR:
            raise ValueError(f"it begins in the year {self.start.year}: correct start")
        counts = Counter(each.key for each in self.exercises)
        if twice := [key for key, count in counts.items() if count > 1]:
            name, side = twice[0]
            raise ValueError(
                f"{name!r} of the {side} side is prescribed twice: write it once, with all its sets"
            )
        return self


ADVICE = "correct the file; docs/exercise-programme.md has a complete one"


def read_programme(path: Path) -> Programme:
    """Read a TOML file of a programme.

    Raises
    ------
    ContractError
        It can't be read or breaks the contract: each key, what was found and what to write.
    """
    return read_declaration(
        path, Programme, "a programme of exercise", ADVICE, kind="exercise-programme"
    )
