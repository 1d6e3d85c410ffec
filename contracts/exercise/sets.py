"""What was done: sets of an exercise and the measures of each repetition, from a recogniser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field

from contracts.exercise.programme import FIRST_YEAR, LAST_YEAR, Name, Side
from contracts.task_parts.parts import Number

STRICT = ConfigDict(extra="forbid")

SLACK_S = 0.5
"""By how much a repetition may reach beyond its set, or before the one before it: the filters of
recognisers blur edges so far (local)."""

LONGEST_SET = timedelta(hours=2)
MOST_DEG, MOST_TRUNK_DEG, MOST_SECONDS = 360.0, 180.0, 120.0


def _local(value: object) -> object:
    """Return a time as it is, or what is wrong with how it is written."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no time: write 2026-03-02T10:15:00") from error
    if not isinstance(value, datetime):
        raise ValueError(f"{value!r} is no time: write 2026-03-02T10:15:00")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"{value.isoformat()} is in the year {value.year}: correct it")
    if value.tzinfo is not None:
        raise ValueError(
            f"{value.isoformat()} has an offset: write the local time of the person without one"
        )
    return value


LocalTime = Annotated[datetime, BeforeValidator(_local)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """One repetition.

    Parameters
    ----------
    start_s, end_s
        Seconds from the start of its set.
    range_deg
        Range of movement, degrees; None where it could not be measured.
    duration_s
        How long it took.
    tempo
        Share of its duration on the way up, 0 to 1.
    smoothness_sparc, smoothness_ldlj
        Spectral arc length (Balasubramanian 2015) and log dimensionless jerk: 0 or below, nearer to
        0 is smoother; None where the repetition was too short for it.
    trunk_deg
        By how much the trunk turned or leaned along (`features.exercise.trunk`); None where no
        sensor on it recorded the repetition.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    start_s: Number
    end_s: Number
    range_deg: Number | None
    duration_s: Number
    tempo: Number
    smoothness_sparc: Number | None
    smoothness_ldlj: Number | None
    trunk_deg: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseSet:
    """Repetitions of one exercise without a pause.

    Parameters
    ----------
    exercise
        Name as prescribed; None where it is none of those that the recogniser knows.
    side
        Of the limb on which the sensor was worn; None where nobody stated it.
    start, end
        Local time of whoever wore it, without an offset, as `features.recording` has it.
    repetitions
        In order.
    confidence
        Of the recognition, 0 to 1.
    model_version
        Of the recogniser.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    exercise: Name | None
    side: Side | None
    start: LocalTime
    end: LocalTime
    repetitions: tuple[Repetition, ...]
    confidence: Number
    model_version: str

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time of recording, local."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    start: LocalTime
    end: LocalTime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFile:
    """Everything that a recogniser found in some recordings of one person.

    Parameters
    ----------
    sets
        By start.
    recorded
        When the sensor recorded, so that a day without a set can be told from one that nobody
        looked at; None where the file does not say.
    simulated
        Whether nobody did them.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    sets: tuple[ExerciseSet, ...]
    recorded: tuple[Span, ...] | None = None
    simulated: Annotated[bool, Field(strict=True)] = False


def faults_of(file: SetFile) -> Iterator[tuple[str, str]]:
    """Yield what cannot be in a file of sets: its place, and what is wrong."""
    for number, each in enumerate(file.sets, 1):
        for part, fault in _of_set(each):
            yield f"set {number}{part}", fault
    for number, (before, after) in enumerate(zip(file.sets, file.sets[1:], strict=False), 2):
        if after.start < before.start:
            yield f"set {number}", "it begins before the set above it: order them by their start"
    yield from _at_once(file.sets)
    for number, span in enumerate(file.recorded or (), 1):
        if span.end <= span.start:
            yield f"recorded {number}", "it ends before it begins"


def _of_set(each: ExerciseSet) -> Iterator[tuple[str, str]]:
    if not timedelta(0) < each.end - each.start <= LONGEST_SET:
        yield "", f"it lasts {each.seconds:g} s: a set lasts more than 0 s and at most 2 h"
        return
    if not 0 <= each.confidence <= 1:
        yield ", confidence", f"{each.confidence:g} is not within 0 to 1"
    if not each.model_version.strip():
        yield ", model_version", "it is empty: nobody could tell which recogniser found the set"
    until = 0.0
    for number, repetition in enumerate(each.repetitions, 1):
        place = f", repetition {number}"
        yield from ((place, fault) for fault in _of_repetition(repetition))
        if repetition.start_s < until - SLACK_S:
            yield place, "it begins before the one before it ends"
        if repetition.end_s > each.seconds + SLACK_S:
            yield place, f"it ends at {repetition.end_s:g} s, after its set of {each.seconds:g} s"
        until = repetition.end_s


def _of_repetition(one: Repetition) -> Iterator[str]:
    if not -SLACK_S <= one.start_s < one.end_s:
        yield f"it goes from {one.start_s:g} to {one.end_s:g} s of its set"
    if not 0 < one.duration_s <= MOST_SECONDS:
        yield f"its duration_s, {one.duration_s:g}, is not within 0 to {MOST_SECONDS:g}"
    if not 0 <= one.tempo <= 1:
        yield f"its tempo, {one.tempo:g}, is not a share of its duration"
    if one.range_deg is not None and not 0 <= one.range_deg <= MOST_DEG:
        yield f"its range_deg, {one.range_deg:g}, is not within 0 to {MOST_DEG:g}"
    if one.trunk_deg is not None and not 0 <= one.trunk_deg <= MOST_TRUNK_DEG:
        yield f"its trunk_deg, {one.trunk_deg:g}, is not within 0 to {MOST_TRUNK_DEG:g}"
    for name, value in (("sparc", one.smoothness_sparc), ("ldlj", one.smoothness_ldlj)):
        if value is not None and value > 0:
            yield f"its smoothness_{name}, {value:g}, is above 0"


def _at_once(sets: Sequence[ExerciseSet]) -> Iterator[tuple[str, str]]:
    """Yield sets of one side at the same time: a file was taken twice, or a clock was set back."""
    last: dict[Side | None, datetime] = {}
    for number, each in enumerate(sets, 1):
        if (until := last.get(each.side)) is not None and each.start < until:
            worn = "of no stated side" if each.side is None else f"of the {each.side} side"
            yield (
                f"set {number}",
                f"it begins before another {worn} has ended: leave out what is there twice",
            )
        last[each.side] = max(each.end, last.get(each.side, each.end))
