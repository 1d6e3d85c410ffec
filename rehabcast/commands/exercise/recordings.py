"""`rehabcast exercise train`, `enrol` and `recognise`: from recordings of a wrist to sets."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.digests import file_digest
from contracts.errors import CohortInvalid, ContractError, IntegrityError, Problem, as_lines
from contracts.exercise import Programme, Side, write_sets
from rehabcast.output import AsJson, emit, require_place, stderr_console

if TYPE_CHECKING:
    from features.exercise.recordings import Recording
    from features.importing.import_map import ImportMap
    from inference.exercise.recognise import Recognised
    from inference.exercise.recogniser import Recogniser
    from inference.exercise.templates import Template
    from training.exercise.fit import LabelledSet

COLUMNS = ("file", "person", "exercise")
MapOption = Annotated[
    Path,
    typer.Option("--map", help="TOML map: columns, units, rate and wrist of the recordings."),
]
RecogniserOption = Annotated[
    Path, typer.Option("--recogniser", help="File that `exercise train` wrote.")
]
Output = Annotated[Path, typer.Option(help="File to write.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRecogniser:
    """A recogniser that was fitted and written."""

    path: Path
    version: str
    exercises: tuple[str, ...]
    people: int
    sets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A template of demonstrated repetitions."""

    path: Path
    sha256: str
    exercise: str
    side: Side
    repetitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetsWritten:
    """The sets of a recording.

    Parameters
    ----------
    sets, unknown, repetitions
        How many, how many of them are no exercise that is known, and the repetitions of the others.
    """

    path: Path
    sets: int
    unknown: int
    repetitions: int
    model_version: str
    simulated: bool
    problems: tuple[Problem, ...]


def train(
    sets: Annotated[
        Path, typer.Argument(help="CSV with file, person, exercise: each file is one set.")
    ],
    map_file: MapOption,
    output: Output,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random number.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit a recogniser of exercises from recordings of sets whose exercise is known."""
    from features.importing.import_map import read_import_map
    from training.exercise.fit import fit_heads
    from training.exercise.write import write_recogniser

    require_place(output)
    labelled = _labelled(sets, read_import_map(map_file))
    exercises, heads = fit_heads(labelled, seed)
    people = len({each.person for each in labelled})
    made = write_recogniser(output, exercises, heads, people=people)
    result = TrainedRecogniser(
        path=output, version=made.version, exercises=exercises, people=people, sets=len(labelled)
    )
    said = (
        f"{output}: recogniser {made.version} of {', '.join(exercises)}, from {len(labelled)} sets"
        f" of {people} people"
    )
    emit(result, said, as_json=as_json)


def enrol(
    recording: Annotated[Path, typer.Argument(help="Recording of the demonstrated repetitions.")],
    map_file: MapOption,
    recogniser: RecogniserOption,
    exercise: Annotated[str, typer.Option(help="What was demonstrated, as the programme says.")],
    output: Output,
    as_json: AsJson = False,
) -> None:
    """Keep a few demonstrated repetitions of a person as the template of an exercise."""
    from features.exercise.recordings import read_recording
    from features.importing.import_map import read_import_map
    from inference.exercise.enrol import enrolled
    from inference.exercise.recogniser import read_recogniser
    from inference.exercise.templates import write_template

    require_place(output)
    model = read_recogniser(recogniser)
    shown = read_recording(recording, read_import_map(map_file))
    template = enrolled(shown.motions, shown.side, exercise, model, name=recording.name)
    write_template(output, template)
    result = Enrolled(
        path=output, sha256=file_digest(output), exercise=exercise, side=template.side,
        repetitions=template.repetitions,
    )  # fmt: skip
    said = (
        f"{output}: {template.repetitions} repetitions of {exercise}, {template.side}; in the"
        f' programme: template = "{output.name}", template_sha256 = "{result.sha256}"'
    )
    emit(result, said, as_json=as_json)


def recognise(
    recording: Annotated[Path, typer.Argument(help="Recording of one wrist, of any length.")],
    map_file: MapOption,
    recogniser: RecogniserOption,
    output: Output,
    programme: Annotated[
        Path | None,
        typer.Option(help="What is prescribed (TOML, FHIR): anything else is unknown."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the sets of a recording, and count and measure their repetitions."""
    from features.exercise.recordings import read_recording
    from features.importing.import_map import read_import_map
    from features.sources.records.fhir_programmes import read_any_programme
    from inference.exercise.recognise import recognise as recognised
    from inference.exercise.recogniser import read_recogniser

    require_place(output)
    model = read_recogniser(recogniser)
    prescribed = None if programme is None else read_any_programme(programme)
    read = read_recording(recording, read_import_map(map_file))
    templates: tuple[Template, ...] = ()
    if prescribed is not None and programme is not None:
        templates = _templates(prescribed, programme.parent, read, model)
    found = recognised(read.motions, read.side, model, templates, name=recording.name)
    if prescribed is not None:
        found = _as_prescribed(found, prescribed, read.side)
    write_sets(output, found.file)
    known = [each for each in found.file.sets if each.exercise is not None]
    result = SetsWritten(
        path=output, sets=len(found.file.sets), unknown=len(found.file.sets) - len(known),
        repetitions=sum(len(each.repetitions) for each in known), model_version=model.version,
        simulated=found.file.simulated, problems=(*read.dropped, *found.problems),
    )  # fmt: skip
    emit(result, _table(found, output), as_json=as_json)
    if not as_json:
        for line in as_lines(result.problems, CohortInvalid.SHOWN, "--json lists all"):
            stderr_console.print(f"  {line}")


def _labelled(table: Path, declared: ImportMap) -> list[LabelledSet]:
    from features.exercise.recordings import read_recording
    from training.exercise.fit import LabelledSet

    advice = f"write a CSV table with the columns {', '.join(COLUMNS)}"
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise ContractError(f"{table}: cannot be read ({error.strerror})", advice) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ContractError(f"{table}: it is no table: {error}", advice) from error
    made = []
    for number, row in enumerate(rows, 2):
        if empty := [name for name in COLUMNS if not (row.get(name) or "").strip()]:
            raise ContractError(f"{table}, row {number}: {empty[0]} is missing", advice)
        read = read_recording(table.parent / row["file"].strip(), declared)
        longest = max(read.motions, key=lambda each: each.seconds)
        made.append(
            LabelledSet(
                person=row["person"].strip(), side=read.side, exercise=row["exercise"].strip(),
                values_T6=longest.values_T6,
            )
        )  # fmt: skip
    return made


def _templates(
    prescribed: Programme, folder: Path, recording: Recording, model: Recogniser
) -> tuple[Template, ...]:
    """Return the templates of a programme's exercises of one side: of all of them, or of none."""
    from inference.exercise.templates import read_template

    side, gyroscope = recording.side, all(each.has_rotation for each in recording.motions)
    own = [each for each in prescribed.exercises if each.side == side]
    named = {each.name: folder / each.template for each in own if each.template is not None}
    if not named:
        return ()
    if lacking := [each.name for each in own if each.name not in named]:
        raise ContractError(
            f"{lacking[0]!r} of the {side} side has no template, and others have",
            "enrol it (`rehabcast exercise enrol`), or take the templates of the others out",
        )
    read = []
    for each in own:
        path = named[each.name]
        file = read_template(path, model.version)
        if each.template_sha256 is not None and file_digest(path) != each.template_sha256:
            raise IntegrityError(
                f"{path}: it is not the template that the programme was written with",
                "enrol the exercise again, and write its digest into the programme",
            )
        if (file.exercise.casefold(), file.side) != each.key:
            raise ContractError(
                f"{path}: it is a template of {file.exercise!r}, {file.side}, and the programme"
                f" names it for {each.name!r}, {each.side}",
                "name the right file in the programme",
            )
        if file.gyroscope != gyroscope:
            raise ContractError(
                f"{path}: only one of it and the recording was made with a gyroscope",
                "enrol the exercise with the device and settings of the recordings",
            )
        read.append(replace(file.template(), exercise=each.name))
    return tuple(read)


def _as_prescribed(found: Recognised, prescribed: Programme, side: Side) -> Recognised:
    """Return what was found under the programme's names; what it does not prescribe is unknown."""
    sets = []
    for each in found.file.sets:
        exercise = prescribed.exercise(each.exercise, side)
        name = None if exercise is None else exercise.name
        confidence = each.confidence if name is not None else 0.0
        sets.append(replace(each, exercise=name, confidence=confidence))
    return replace(found, file=replace(found.file, sets=tuple(sets)))


def _table(found: Recognised, output: Path) -> Table:
    simulated = " (SIMULATED)" if found.file.simulated else ""
    table = Table(
        "start", "side", "exercise", "repetitions", "range deg", "seconds each", "confidence",
        title=f"sets in {output}{simulated}",
    )  # fmt: skip
    for each in found.file.sets:
        ranges = sorted(one.range_deg for one in each.repetitions if one.range_deg is not None)
        times = sorted(one.duration_s for one in each.repetitions)
        table.add_row(
            each.start.isoformat(sep=" ", timespec="seconds"), each.side or "not stated",
            each.exercise or "unknown", str(len(each.repetitions)),
            f"{ranges[len(ranges) // 2]:.0f}" if ranges else "not known",
            f"{times[len(times) // 2]:.1f}" if times else "not known", f"{each.confidence:.2f}",
        )  # fmt: skip
    counts = Counter(each.exercise or "unknown" for each in found.file.sets)
    table.caption = "; ".join(f"{name}: {count}" for name, count in sorted(counts.items()))
    return table
