"""`rehabcast record`: what the service was sent and gave, verified, kept, handed out, erased."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.errors import ServiceUnavailable
from contracts.groups import MINIMUM_SHOWN
from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings
from stores.private_files import written_whole

if TYPE_CHECKING:
    from serving.state.evidence.decided import DecisionsOfGroup
    from serving.state.store import Store
    from serving.state.verification import Finding, RecordHead

app = typer.Typer(no_args_is_help=True, help="The service's record: forecasts, data, feedback.")

Subject = Annotated[str, typer.Argument(help="The person, as the caller identifies them.")]
Tenant = Annotated[
    str,
    typer.Option(help="Tenant (hospital) of the patients, as `rehabcast access list` names it."),
]

LONGEST_KEPT = 36_525
"""Days in a hundred years: a longer time would begin before there are dates."""

NO_HEAD = "Without --head nobody can see whether the last entries were cut off."


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRecord:
    """What a verification saw.

    Parameters
    ----------
    valid
        Whether everything is as it was written.
    length, head
        How many entries, and the hash of the last.
    entries
        How many of each kind.
    compared_with_head
        Whether a head that was kept elsewhere was compared.
    findings
        What is not as it was written.
    set_aside
        Lines of the spool that could not be put on record: each may be a forecast that is missing.
    """

    valid: bool
    length: int
    head: str
    entries: Mapping[str, int]
    compared_with_head: bool
    findings: tuple[Finding, ...]
    set_aside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """How many entries were emptied or erased."""

    emptied: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseDecisions:
    """What was decided about next week's dose, by group; a number that is not shown is None."""

    tenant: str
    groups: tuple[DecisionsOfGroup, ...]


@app.command()
def verify(
    head: Annotated[
        Path | None,
        typer.Option(help="A signed head kept elsewhere (`record head`): shows a cut end."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the whole record; each entry or row that is not as written is named (exit 6)."""
    from serving.state.forecast_log import fault_of_lines_set_aside
    from serving.state.spool import lines_set_aside
    from serving.state.verification import require_whole
    from serving.state.verification import verify as verify_record

    settings = Settings()
    with opened(settings) as store:
        seen = verify_record(store, None if head is None else _read_head(settings, head))
    if not as_json:
        require_whole(seen)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(seen.entries.items()))
    message = f"{seen.head.length} entries, all as they were written ({counts or 'none'})."
    result = VerifiedRecord(
        valid=not seen.findings,
        length=seen.head.length,
        head=seen.head.head,
        entries=seen.entries,
        compared_with_head=head is not None,
        findings=seen.findings,
        set_aside=lines_set_aside(settings.spool),
    )
    said = [message] if head is not None else [message, NO_HEAD]
    if result.set_aside:
        said.append(str(fault_of_lines_set_aside(result.set_aside)))
    emit(result, " ".join(said), as_json=as_json)
    if seen.findings:
        raise typer.Exit(6)


@app.command("head")
def write_head(
    output: Annotated[Path, typer.Argument(help="File for the head; FILE.sig is its signature.")],
    as_json: AsJson = False,
) -> None:
    """Verify the record and write its head, signed; keep both files apart from the store."""
    from rehabcast.signed_artifacts import signing_key
    from rehabcast.signed_heads import write_head as write_signed_head
    from serving.state.verification import require_whole
    from serving.state.verification import verify as verify_record

    settings = Settings()
    with opened(settings) as store:
        seen = verify_record(store)
    require_whole(seen)
    write_signed_head(output, {"record": asdict(seen.head)}, signing_key(settings))
    emit(seen.head, f"{seen.head.length} entries, head {seen.head.head}", as_json=as_json)


def _read_head(settings: Settings, file: Path) -> RecordHead:
    from rehabcast.signed_artifacts import trusted_keys
    from rehabcast.signed_heads import read_head
    from serving.state.verification import RecordHead

    keys = trusted_keys(settings)
    return read_head(file, keys, lambda content: RecordHead(**content["record"]), "record")


@app.command()
def forget(
    days: Annotated[
        int, typer.Option(min=1, max=LONGEST_KEPT, help="How many days of answers to keep.")
    ],
    as_json: AsJson = False,
) -> None:
    """Delete older answers; when each was given and by which model can still be proved."""
    from serving.state.privacy import forget as delete_answers

    settings, now = Settings(), datetime.now(UTC)
    with opened(settings) as store:
        emptied = delete_answers(store, now - timedelta(days=days), actor=settings.actor, now=now)
    emit(Emptied(emptied=emptied), f"{emptied} answers were deleted.", as_json=as_json)


@app.command()
def erase(
    subject: Subject,
    tenant: Tenant,
    reason: Annotated[str, typer.Option(help="Why, in a sentence; kept for ever, so no names.")],
    as_json: AsJson = False,
) -> None:
    """Erase a person from the record; it can still be verified, and says that it was done."""
    from serving.state.forecast_log import waiting_about
    from serving.state.privacy import erase as erase_person

    settings = Settings()
    with opened(settings) as store:
        if waiting := waiting_about(store, settings.spool, tenant, subject):
            raise ServiceUnavailable(
                f"{waiting} forecasts about this person are in {settings.spool} and not on record"
                " yet: they would come after the erasure",
                "run the service until it has stored them (/readyz says what hinders it) and remove"
                " files named .unreadable, then erase again",
            )
        emptied = erase_person(
            store, tenant, subject, reason=reason, actor=settings.actor, now=datetime.now(UTC)
        )
    message = f"Erased from {emptied} entries. Backups and copies elsewhere still have them."
    emit(Emptied(emptied=emptied), message, as_json=as_json)


@app.command()
def export(subject: Subject, tenant: Tenant, output: Path, as_json: AsJson = False) -> None:
    """Write everything on record about a person to a file, which only its owner can read."""
    from serving.state.privacy import export as export_person

    settings = Settings()
    # The draft is there before anything is on record as handed out.
    with written_whole(output, new=True) as draft:
        with opened(settings) as store:
            found = export_person(
                store, tenant, subject, actor=settings.actor, now=datetime.now(UTC)
            )
        content = {"tenant": tenant, "subject": subject, "entries": found}
        draft.write_text(json.dumps(content), "utf-8")
    emit({"entries": len(found)}, f"{len(found)} entries written.", as_json=as_json)


@app.command()
def decisions(tenant: Tenant, as_json: AsJson = False) -> None:
    """Tell how often advice on next week's dose was accepted, changed, rejected: by group."""
    from serving.state.entries import require_tenant
    from serving.state.evidence.decided import by_group, decided_doses

    with opened(Settings()) as store:
        require_tenant(store.engine, tenant)
        found = by_group(decided_doses(store, tenant))
    result = DoseDecisions(tenant=tenant, groups=found)
    emit(result, _decisions_table(result), as_json=as_json)


def _decisions_table(result: DoseDecisions) -> Table:
    table = Table(
        title="Decisions about next week's dose",
        caption=f"Rounded down to tens; - is none, or fewer than {MINIMUM_SHOWN} people."
        if result.groups
        else f"No decision about advice to patients of {result.tenant} is on record.",
    )
    for name in ("attribute", "group", "decisions", "accepted", "changed", "rejected", "share"):
        table.add_column(name)
    for row in result.groups:
        numbers = (row.decisions, row.accepted, row.changed, row.rejected)
        share = "-" if row.share_accepted is None else f"about {100 * row.share_accepted:.0f} %"
        shown = ("-" if number is None else f"{number} or more" for number in numbers)
        table.add_row(row.attribute, row.group, *shown, share)
    return table


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """Open the service's store, which the service makes, and close it again."""
    from serving.state.store import Store

    with closing(Store(settings.store_url, make=False)) as store:
        yield store
