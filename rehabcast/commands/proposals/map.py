"""`rehabcast cohort map`: looks at tables and proposes the map that reads them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rehabcast.output import AsJson, emit, stderr_console
from stores.private_files import written_whole

if TYPE_CHECKING:
    from features.mapping.answers import Place
    from features.mapping.findings import Finding, MapProposal

LEAVE, NOT_THAT, OUT = "", "-", "x"
OUT_MEANS = {
    "code": "to leave the column out",
    "missing": "where it is a value",
    "labels": "where it stands for a missing value",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapWritten:
    """A proposed map.

    Parameters
    ----------
    map
        The file that was written.
    open_points
        How many guesses and questions a person has to decide before it is imported.
    proposal
        What was found, with the reasons.
    """

    map: Path
    open_points: int
    proposal: MapProposal


def map_(
    sources: Annotated[
        list[Path], typer.Argument(metavar="SOURCE...", help="Tables, or folders with tables.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", help="Map to write, beside the tables; must not exist yet."),
    ],
    ask: Annotated[
        bool | None,
        typer.Option(
            "--ask/--no-ask",
            help="Ask now what is open, as on a terminal; else the map holds the questions.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at tables of any form and write a map of them, for a person to confirm.

    What the files prove is filled in; what is likely is marked `confirm = true`; what nobody can
    tell is "?". `cohort import` refuses the map until all of that is decided. No patient's value is
    written or shown: ranges, and labels, that fewer than 11 people have are left out.
    """
    from contracts.naming.open_points import open_points
    from contracts.naming.parsing import parsed_toml
    from features.mapping.answers import answered
    from features.mapping.proposal import propose_map
    from features.mapping.writing import map_text
    from features.sources.column_map import LITERAL
    from features.sources.formats import export_of

    proposal = propose_map(sources, output.parent, export_of)
    on_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if on_terminal if ask is None else ask:
        proposal = answered(proposal, _ask)
    text = map_text(proposal, output.name)
    with written_whole(output, new=True) as draft:
        draft.write_text(text, "utf-8")
    count = len(open_points(parsed_toml(text), LITERAL))
    written = MapWritten(map=output, open_points=count, proposal=proposal)
    emit(written, _summary(written), as_json=as_json)


def _summary(written: MapWritten) -> str:
    from features.mapping.wording import note_in_words

    tables = written.proposal.tables
    read = sum(bool(column.findings) for table in tables for column in table.columns)
    out = sum(column.left_out is not None for table in tables for column in table.columns)
    what = f"{written.map}: {read} columns or names are known, {out} are left out."
    todo = (
        f"{written.open_points} point(s) are open, guesses or questions: read the map and decide"
        " them."
        if written.open_points
        else "Nothing is open."
        if read
        else "As it is the map reads nothing, so nothing can be imported: write a column first."
    )
    after = f"Then: rehabcast cohort import auto {written.map} COHORT"
    return "\n".join([what, *map(note_in_words, written.proposal.notes), todo, after])


def _ask(place: Place, finding: Finding) -> str | None:
    """Ask one question on the terminal; None where it is left open."""
    from contracts.naming.open_points import OPEN
    from features.mapping.answers import LEAVE_OUT
    from features.mapping.findings import Standing
    from features.mapping.wording import option_in_words, question

    where = ", ".join(part for part in (place.file, place.column) if part)
    stderr_console.print(f"\n{where + ': ' if where else ''}{question(finding)}")
    options = [option for option in finding.options if option.value != OPEN]
    for number, option in enumerate(options, start=1):
        stderr_console.print(f"  {number}  {option_in_words(finding.key, option)}")
    likely = finding.standing is Standing.GUESSED
    hint = "number, or another answer; Enter for 1, - to leave it open" if likely else (
        "number, or an answer; Enter to leave it open"
    )  # fmt: skip
    if finding.key in OUT_MEANS:
        hint = f"{hint}; {OUT} {OUT_MEANS[finding.key]}"
    said = str(typer.prompt(hint, default=LEAVE, show_default=False, err=True)).strip()
    if said == NOT_THAT or (said == LEAVE and not likely):
        return None
    if said == OUT and finding.key in OUT_MEANS:
        return LEAVE_OUT
    if said == LEAVE:
        return options[0].value
    if said.isdecimal() and 1 <= int(said) <= len(options):
        return options[int(said) - 1].value
    return said
