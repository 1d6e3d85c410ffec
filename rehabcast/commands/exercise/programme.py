"""`rehabcast exercise check`, `report`, `days` and `send`: what was done of a programme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from contracts.errors import ContractError
from contracts.exercise import Exercise, joined, read_sets
from contracts.observation import LAST_DAY, Observation
from rehabcast.commands.service.asking import UrlOption, asking, require_pseudonym, service_of
from rehabcast.commands.service.plans_file import read_plans
from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings
from stores.private_files import write_private

if TYPE_CHECKING:
    from contracts.doses.next_week import Fact
    from features.adherence.observed import Observed
    from inference.twin.exercise import ProgrammeReport

app = typer.Typer(
    no_args_is_help=True,
    help="Exercise at home: what was done of a programme, how well, and what follows.",
)

SetFiles = Annotated[
    list[Path], typer.Argument(help="Files of sets of one person, as a recogniser wrote them.")
]
ProgrammeOption = Annotated[
    Path, typer.Option("--programme", help="What is prescribed: TOML, or a FHIR CarePlan (.json).")
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"], help="Last day to look at; by default the last with a recording."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProgramme:
    """A programme that makes sense."""

    name: str
    start: date
    end: date
    exercises: int
    repetitions_a_week: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report with its sentences."""

    report: ProgrammeReport
    in_words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysWritten:
    """The daily values of a person's exercise."""

    path: Path
    days: int
    values: int
    left_out: Mapping[str, int]
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysSent:
    """Daily values that a service put on its running record."""

    subject: str
    sent: int
    on_record: int


@app.command()
def check(
    programme: Annotated[
        Path, typer.Argument(help="What is prescribed: TOML, or a FHIR CarePlan (.json).")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a programme: unknown keys, an exercise twice, sides, counts that make no sense."""
    from features.sources.records.fhir_programmes import read_any_programme

    read = read_any_programme(programme)
    result = CheckedProgramme(
        name=read.name, start=read.start, end=read.end, exercises=len(read.exercises),
        repetitions_a_week=sum(each.repetitions_a_week for each in read.exercises),
    )  # fmt: skip
    lines = [f"{read.name}: {read.start} to {read.end}", *map(_prescribed, read.exercises)]
    emit(result, "\n".join(lines), as_json=as_json)


def _prescribed(each: Exercise) -> str:
    goals = "" if each.has_goals else "; no goal, so its quality is not judged"
    return (
        f"  {each.name}, {each.side}: {each.sets} x {each.repetitions} a {each.per},"
        f" {each.repetitions_a_week} repetitions a week{goals}"
    )


@app.command()
def report(
    sets: SetFiles,
    programme: ProgrammeOption,
    as_of: AsOf = None,
    last_weeks: Annotated[
        Path | None,
        typer.Option(help=r"TOML file with \[last_weeks]: pain, fatigue and danger signs."),
    ] = None,
    language: Annotated[str, typer.Option(help="en or ur.")] = "en",
    output: Annotated[
        Path | None, typer.Option(help="Also write the report as an HTML page to print.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what was done, how well, against the plan, and which step declared rules allow.

    The step is for the therapist to accept, change or reject.
    """
    from contracts.doses.next_week import shipped_exercise_rules
    from inference.twin.exercise import report_of
    from serving.pages.exercise.sheet import as_html, as_text
    from serving.pages.rendering import LANGUAGES, Say

    if language not in LANGUAGES:
        raise ContractError(
            f"there are no words in {language!r}", f"use one of {', '.join(LANGUAGES)}"
        )
    observed, simulated = _observed(sets, programme, as_of)
    found = report_of(
        observed, shipped_exercise_rules(), _of_person(last_weeks), simulated=simulated
    )
    say = Say(language)
    text = as_text(found, say)
    if output is not None:
        write_private(output, as_html(found, say))
    emit(Reported(report=found, in_words=tuple(text.splitlines())), text, as_json=as_json)


@app.command()
def days(
    sets: SetFiles,
    programme: ProgrammeOption,
    subject: Annotated[str, typer.Option(help="Identifier of the person, as your tables have it.")],
    output: Annotated[Path, typer.Option(help="CSV table to write, a row a value.")],
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Write the daily biomarkers of exercise as a table for `cohort import` (a long table)."""
    from features.adherence.days import as_table, daily_values

    if not subject.strip():
        raise ContractError("--subject is empty", "give the identifier that your tables have")
    observed, simulated = _observed(sets, programme, as_of)
    values = daily_values(observed)
    write_private(output, as_table(subject, values))
    result = DaysWritten(
        path=output, days=len({each.day for each in values}), values=len(values),
        left_out=observed.left_out, simulated=simulated,
    )  # fmt: skip
    said = f"{len(values)} values of {result.days} days in {output}" + _left_out(observed)
    if simulated:
        said = f"SIMULATED: {said}. Write simulated = true into the map that imports them"
    emit(result, said, as_json=as_json)


@app.command()
def send(
    sets: SetFiles,
    programme: ProgrammeOption,
    subject: Annotated[str, typer.Option(help="The person, as the service knows them.")],
    onset: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Date of onset: days count from it.")
    ],
    enrolment_day: Annotated[
        int | None,
        typer.Option(
            min=0, max=LAST_DAY, help="Day of enrolment since onset, of who is not on record yet."
        ),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Last day to send; by default the one before the last recording, as that day may"
            " not be over, and what is on record does not change.",
        ),
    ] = None,
    url: UrlOption = None,
    as_json: AsJson = False,
) -> None:
    """Send the daily biomarkers of exercise to a running service (`POST /v1/observations`)."""
    from features.adherence.days import daily_values
    from serving.schemas import ObservationsRequest

    require_pseudonym(subject)
    observed, simulated = _observed(sets, programme, as_of, whole_days=True)
    if simulated:
        raise ContractError(
            "these sets are SIMULATED: nobody did them", "send what a person has done"
        )
    values = daily_values(observed)
    if not values:
        raise ContractError("there is no value to send" + _left_out(observed), "check the sets")
    if (first := values[0].day) < onset.date():
        raise ContractError(
            f"the first value is of {first}, before the onset on {onset.date()}",
            "correct --onset, or the recordings' clock",
        )
    if (today := (observed.last - onset.date()).days) > LAST_DAY:
        raise ContractError(
            f"the onset on {onset.date()} is longer ago than a record can hold", "correct --onset"
        )
    observations = [
        Observation(
            code=each.code, value=each.value, day_since_onset=(each.day - onset.date()).days
        )
        for each in values
    ]
    request = ObservationsRequest(
        subject=subject, enrolment_day=enrolment_day, observations=observations, today=today
    )
    with asking(*service_of(Settings(), url)) as client:
        recorded = client.observe(request)
    result = DaysSent(subject=recorded.subject, sent=recorded.sent, on_record=recorded.on_record)
    said = f"{recorded.sent} values sent; {recorded.on_record} on record" + _left_out(observed)
    emit(result, said, as_json=as_json)


def _observed(
    sets: list[Path], programme: Path, as_of: datetime | None, *, whole_days: bool = False
) -> tuple[Observed, bool]:
    """Return what is known of a programme by some files, and whether they are SIMULATED.

    Parameters
    ----------
    as_of
        The last day to look at; None: the last with a recording, or the one before it where only
        `whole_days` count.
    """
    from features.adherence.observed import DAY, last_day, observe
    from features.sources.records.fhir_programmes import read_any_programme

    prescribed = read_any_programme(programme)
    file = joined([read_sets(path) for path in sets])
    last = last_day(file) - DAY * whole_days if as_of is None else as_of.date()
    if last > datetime.now(UTC).date() + DAY:  # by the clock of the person it may be tomorrow
        raise ContractError(f"{last} has not come yet", "correct --as-of, or the recordings' clock")
    return observe(prescribed, file, last), file.simulated


def _of_person(path: Path | None) -> Mapping[Fact, float]:
    """Return what is known of pain, fatigue and danger signs of the last two weeks."""
    from inference.twin.next_week import facts_of

    if path is None:
        return {}
    asked = read_plans(path).last_weeks
    if asked is None:
        raise ContractError(
            f"{path}: it has no [last_weeks]", "docs/exercise-programme.md has a complete one"
        )
    if asked.adherence is not None or asked.borg is not None:
        raise ContractError(
            f"{path}: adherence is counted from the sets, and borg is not read by these rules",
            "leave both out",
        )
    return facts_of(**msgspec.structs.asdict(asked))


def _left_out(observed: Observed) -> str:
    if not observed.left_out:
        return ""
    counts = "; ".join(f"{reason} ({count})" for reason, count in observed.left_out.items())
    return f". Not counted: {counts}"
