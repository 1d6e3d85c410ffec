"""`rehabcast ledger`: the record of audits, approvals and moves."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from rehabcast.commands.output import AsJson, emit
from rehabcast.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The record of audits, approvals and promotions.")

HeadArgument = Annotated[Path, typer.Argument(help="File of the head; FILE.sig is its signature.")]


@app.command()
def verify(
    head: Annotated[
        Path | None,
        typer.Option(help="A signed head kept elsewhere (`ledger head`): a cut trail shows."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the ledger's hash chain; any edited, lost or moved entry is an error (exit 6)."""
    from audits.ledger.ledger import Ledger
    from audits.ledger.mirror import find_drift
    from audits.ledger.records import LedgerState
    from audits.ledger.signing import SIGNATURE
    from audits.ledger.signing import verify as verify_signature
    from rehabcast.evidence import trusted_keys
    from training.registry.register import ChampionAliases

    settings = Settings()
    anchor = None
    if head is not None:
        signature = head.with_name(head.name + SIGNATURE)
        verify_signature(head, signature, trusted_keys(settings))
        anchor = LedgerState(**json.loads(head.read_text("utf-8")))
    ledger = Ledger(settings.ledger_url)
    state = ledger.verify(anchor)
    drifted = find_drift(ledger, ChampionAliases(store=settings.store))
    record = {
        "valid": True,
        "entries": state.length,
        "head": state.head,
        "drift": [asdict(drift) for drift in drifted],
    }
    told = [f"{state.length} entries, chain holds, head {state.head}", *map(str, drifted)]
    emit(record, "\n".join(told), as_json=as_json)


@app.command("head")
def write_head(output: HeadArgument, as_json: AsJson = False) -> None:
    """Write the verified trail's head, signed: keep both files where the ledger's keeper is not."""
    from audits.ledger.ledger import Ledger
    from audits.ledger.signing import SIGNATURE, sign
    from rehabcast.evidence import signing_key

    settings = Settings()
    state = Ledger(settings.ledger_url).verify()
    output.write_text(json.dumps(asdict(state)), "utf-8")
    sign(output, output.with_name(output.name + SIGNATURE), signing_key(settings))
    emit(asdict(state), f"{state.length} entries, head {state.head}", as_json=as_json)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Print the whole trail: who did what, when, to which version."""
    from audits.ledger.ledger import Ledger

    rows: list[dict[str, Any]] = [
        {**asdict(entry), "payload": entry.details()}
        for entry in Ledger(Settings().ledger_url).trail()
    ]
    table = Table("entry", "time", "what", "version", "by", "why")
    for row in rows:
        why = row["payload"].get("reason") or row["payload"].get("why") or ""
        told = row["payload"].get("outcome") or row["payload"].get("role") or why
        table.add_row(
            str(row["sequence"]), row["time"], row["kind"], row["about"], row["actor"], str(told)
        )
    emit({"entries": rows}, table, as_json=as_json)


@app.command()
def mirror(as_json: AsJson = False) -> None:
    """Make MLflow's aliases show the ledger's champions, and note what was moved by hand."""
    from audits.ledger.ledger import Ledger
    from rehabcast.evidence import mirror as mirror_aliases

    settings = Settings()
    drifted = mirror_aliases(settings, Ledger(settings.ledger_url))
    record = {"drift": [asdict(drift) for drift in drifted]}
    emit(record, f"{len(drifted)} alias(es) had been moved by hand.", as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON schema of audit reports."""
    from audits.report.content import Report
    from rehabcast.commands.output import results

    results.print_json(json.dumps(Report.model_json_schema()))
