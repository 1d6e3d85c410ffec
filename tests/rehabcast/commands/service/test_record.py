"""The record by command: verified against a signed head, handed out, erased, and kept."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from audits.ledger.signing import sign
from contracts.errors import RehabcastError
from contracts.observation import Observation
from rehabcast.main import app
from rehabcast.settings import Settings
from serving.state.forecast_log import ForecastEntry, append
from serving.state.spool import Spool
from serving.state.store import Store

Run = Callable[..., Any]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def forecast(number: int) -> ForecastEntry:
    return ForecastEntry(
        id=f"{number:032x}", time=NOW.isoformat(timespec="seconds"), route="forecast", actor="dr",
        tenant="ward", subject="P-1", model_version="arm/1", bundle_digest="b" * 64,
        input_digest="i" * 64, output=f'{{"median": {number}}}',
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REHABCAST_ACTOR", "op")
    with closing(Store(Settings().store_url)) as store:
        score = Observation(code="REHABCAST//FUGL_MEYER_UE", day_since_onset=10, value=61.25)
        store.add("ward", "P-1", 10, [score], actor="dr", now=NOW)
        append(store, [forecast(n) for n in range(9)])

    def call(*words: str, code: int = 0) -> Any:
        done = CliRunner().invoke(app, ["record", *words])
        if isinstance(done.exception, RehabcastError):
            assert code == done.exception.exit_code, done.exception
            return str(done.exception)
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in words else done.output

    return call


def test_decisions_are_told_as_a_table_and_as_json(run: Run) -> None:
    said = run("decisions", "--tenant", "ward")
    assert "Decisions about next week's dose" in said
    assert "No decision about advice to patients of ward is on record." in " ".join(said.split())
    assert run("decisions", "--tenant", "ward", "--json") == {"tenant": "ward", "groups": []}


def edit(statement: str) -> None:
    with closing(sqlite3.connect("mlruns/service.db")) as database:
        database.execute(statement)
        database.commit()


def test_a_cut_end_is_seen_with_a_signed_head_and_said_to_be_unseen_without(run: Run) -> None:
    assert run("head", "head.json", "--json")["length"] == 10
    assert run("verify", "--head", "head.json", "--json")["compared_with_head"]
    edit("DELETE FROM service_entry WHERE sequence > 4")
    assert "nobody can see whether the last entries were cut off" in " ".join(run("verify").split())
    assert "was cut after entry 4 of 10" in run("verify", "--head", "head.json", code=6)
    Path("head.json").write_text(Path("head.json").read_text().replace("10", "4"))
    assert "signed" in run("verify", "--head", "head.json", code=6)


def test_every_tampering_is_listed_and_the_exit_code_is_6(run: Run) -> None:
    edit("UPDATE service_entry SET content = NULL WHERE sequence IN (3, 5)")
    edit("UPDATE service_measurement SET value = 66")
    found = run("verify", "--json", code=6)
    assert not found["valid"]
    assert [finding["entry"] for finding in found["findings"]] == [3, 5, 1]
    assert "entry 5" in run("verify", code=6)


def test_a_person_is_handed_out_and_erased_but_not_while_a_forecast_waits(run: Run) -> None:
    run("export", "P-1", "person.json", "--tenant", "ward")
    exported = json.loads(Path("person.json").read_text())
    assert len(exported["entries"]) == 10
    assert stat.S_IMODE(Path("person.json").stat().st_mode) == 0o600
    run("export", "P-1", "person.json", "--tenant", "ward", code=3)
    run("export", "P-1", "other.json", "--tenant", "clinic", code=7)
    assert not Path("other.json").exists()

    spool = Spool(Settings().spool)
    spool.write(msgspec.json.encode(forecast(77)))
    erase = ("erase", "P-1", "--tenant", "ward", "--reason", "asked for it")
    assert "1 forecasts about this person" in run(*erase, code=8)
    with closing(Store(Settings().store_url)) as store:
        append(store, [forecast(77)])
    assert run(*erase, "--json") == {"emptied": 11}
    spool.close()
    assert b"P-1" not in Path("mlruns/service.db").read_bytes()
    assert run("verify", "--json")["entries"] == {
        "observations": 1, "forecast": 10, "export": 1, "erasure": 1
    }  # fmt: skip


@pytest.mark.parametrize("command", ["withdrawn", "decisions"])
def test_a_tenant_of_whom_nothing_is_on_record_is_refused(run: Run, command: str) -> None:
    """A tenant written wrongly would look like one of whom nobody has withdrawn."""
    assert "nothing of tenant wrad is on record" in run(command, "--tenant", "wrad", code=3)


def test_a_consent_under_a_tenant_that_is_new_is_recorded_and_said_to_be_the_first(
    run: Run,
) -> None:
    """A decision may come before any data, so it is not refused; a slip must be seen."""
    assert "of tenant" not in run("consent", "P-1", "withdrawn", "--tenant", "ward")
    said = run("consent", "P-1", "withdrawn", "--tenant", "wrad")
    assert "Recorded: consent withdrawn." in said
    assert "the first that is on record of tenant wrad" in said
    # Erasing first would leave the person without a withdrawal where it must hold.
    assert said.index("Record it under the right name now") < said.index("record erase")
    new = run("consent", "P-1", "given", "--tenant", "wadr", "--json")
    assert new == {"tenant": "wadr", "subject": "P-1", "consent": "given", "tenant_is_new": True}
    assert not run("consent", "P-1", "given", "--tenant", "wadr", "--json")["tenant_is_new"]


def test_withdrawals_are_listed_until_they_are_taken_back(run: Run) -> None:
    run("consent", "P-1", "withdrawn", "--tenant", "ward")
    assert run("withdrawn", "--tenant", "ward", "--json")["subjects"] == ["P-1"]
    run("consent", "P-1", "given", "--tenant", "ward")
    assert run("withdrawn", "--tenant", "ward", "--json")["subjects"] == []
    run("consent", "P-1", "perhaps", "--tenant", "ward", code=3)
    for slip in ("", "P-1 ", "X\nP-1", "P-1\n", "a/b", "P" * 65):
        why = "nobody can see" if "\n" in slip else "is no pseudonym" if slip else "it is empty"
        assert why in run("consent", slip, "withdrawn", "--tenant", "ward", code=3)
        run("consent", "P-1", "withdrawn", "--tenant", f"{slip} ", code=3)


@pytest.mark.parametrize("head", ["", ".", "nowhere.json"])
def test_a_head_that_is_no_file_is_a_plain_refusal(run: Run, head: str) -> None:
    assert "there is no file" in run("verify", "--head", head, code=4)


@pytest.mark.parametrize("name", ["", "nowhere/head.json"])
def test_a_head_that_cannot_be_written_is_a_plain_refusal(run: Run, name: str) -> None:
    assert "cannot be written" in run("head", name, code=3)


def test_another_head_that_is_signed_is_a_plain_refusal(run: Run) -> None:
    run("head", "head.json")
    # As the ledger's head is written.
    Path("head.json").write_text('{"length": 10, "head": "x"}')
    sign(Path("head.json"), Path("head.json.sig"), Path("mlruns/keys/local.pem"))
    assert "is no head of a record" in run("verify", "--head", "head.json", code=6)


def test_an_export_that_cannot_be_written_is_not_on_record_as_handed_out(run: Run) -> None:
    name = "nowhere/person.json"
    assert "cannot be written" in run("export", "P-1", name, "--tenant", "ward", code=3)
    assert "export" not in run("verify", "--json")["entries"]


def test_an_export_of_nobody_leaves_no_file(run: Run) -> None:
    run("export", "nobody", "person.json", "--tenant", "ward", code=7)
    assert not Path("person.json").exists()


def test_a_verification_tells_how_many_lines_of_the_spool_were_set_aside(run: Run) -> None:
    assert run("verify", "--json")["set_aside"] == 0
    spool = Spool(Settings().spool)
    spool.set_aside([b"no json\n", b"nor this\n"])
    assert run("verify", "--json")["set_aside"] == 2
    assert "2 lines of the spool" in " ".join(run("verify").split())
    spool.close()
