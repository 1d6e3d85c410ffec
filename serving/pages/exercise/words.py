"""A report of home exercise in words for the person who did it, and for the therapist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.exercise import Exercise
from contracts.exercise.programme import DAYS_A_WEEK
from features.adherence import observed
from features.adherence.symmetry import BothSides
from features.adherence.weeks import DAYS_NEEDED, ExerciseWeek
from inference.twin.exercise import ExerciseReport, ExerciseStep, ProgrammeReport
from serving.pages.rendering import Say, later

SIDES = {"left": later("left side"), "right": later("right side")}
WHY = {
    "danger sign": later("There was a sign that somebody has to look at first."),
    "too much": later(
        "The last two weeks were too much: pain, tiredness, or less than half could be done."
    ),
    "not done as shown": later("Fewer than half of the repetitions were done as shown."),
    "little adherence": later(
        "In one of the two weeks less than four fifths of the plan was done."
    ),
    "quality does not hold": later(
        "Enough was done, but not well enough, or less well than in the week before."
    ),
    "pain rose": later("Pain rose during exercise."),
    "quality holds": later("Enough was done in both weeks, and it was done as shown."),
}
"""What the rules of `contracts/doses/rules/exercise.toml` mean, by their names."""

LEFT_OUT = {
    observed.UNKNOWN: later("movement that is none of the known exercises: %(count)s"),
    observed.NOT_PRESCRIBED: later("sets of an exercise that is not in the plan: %(count)s"),
    observed.OTHER_SIDE: later("sets of the other side: %(count)s"),
    observed.NO_SIDE: later("sets of which nobody said the side: %(count)s"),
    observed.OTHER_DAYS: later("sets before or after the days of the plan: %(count)s"),
    observed.NO_REPETITION: later("sets without a repetition: %(count)s"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseWords:
    """What is said of one exercise.

    Parameters
    ----------
    name, side
        Of the exercise.
    plan, done, well, then
        Sentences: what is in the plan; what was done of it; how well; what comes next week.
    for_therapist
        In English: the rule with its source, or what is not known.
    """

    name: str
    side: str
    plan: str
    done: tuple[str, ...]
    well: tuple[str, ...]
    then: tuple[str, ...]
    for_therapist: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWords:
    """A report in words.

    Parameters
    ----------
    title, ribbon
        Its title, and that nobody did this where it is SIMULATED.
    whole
        Sentences about all exercises together.
    exercises
        By exercise.
    sides
        Left beside right, of exercises that both sides did.
    notes
        What does not count, and what the report is not.
    """

    title: str
    ribbon: str
    whole: tuple[str, ...]
    exercises: tuple[ExerciseWords, ...]
    sides: tuple[str, ...]
    notes: tuple[str, ...]


def words_of(report: ProgrammeReport, say: Say) -> ReportWords:
    """Put a report into words."""
    simulated = later("SIMULATED: nobody did these exercises. This is an example.")
    return ReportWords(
        title=say("Your exercises up to %(day)s", day=say.date(report.last)),
        ribbon=say(simulated) if report.simulated else "",
        whole=tuple(_whole(report, say)),
        exercises=tuple(_exercise(each, say) for each in report.exercises),
        sides=tuple(line for each in report.both_sides for line in _sides(each, say)),
        notes=tuple(_notes(report, say)),
    )


def percent(share: float) -> int:
    """Return a share as people say it; never all where a part is lacking, nor none of something."""
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return 99
    return 1 if rounded == 0 and share > 0 else rounded


def _whole(report: ProgrammeReport, say: Say) -> Iterator[str]:
    if report.known_days is None:
        yield say(
            "The plan has run for less than a week: what was done of it is said from the seventh"
            " day on."
        )
        return
    yield say("Of the last 7 days %(known)s are known.", known=report.known_days)
    if not report.adherence or report.adherence[0] is None:
        yield say(
            "That is too few to say how much of the plan was done: %(needed)s are needed.",
            needed=DAYS_NEEDED,
        )
        return
    yield say("You did %(part)s%% of the plan in these days.", part=percent(report.adherence[0]))
    if len(report.adherence) > 1 and report.adherence[1] is not None:
        yield say("In the week before it was %(part)s%%.", part=percent(report.adherence[1]))


def _exercise(each: ExerciseReport, say: Say) -> ExerciseWords:
    exercise = each.exercise
    plan = {
        "day": later("Plan: %(sets)s a day, %(repetitions)s in each."),
        "week": later("Plan: %(sets)s a week, %(repetitions)s in each."),
    }[exercise.per]
    return ExerciseWords(
        name=exercise.name, side=say(SIDES[exercise.side]),
        plan=say(
            plan, sets=_sets(exercise.sets, say), repetitions=repetitions(exercise.repetitions, say)
        ),
        done=tuple(_done(each.weeks, say)), well=tuple(_well(exercise, each.weeks, say)),
        then=tuple(_then(exercise, each.step, say)), for_therapist=for_therapist(each.step),
    )  # fmt: skip


def _done(weeks: tuple[ExerciseWeek, ...], say: Say) -> Iterator[str]:
    if not weeks:
        return
    week = weeks[0]
    yield say(
        "Last 7 days: %(sets)s, %(repetitions)s.",
        sets=_sets(week.sets, say), repetitions=repetitions(week.repetitions, say),
    )  # fmt: skip
    if week.adherence is not None:
        yield say("That is %(part)s%% of the plan.", part=percent(week.adherence))
    if week.repetitions > week.prescribed and week.known_days == DAYS_A_WEEK:
        yield say("That is more than the plan asks for. Ask your therapist before you do more.")


def _well(exercise: Exercise, weeks: tuple[ExerciseWeek, ...], say: Say) -> Iterator[str]:
    if not weeks or not weeks[0].repetitions:
        return
    now, before = weeks[0].quality, weeks[1].quality if len(weeks) > 1 else None
    if now.as_shown is not None:
        yield say("Done as shown: %(part)s%% of the repetitions.", part=percent(now.as_shown))
        if before is not None and before.as_shown is not None:
            yield say("In the week before it was %(part)s%%.", part=percent(before.as_shown))
    elif exercise.has_goals:
        yield say("How well they were done cannot be said: too few repetitions could be judged.")
    else:
        yield say("How well they were done is not judged: the plan has no goal for it.")
    if now.range_deg is not None and exercise.goal_range_deg is not None:
        degrees = {"found": _number(now.range_deg, 0), "goal": _number(exercise.goal_range_deg, 0)}
        yield say("How far: typically %(found)s degrees; the goal is %(goal)s or more.", **degrees)
    if now.seconds is not None and exercise.goal_seconds is not None:
        seconds = {"found": _number(now.seconds, 1), "goal": _number(exercise.goal_seconds, 1)}
        yield say(
            "How long one took: typically %(found)s seconds; the goal is %(goal)s or more.",
            **seconds,
        )

    if now.trunk_deg is not None:
        yield say(
            "Your trunk moved along: typically by %(found)s degrees in each repetition.",
            found=_number(now.trunk_deg, 0),
        )  # fmt: skip


def _sides(both: BothSides, say: Say) -> Iterator[str]:
    if both.range_deg is not None:
        yield say(
            "%(exercise)s, how far in the last 7 days: left typically %(left)s degrees, right"
            " %(right)s. The difference is %(part)s%% of their mean.",
            exercise=say.isolated(both.exercise), left=_number(both.range_deg.left, 0),
            right=_number(both.range_deg.right, 0), part=percent(both.range_deg.asymmetry),
        )  # fmt: skip
    if both.seconds is not None:
        yield say(
            "%(exercise)s, how long one took in the last 7 days: left typically %(left)s seconds,"
            " right %(right)s. The difference is %(part)s%% of their mean.",
            exercise=say.isolated(both.exercise), left=_number(both.seconds.left, 1),
            right=_number(both.seconds.right, 1), part=percent(both.seconds.asymmetry),
        )  # fmt: skip


def _sets(count: int, say: Say) -> str:
    return say.ngettext("%(num)d set", "%(num)d sets", count)


def repetitions(count: int, say: Say) -> str:
    """Return a number of repetitions in words."""
    return say.ngettext("%(num)d repetition", "%(num)d repetitions", count)


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"


def _then(exercise: Exercise, step: ExerciseStep, say: Say) -> Iterator[str]:
    now, then = exercise.repetitions, step.repetitions
    if step.decision is None:
        yield say("What comes next week is for your therapist to say: not enough is known.")
        return
    if then is None:
        yield say("Stop this exercise, and call your therapist or doctor today.")
    elif then > now:
        yield say(
            "Next week, if your therapist agrees: %(then)s in each set instead of %(now)s.",
            then=repetitions(then, say), now=now,
        )  # fmt: skip
    elif then < now:
        yield say(
            "Next week, if your therapist agrees: only %(then)s in each set instead of %(now)s.",
            then=repetitions(then, say), now=now,
        )  # fmt: skip
    else:
        yield say("Next week: the same, %(now)s in each set.", now=repetitions(now, say))
    yield say(WHY.get(step.decision.rule.name, step.decision.rule.name))


def for_therapist(step: ExerciseStep) -> str:
    """Return the rule that decided with its standing and source, or why none did; in English."""
    if step.decision is None:
        return f"{step.reason}: {step.what_to_do}."
    rule = step.decision.rule
    because = ", ".join(
        f"{fact.replace('_', ' ')} {value:.2g}" for fact, value in step.decision.because.items()
    )
    return f"Rule {rule.name!r} ({rule.standing}): {because}. Source: {rule.source}."


def _notes(report: ProgrammeReport, say: Say) -> Iterator[str]:
    for reason, count in report.left_out.items():
        yield say("Not counted: %(what)s.", what=say(LEFT_OUT[reason], count=count))
    if report.recording == "in sessions":
        yield say("A day without a recording counts as a day without exercise.")
    yield say("More of one exercise does not make up for another one.")
    yield say(
        "The steps follow declared rules. Your therapist accepts, changes or rejects them; they are"
        " no advice to go on against pain."
    )
