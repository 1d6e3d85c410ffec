"""What commands write: never over what is not theirs, in one rule for all of them.

An output is new, or takes the place of a file of the same kind that was written before: a head, a
prediction table, the numbers of monitoring are made again and again under one name. What is made
once, because people decide in it or by it (a proposal, a draw, a key, a cohort), must be new.
Whatever else is there is somebody's, and is refused before anything is read or computed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from contracts.errors import ContractError
from rehabcast.commands.rules import kinds
from rehabcast.commands.rules.kinds import Kind
from rehabcast.output import require_place

Given = Mapping[str, Any]
"""What a command was called with, by the names of its parameters."""


def _as_named(path: Path) -> tuple[Path, ...]:
    return (path,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Something that a command writes.

    Parameters
    ----------
    parameter
        Which argument or option names it.
    kind
        What may be replaced by it; None where it must be new.
    folder
        Whether it is a folder: it is new, or empty, or has of `files` none that is not ours.
    files
        Which files are written there, the first of which tells the kind of all; of a file with a
        signature beside it, both.
    unnamed
        Where it is written if the parameter is not given.
    """

    parameter: str
    kind: Kind | None = None
    folder: bool = False
    files: Callable[[Path], tuple[Path, ...]] = _as_named
    unnamed: Callable[[Given], Path | None] = lambda _: None

    def place(self, given: Given) -> Path | None:
        """Return where a command will write it; None where it will not."""
        named = given.get(self.parameter)
        return Path(named) if isinstance(named, str | Path) else self.unnamed(given)


def _signed(path: Path) -> tuple[Path, ...]:
    from audits.ledger.signing import SIGNATURE

    return (path, path.with_name(path.name + SIGNATURE))


def _leaderboard(folder: Path) -> tuple[Path, ...]:
    from rehabcast.commands.learning.benchmark_log import LEADERBOARD_FILES

    return tuple(folder / name for name in LEADERBOARD_FILES)


def _edition(folder: Path) -> tuple[Path, ...]:
    from audits.report.monthly.picture import FILE
    from rehabcast.evidence.edition import HTML_FILE, JSON_FILE, PDF_FILE

    return tuple(folder / name for name in (JSON_FILE, HTML_FILE, PDF_FILE, FILE))


def _access(folder: Path) -> tuple[Path, ...]:
    from rehabcast.commands.service.access import ACCESS_FILE, TOKEN_KEY

    return (folder / ACCESS_FILE, folder / TOKEN_KEY)


def _beside_recogniser(given: Given) -> Path | None:
    from contracts.exercise.recogniser_audit import audit_path

    named = given.get("recogniser")
    if named is None or given.get("sets") is None:
        return None
    return audit_path(Path(named))


def _in_cohort(given: Given) -> Path | None:
    cohort = Path(given["cohort"])
    # That there is no such cohort is for who reads it to say.
    return cohort / "report.html" if cohort.is_dir() else None


def _of_site(part: str) -> Callable[[Given], Path]:
    return lambda given: Path(f"{given['site']}.{part}.json")


def _new(parameter: str) -> tuple[Output]:
    return (Output(parameter=parameter),)


def _own(parameter: str, kind: Kind) -> tuple[Output]:
    return (Output(parameter=parameter, kind=kind),)


def _new_folder(parameter: str) -> tuple[Output]:
    return (Output(parameter=parameter, folder=True),)


OUTPUTS: Mapping[str, tuple[Output, ...]] = {
    "access init": (Output(parameter="folder", folder=True, files=_access),),
    "backup": _new_folder("folder"),
    "benchmark": (
        Output(parameter="output", kind=kinds.LEADERBOARD, folder=True, files=_leaderboard),
    ),
    "cohort draw": _own("picture", kinds.PICTURE),
    "cohort export": _new_folder("destination"),
    "cohort import": _new_folder("destination"),
    "cohort map": _new("output"),
    "cohort simulate": _new_folder("destination"),
    "cohort trace": _new("output"),
    "evaluate": (Output(parameter="output", kind=kinds.PREDICTIONS, files=_signed),),
    "exercise audit": (
        Output(parameter="", kind=kinds.RECOGNISER_AUDIT, unnamed=_beside_recogniser),
    ),
    "exercise days": _own("output", kinds.EXERCISE_DAYS),
    "exercise enrol": _own("output", kinds.TEMPLATE),
    "exercise recognise": _own("output", kinds.SETS),
    "exercise report": _own("output", kinds.EXERCISE_REPORT),
    "exercise train": _own("output", kinds.RECOGNISER),
    "features report": (Output(parameter="output", kind=kinds.FEATURES, unnamed=_in_cohort),),
    "federate export": (Output(parameter="output", files=_signed, unnamed=_of_site("sums")),),
    "federate offer": (Output(parameter="output", files=_signed, unnamed=_of_site("offer")),),
    "ledger head": (Output(parameter="output", kind=kinds.LEDGER_HEAD, files=_signed),),
    "monitor compare": (Output(parameter="output", kind=kinds.PAIRS, files=_signed),),
    "monitor edition": (
        Output(parameter="output", kind=kinds.EDITION, folder=True, files=_edition),
    ),
    "monitor run": (
        Output(parameter="output", kind=kinds.PREDICTIONS, files=_signed),
        *_own("metrics", kinds.METRICS),
    ),
    "monitor trace": _new("output"),
    "people add": _new("key"),
    "plan new": _new("file"),
    "policy new": _new("file"),
    "record export": _new("output"),
    "record head": (Output(parameter="output", kind=kinds.RECORD_HEAD, files=_signed),),
    "search": _own("output", kinds.PARAMETERS),
    "task new": _new("output"),
}  # fmt: skip
"""By the words of the command. Whatever else commands write is in the home or among their own
files: the ledger, the record, models, a cohort that is added to, an access file that is changed."""

ELSEWHERE = (
    "name another one, or move that away: a command replaces only what is of the kind it writes"
)


def require_outputs(words: str, ctx: typer.Context) -> None:
    """Refuse a command that would write where it cannot, or over something else.

    Parameters
    ----------
    words
        The words of the command.

    Raises
    ------
    ContractError
        An output cannot be written there, exists and must be new, is not of the command's own
        kind, is read by the command, or is another output of it.
    """
    outputs = OUTPUTS.get(words, ())
    places = [place for each in outputs if (place := each.place(ctx.params)) is not None]
    for number, place in enumerate(places):
        _require_another_file(ctx, place, {each.parameter for each in outputs})
        if any(_is_same(place, other) for other in places[:number]):
            raise ContractError(f"{place} is to be two files at once", "name two files")
    for output in outputs:
        if (place := output.place(ctx.params)) is not None:
            _require_free(output, place)


def _require_another_file(ctx: typer.Context, place: Path, written: set[str]) -> None:
    """Refuse to write what is read: the file would be gone, and with it what it said."""
    if not place.is_file():
        return
    for parameter in ctx.command.params:
        given = ctx.params.get(parameter.name or "")
        for each in given if isinstance(given, list | tuple) else [given]:
            if parameter.name in written or not isinstance(each, Path):
                continue
            if _is_same(place, each):
                raise ContractError(
                    f"{place} is read by this command and would be written over", "name a new file"
                )


def _is_same(one: Path, other: Path) -> bool:
    if one.is_file() and other.is_file():
        return one.samefile(other)
    return one.absolute() == other.absolute()


def _require_free(output: Output, place: Path) -> None:
    if not output.folder:
        require_place(place)
    else:
        _require_folder(place)
    if output.folder and output.files is _as_named:
        if place.is_dir() and any(place.iterdir()):
            raise ContractError(f"{place} exists already", "name a new folder, or remove it first")
        return
    for file, kind in _files_of(output, place):
        if not file.exists():
            continue
        if kind is None:
            raise ContractError(f"{file} exists already", "name a new file, or remove it first")
        if not file.is_file() or not kind.is_of(file):
            raise ContractError(f"{file} exists already, and is not {kind.what}", ELSEWHERE)


def _require_folder(place: Path) -> None:
    """Refuse a folder that is a file, or that this user could not make or write to."""
    if place.exists() and not place.is_dir():
        raise ContractError(f"{place} exists already, and is no folder", "name another folder")
    there = next(each for each in (place, *place.absolute().parents) if each.exists())
    if not there.is_dir():
        raise ContractError(
            f"{place} cannot be made: {there} is no folder", "name one in another folder"
        )
    if not os.access(there, os.W_OK):
        raise ContractError(f"{place} cannot be written by this user", "name one in another folder")


def _files_of(output: Output, place: Path) -> Iterator[tuple[Path, Kind | None]]:
    """Yield what is written, and of which kind what is there must be; None for what must be new."""
    first, *others = output.files(place)
    yield first, output.kind
    for file in others:
        if not output.folder:
            yield file, kinds.SIGNATURE
        elif output.kind is None or not first.is_file():
            # Alone, it is of something else: what tells the kind of all of them is not there.
            yield file, None
