"""What was done of a programme of home exercise, and the step that declared rules allow of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from contracts.doses.next_week import DoseRules, Fact
from contracts.errors import ForecastRefused
from contracts.exercise import Exercise, Recording
from features.adherence.observed import Observed
from features.adherence.symmetry import BothSides, both_sides
from features.adherence.weeks import ExerciseWeek, adherence_of, days_of_week, weeks_of
from inference.twin.next_week import Decision, after, decide, facts_of

MOST_WEEKS = 4
"""Weeks that a report looks back on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseStep:
    """Next week's dose of an exercise.

    Parameters
    ----------
    decision
        What the rules say; None where they say nothing.
    repetitions
        Of a set; None where it is to stop, or nothing is said.
    reason, what_to_do
        Why nothing is said.
    """

    decision: Decision | None = None
    repetitions: int | None = None
    reason: str = ""
    what_to_do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseReport:
    """One exercise of a report.

    Parameters
    ----------
    weeks
        The last first; none where the programme has run for less than a week.
    step
        Next week's dose.
    """

    exercise: Exercise
    weeks: tuple[ExerciseWeek, ...]
    step: ExerciseStep


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeReport:
    """What was done of a programme up to a day, how well, and what follows.

    Parameters
    ----------
    name, recording
        Of the programme (`contracts.exercise.Programme`).
    last
        The last day that was looked at.
    known_days
        How many of the last seven days are known; None before there are seven.
    adherence
        Share of what is prescribed, all exercises together, of the last weeks, the last first;
        None where too few days of a week are known.
    exercises
        In the programme's order.
    both_sides
        Left beside right in the last seven days, of exercises that both did.
    left_out
        How many sets do not count, by reason.
    model_versions
        Of the recognisers that found the sets.
    simulated
        Whether nobody did them.
    """

    name: str
    recording: Recording
    last: date
    known_days: int | None
    adherence: tuple[float | None, ...]
    exercises: tuple[ExerciseReport, ...]
    both_sides: tuple[BothSides, ...]
    left_out: Mapping[str, int]
    model_versions: tuple[str, ...]
    simulated: bool


def report_of(
    observed: Observed, rules: DoseRules, of_person: Mapping[Fact, float], *, simulated: bool
) -> ProgrammeReport:
    """Return what was done of a programme, and what follows.

    Parameters
    ----------
    of_person
        What is known of the last two weeks besides: pain, fatigue, danger signs
        (`inference.twin.next_week.facts_of`).
    """
    exercises = tuple(
        _of_exercise(observed, exercise, rules, of_person)
        for exercise in observed.programme.exercises
    )
    count = max(len(each.weeks) for each in exercises)
    days = days_of_week(observed, observed.last)
    found = {each.model_version for sets in observed.sets.values() for each in sets}
    return ProgrammeReport(
        name=observed.programme.name, recording=observed.programme.recording,
        last=observed.last,
        known_days=None if days is None else sum(day in observed.days for day in days),
        adherence=tuple(
            adherence_of(each.weeks[back] for each in exercises) for back in range(count)
        ),
        exercises=exercises,
        both_sides=both_sides(
            (exercise, each)
            for exercise in observed.programme.exercises
            for day in days or ()
            for each in observed.on(day, exercise)
        ),
        left_out=observed.left_out, model_versions=tuple(sorted(found)),
        simulated=simulated,
    )  # fmt: skip


def _of_exercise(
    observed: Observed, exercise: Exercise, rules: DoseRules, of_person: Mapping[Fact, float]
) -> ExerciseReport:
    weeks = tuple(islice(weeks_of(observed, exercise), MOST_WEEKS))
    return ExerciseReport(
        exercise=exercise, weeks=weeks, step=_step(exercise, weeks, rules, of_person)
    )


def _step(
    exercise: Exercise,
    weeks: tuple[ExerciseWeek, ...],
    rules: DoseRules,
    of_person: Mapping[Fact, float],
) -> ExerciseStep:
    try:
        decision = decision_of(
            [(week.adherence, week.quality.as_shown) for week in weeks], rules, of_person
        )
    except ForecastRefused as refusal:
        return ExerciseStep(
            reason=refusal.reason, what_to_do=_what_lacks(exercise, weeks) or refusal.what_to_do
        )
    return ExerciseStep(
        decision=decision, repetitions=repetitions_after(decision, rules, exercise.repetitions)
    )


def decision_of(
    weeks: Sequence[tuple[float | None, float | None]],
    rules: DoseRules,
    of_person: Mapping[Fact, float],
) -> Decision:
    """Apply the rules to what was done in the last two weeks, and how well.

    Parameters
    ----------
    weeks
        Share done of what is prescribed, and share done as shown, of each week, the last first.

    Raises
    ------
    ForecastRefused
        Something that the rules read is not known, and nothing that is known calls for less.
    """
    earlier_first = list(weeks[:2])[::-1]
    done, well = ([each[at] for each in earlier_first] for at in (0, 1))
    own = facts_of(
        adherence=[share for share in done if share is not None],
        quality=[share for share in well if share is not None],
    )
    return decide(rules, {**of_person, **own})


def _what_lacks(exercise: Exercise, weeks: tuple[ExerciseWeek, ...]) -> str:
    """Return what to do where the record of the exercise lacks what rules read, if it does."""
    if not exercise.has_goals:
        return "give the exercise a goal in the programme, so that its quality can be judged"
    if len(weeks) < 2:
        return "wait until two weeks of the programme have passed"
    if any(week.adherence is None or week.quality.as_shown is None for week in weeks[:2]):
        return "record more days, and sets whose repetitions can be measured"
    return ""


def repetitions_after(decision: Decision, rules: DoseRules, now: int) -> int | None:
    """Return the repetitions of a set after a step; None where exercise is to stop.

    A step is at least one repetition, and never leads to none.
    """
    then = after(decision.action, rules, now)
    if then is None:
        return None
    if decision.action == "progress":
        return max(round(then), now + 1)
    return max(1, min(round(then), now - 1)) if decision.action == "regress" else now
