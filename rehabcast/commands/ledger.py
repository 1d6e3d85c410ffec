"""`rehabcast ledger`: the record of audits, approvals and promotions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.ledger.mirror import Drift
    from audits.ledger.records import LedgerState
    from audits.ledger.trail import Entry

app = typer.Typer(no_args_is_help=True, help="The record of audits, approvals and promotions.")

HeadArgument = Annotated[
    Path, typer.Argument(help="File to write the head to; FILE.sig will be its signature.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLedger:
    """A ledger whose chain is intact.

    Parameters
    ----------
    valid
        Always True: a broken chain is an error.
    entries, head
        Length of the trail, and the hash of its last entry.
    drift
        MLflow aliases that do not show the ledger's champion.
    """

    valid: bool = True
    entries: int
    head: str
    drift: tuple[Drift, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """One entry of the trail, its details read."""

    sequence: int
    time: str
    kind: str
    about: str
    actor: str
    payload: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The whole trail, oldest entry first."""

    entries: tuple[TrailEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorResult:
    """The MLflow aliases that had been moved by hand, and were corrected."""

    drift: tuple[Drift, ...]


@app.command()
def verify(
    head: Annotated[
        Path | None,
        typer.Option(
            help="A signed head kept elsewhere (`ledger head`): shows whether entries were cut off."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the ledger's hash chain; an entry edited, lost or moved is an error (exit 6)."""
    from audits.ledger.ledger import Ledger
    from audits.ledger.mirror import find_drift
    from audits.ledger.records import LedgerState
    from audits.ledger.signing import SIGNATURE
    from audits.ledger.signing import verify as verify_signature
    from rehabcast.signed_artifacts import trusted_keys
    from training.registry.model_versions import ChampionAliases

    settings = Settings()
    anchor = None
    if head is not None:
        signature = head.with_name(head.name + SIGNATURE)
        verify_signature(head, signature, trusted_keys(settings))
        anchor = LedgerState(**json.loads(head.read_text("utf-8")))
    ledger = Ledger(settings.ledger_url)
    state = ledger.verify(anchor)
    result = VerifiedLedger(
        entries=state.length,
        head=state.head,
        drift=tuple(find_drift(ledger, ChampionAliases(store=settings.store))),
    )
    summary = f"{state.length} entries, the chain is intact, head {state.head}"
    emit(result, "\n".join([summary, *map(str, result.drift)]), as_json=as_json)


@app.command("head")
def write_head(output: HeadArgument, as_json: AsJson = False) -> None:
    """Verify the trail and write its head, signed; keep both files apart from the ledger."""
    state = signed_head(Settings(), output)
    emit(state, f"{state.length} entries, head {state.head}", as_json=as_json)


def signed_head(settings: Settings, output: Path) -> LedgerState:
    """Verify the trail, and write its head and the signature of it.

    Raises
    ------
    IntegrityError
        The trail was changed.
    """
    from audits.ledger.ledger import Ledger
    from audits.ledger.signing import SIGNATURE, sign
    from rehabcast.signed_artifacts import signing_key

    with closing(Ledger(settings.ledger_url)) as ledger:
        state = ledger.verify()
    output.write_text(json.dumps(asdict(state)), "utf-8")
    sign(output, output.with_name(output.name + SIGNATURE), signing_key(settings))
    return state


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print the whole trail: who did what, when, to which version."""
    from audits.ledger.ledger import Ledger

    trail = Trail(entries=tuple(map(_trail_entry, Ledger(Settings().ledger_url).trail())))
    emit(trail, trail_table(trail), as_json=as_json)


def _trail_entry(entry: Entry) -> TrailEntry:
    return TrailEntry(
        sequence=entry.sequence,
        time=entry.time,
        kind=entry.kind,
        about=entry.about,
        actor=entry.actor,
        payload=entry.details(),
        previous=entry.previous,
        hash=entry.hash,
    )


def trail_table(trail: Trail) -> Table:
    """Return the trail as a table for people."""
    table = Table("entry", "time", "what", "version", "by", "outcome, role or reason")
    for entry in trail.entries:
        given = (entry.payload.get(name) for name in ("outcome", "role", "reason", "why"))
        detail = next((str(value) for value in given if value), "")
        table.add_row(str(entry.sequence), entry.time, entry.kind, entry.about, entry.actor, detail)
    return table


@app.command()
def mirror(as_json: AsJson = False) -> None:
    """Make MLflow's aliases show the ledger's champions; record which were moved by hand."""
    from audits.ledger.ledger import Ledger
    from rehabcast.signed_artifacts import mirror_aliases

    settings = Settings()
    drift = tuple(mirror_aliases(settings, Ledger(settings.ledger_url)))
    message = f"{len(drift)} alias(es) had been moved by hand."
    emit(MirrorResult(drift=drift), message, as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON schema of audit reports."""
    from audits.report.content import Report
    from rehabcast.output import stdout_console

    stdout_console.print_json(json.dumps(Report.model_json_schema()))
