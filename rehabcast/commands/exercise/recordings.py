"""`rehabcast exercise train`, `enrol` and `recognise`: from recordings of a wrist to sets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.digests import file_digest
from contracts.errors import CohortInvalid, ContractError, Problem, as_lines
from contracts.exercise import Side, write_sets
from contracts.exercise.recogniser_audit import read_recogniser_audit
from rehabcast.commands.exercise.labelled import read_labelled, require_name
from rehabcast.commands.exercise.prescribed import as_prescribed, templates_of
from rehabcast.output import AsJson, emit, stderr_console
from stores.private_files import written_whole

if TYPE_CHECKING:
    from features.importing.import_map import ImportMap
    from inference.exercise.recognise import Recognised
    from inference.exercise.templates import Template

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

    declared = read_import_map(map_file)
    labelled = read_labelled(sets, declared).sets
    exercises, heads = fit_heads(labelled, seed)
    people = len({each.person for each in labelled})
    simulated = declared.simulated
    with written_whole(output) as draft:
        made = write_recogniser(draft, exercises, heads, people=people, simulated=simulated)
    result = TrainedRecogniser(
        path=output, version=made.version, exercises=exercises, people=people, sets=len(labelled)
    )
    said = (
        f"{output}: recogniser {made.version} of {', '.join(exercises)}, from {len(labelled)}"
        f"{' SIMULATED' if simulated else ''} sets of {people} people"
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

    require_name(exercise, "--exercise")
    model = read_recogniser(recogniser)
    shown = read_recording(recording, read_import_map(map_file))
    template = enrolled(shown.motions, shown.side, exercise, model, name=recording.name)
    with written_whole(output) as draft:
        write_template(draft, template)
    result = Enrolled(
        path=output, sha256=file_digest(output), exercise=exercise, side=template.side,
        repetitions=template.repetitions,
    )  # fmt: skip
    said = (
        f"{output}: {template.repetitions} repetitions of {exercise}, {template.side}. Write into"
        f' the programme, under this exercise:\ntemplate = "{output.name}"\n'
        f'template_sha256 = "{result.sha256}"'
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
    trunk: Annotated[
        Path | None,
        typer.Option(help="Recording of the trunk by the same clock: how far it moves along."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the sets of a recording, and count and measure their repetitions.

    Only by a recogniser that was audited by group (`exercise audit`).
    """
    from features.exercise.recordings import read_recording
    from features.importing.import_map import read_import_map
    from features.sources.records.fhir_programmes import read_any_programme
    from inference.exercise.recognise import recognise as recognised
    from inference.exercise.recogniser import read_recogniser

    model = read_recogniser(recogniser)
    read_recogniser_audit(recogniser, model.version)
    prescribed = None if programme is None else read_any_programme(programme)
    read = read_recording(recording, read_import_map(map_file))
    templates: tuple[Template, ...] = ()
    if prescribed is not None and programme is not None:
        templates = templates_of(prescribed, programme.parent, read, model)
    found = recognised(
        read.motions, read.side, model, templates, name=recording.name, simulated=read.simulated
    )
    if prescribed is not None:
        found = as_prescribed(found, prescribed, read.side)
    if trunk is not None:
        found = _beside_trunk(found, trunk, read_import_map(map_file))
    with written_whole(output) as draft:
        write_sets(draft, found.file)
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


def _beside_trunk(found: Recognised, path: Path, declared: ImportMap) -> Recognised:
    """Return sets with the movement of the trunk; refuse a recording that holds none of them."""
    from features.exercise.recordings import read_trunk
    from features.exercise.trunk import with_trunk

    sets = with_trunk(found.file.sets, read_trunk(path, declared))
    if sets and not any(one.trunk_deg is not None for each in sets for one in each.repetitions):
        raise ContractError(
            f"{path.name}: it holds none of the {len(sets)} sets of the wrist",
            "give the recording of the trunk of the same time, by the same clock",
        )
    return replace(found, file=replace(found.file, sets=sets))


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
