"""`rehabcast ledger`: the record of audits, approvals and promotions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from contracts.naming.names import shown
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
        MLflow aliases that do not show the ledger's champion; None where MLflow did not answer.
    names_verified
        Whether people sign with their own keys, which were verified; False in a one-person trial.
    """

    valid: bool = True
    entries: int
    head: str
    drift: tuple[Drift, ...] | None
    names_verified: bool


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
    from rehabcast.auditing.mirroring import drifted_aliases
    from rehabcast.identity import open_ledger, say_if_trial

    settings = Settings()
    anchor = None if head is None else _read_head(settings, head)
    ledger = open_ledger(settings)
    state = ledger.verify(anchor)
    result = VerifiedLedger(
        entries=state.length,
        head=state.head,
        drift=drifted_aliases(settings, ledger),
        names_verified=ledger.identities.people is not None,
    )
    say_if_trial(ledger)
    summary = f"{state.length} entries, the chain is intact, head {state.head}"
    emit(result, "\n".join([summary, *map(str, result.drift or ())]), as_json=as_json)


def _read_head(settings: Settings, head: Path) -> LedgerState:
    from audits.ledger.records import LedgerState
    from rehabcast.signed_artifacts import trusted_keys
    from rehabcast.signed_heads import read_head

    return read_head(head, trusted_keys(settings), lambda said: LedgerState(**said), "ledger")


@app.command("head")
def head(output: HeadArgument, as_json: AsJson = False) -> None:
    """Verify the trail and write its head, signed; keep both files apart from the ledger."""
    state = signed_head(Settings(), output)
    emit(state, f"{state.length} entries, head {state.head}", as_json=as_json)


def signed_head(settings: Settings, output: Path) -> LedgerState:
    """Verify the trail, and write its head and the signature of it.

    Raises
    ------
    IntegrityError
        The trail was changed.
    ContractError
        The file cannot be written.
    """
    from rehabcast.identity import open_ledger
    from rehabcast.signed_artifacts import signing_key
    from rehabcast.signed_heads import write_head

    with closing(open_ledger(settings)) as ledger:
        state = ledger.verify()
    write_head(output, asdict(state), signing_key(settings))
    return state


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print the whole trail: who did what, when, to which version, why and until when."""
    from rehabcast.identity import read_trail

    # Without people's keys: `ledger verify` verifies signatures, this shows whose they are.
    trail = Trail(entries=tuple(map(_trail_entry, read_trail(Settings()))))
    emit(trail, trail_table(trail, datetime.now(UTC)), as_json=as_json)


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


def trail_table(trail: Trail, now: datetime) -> Table:
    """Return the trail as a table for people; names and reasons are text, never markup."""
    table = Table("entry", "time", "what", "version", "by", "name", "details", show_lines=True)
    for entry in trail.entries:
        cells = (entry.time, entry.kind, entry.about, entry.actor, _identity(entry))
        lines = "\n".join(shown(line) for line in _details(entry, now))
        table.add_row(str(entry.sequence), *(Text(shown(cell)) for cell in cells), Text(lines))
    return table


def _identity(entry: TrailEntry) -> str:
    identity = entry.payload.get("identity")
    return f"key {identity['key'][:12]}" if isinstance(identity, dict) else "not verified"


def _details(entry: TrailEntry, now: datetime) -> Iterator[str]:
    """Say what an entry records, a line each."""
    from audits.ledger.trail import CHAMPION_CHANGES

    payload = entry.payload
    if entry.kind in CHAMPION_CHANGES:
        yield from _champion_details(payload["champion"], payload, entry.kind, now)
    elif entry.kind == "audit":
        yield from _audit_details(payload, now)
    elif entry.kind == "approval":
        yield f"as {payload['role']}, of the report {payload['report_digest'][:12]}"
        yield f"reason: {payload['reason']}"
    elif entry.kind == "change plan":
        kinds = ", ".join(change["kind"] for change in payload["plan"]["changes"])
        yield f"version {payload['plan']['version']}, {payload['digest'][:12]}"
        yield f"allows: {kinds}"
    elif entry.kind == "plan approval":
        yield f"as {payload['role']}, of the plan of entry {payload['plan']}"
        yield f"reason: {payload['reason']}"
    elif entry.kind == "warning":
        yield f"of {payload['what']}: {payload['evidence']['said']}"
    elif entry.kind == "proposal":
        yield from _proposal_details(entry)
    elif entry.kind == "drift":
        yield f"the alias pointed at {payload['found'] or 'no version'}"
    else:
        yield from (f"{name}: {v}" for name, v in payload.items() if name != "identity")


def _audit_details(payload: Mapping[str, Any], now: datetime) -> Iterator[str]:
    from audits.judging.wording import scope_in_words
    from audits.ledger.records import scope_of

    yield f"outcome: {payload['outcome']}"
    if (scope := scope_of(payload)) is not None:
        yield from scope_in_words(scope)
    for each in payload.get("shown_in_service", ()):
        group = f"{each['attribute']}: {each['label']}"
        yield f"takes the proposal of entry {each['entry']} ({each['digest'][:12]}), {group}"
    yield f"report {payload['report_digest'][:12]}, {_validity(payload['valid_until'], now)}"


def _proposal_details(entry: TrailEntry) -> Iterator[str]:
    payload, evidence = entry.payload, entry.payload["evidence"]
    yield f"{payload['attribute']}: {payload['label']} may be served by the outcomes"
    yield f"e-value {evidence['e_value']:g}, needed {evidence['needed']:g}"
    yield f"it changes nothing: `rehabcast audit {entry.about} --proposal {entry.sequence}`"


def _champion_details(
    champion: Mapping[str, Any], payload: Mapping[str, Any], kind: str, now: datetime
) -> Iterator[str]:
    back = f", back to epoch {payload['to_epoch']}" if "to_epoch" in payload else ""
    yield f"epoch {champion['epoch']}{back}"
    if "why" in payload:
        yield f"reason: {payload['why']}"
    for group in payload.get("restricted", ()):
        rules = ", ".join(group["rules"])
        yield f"no longer for {group['attribute']}: {group['label']} (broken: {rules})"
    if (evidence := payload.get("evidence")) is not None:
        yield f"evidence: {evidence['said']}"
    if champion["revoked"] is not None:
        yield f"reason: {champion['revoked']}"
        return
    yield f"audit: {champion['outcome']}, report {champion['report_digest'][:12]}"
    yield f"approved by {champion['ml_owner']} (ml-owner), {champion['governance']} (governance)"
    if champion["approver"] is not None:
        yield f"override by {champion['approver']} until {champion['override_until']}"
        yield f"reason: {champion['reason']}"
        yield f"only for: {champion['restricted_use']}"
    yield f"promoted {champion['promoted_at']}, {_validity(champion['valid_until'], now)}"


def _validity(until: str, now: datetime) -> str:
    expired = datetime.fromisoformat(until) <= now
    return f"valid until {until}{' (expired)' if expired else ''}"


@app.command()
def mirror(as_json: AsJson = False) -> None:
    """Make MLflow's aliases show the ledger's champions; record which were moved by hand."""
    from rehabcast.auditing.mirroring import show_champions
    from rehabcast.identity import open_ledger

    settings = Settings()
    drift = show_champions(settings, open_ledger(settings))
    message = f"{len(drift)} alias(es) had been moved by hand."
    emit(MirrorResult(drift=drift), "\n".join([message, *map(str, drift)]), as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON schema of audit reports."""
    from audits.report.content import Report
    from rehabcast.output import stdout_console

    stdout_console.print_json(json.dumps(Report.model_json_schema()))
