"""Every edit of the record is found, or changes nothing that the record is for."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ServiceUnavailable
from contracts.observation import Observation
from serving.schemas import FeedbackRequest
from serving.state.consent import set_consent
from serving.state.forecast_log import ForecastEntry, append
from serving.state.privacy import erase, export, forget
from serving.state.store import Store
from serving.state.verification import RecordHead, verify
from tests.refusals import same_as_kept

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HARMLESS = {
    "service_used_token", "service_probe", "service_alert", "service_alert_look", "service_alert_sent",
    "service_session",
}  # fmt: skip
"""Tables that are not a record: tokens are only ever refused more, the probe is a counter, alerts
are computed anew from the record each day, sessions end by themselves."""


def forecast(number: int, subject: str, tenant: str = "ward") -> ForecastEntry:
    return ForecastEntry(
        id=f"{number:032x}", time=(NOW - timedelta(days=number)).isoformat(timespec="seconds"),
        route="forecast", actor="dr", tenant=tenant, subject=subject, model_version="arm/1",
        bundle_digest="b" * 64, input_digest="i" * 64, output=json.dumps({"median": number}),
    )  # fmt: skip


def filled(url: str) -> RecordHead:
    with closing(Store(url)) as store:
        for tenant, subject in (("ward", "P"), ("ward", "Q"), ("clinic", "P"), ("ward", "GONE")):
            for day in range(3):
                observation = Observation(
                    code="REHABCAST//FUGL_MEYER_UE", day_since_onset=10 + day, value=20.0 + day
                )
                sex = Observation(code="REHABCAST//SEX", label="female")
                store.add(tenant, subject, 10, [observation, sex], actor="dr", now=NOW)
        append(store, [forecast(n, "P" if n % 2 else "GONE") for n in range(12)])
        for number in (1, 3):
            request = FeedbackRequest(
                forecast_id=f"{number:032x}", outcome="wrong", reason=f"reason {number}"
            )
            store.add_feedback("ward", [request], actor="dr", now=NOW)
        set_consent(store.engine, "ward", "Q", "withdrawn", actor="dr", now=NOW)
        set_consent(store.engine, "ward", "P", "given", actor="dr", now=NOW)
        forget(store, NOW - timedelta(days=6), actor="op", now=NOW)
        export(store, "ward", "P", actor="op", now=NOW)
        erase(store, "ward", "GONE", reason="asked for it", actor="op", now=NOW)
        append(store, [forecast(20, "P")])
        seen = verify(store)
    assert seen.findings == ()
    return seen.head


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RecordHead]:
    file = tmp_path_factory.mktemp("record") / "service.db"
    return file, filled(f"sqlite:///{file}")


def findings_after(
    record: tuple[Path, RecordHead], folder: Path, edit: Callable[[sqlite3.Connection], Any]
) -> list[str]:
    file, head = record
    copy = folder / "copy.db"
    shutil.copy(file, copy)
    with closing(sqlite3.connect(copy)) as database:
        edit(database)
        database.commit()
    try:
        with closing(Store(f"sqlite:///{copy}")) as store:
            return [str(finding) for finding in verify(store, head).findings]
    except ServiceUnavailable as refusal:
        # A store that does not open, because its form was changed, is no less found.
        return [str(refusal)]


def sql(*statements: str) -> Callable[[sqlite3.Connection], Any]:
    return lambda database: [database.execute(statement) for statement in statements]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (sql("DELETE FROM service_entry WHERE sequence > 20"), "was cut after entry 20"),
        (sql("DELETE FROM service_entry WHERE sequence = 5"), "entries before it are missing"),
        (sql("UPDATE service_entry SET content = NULL WHERE id = '00000000000000000000000000000014'"), "no retention entry"),
        (sql("UPDATE service_entry SET content = NULL, salt = NULL, subject = NULL WHERE id ="
             " '00000000000000000000000000000001'"), "no erasure entry"),
        (sql("UPDATE service_measurement SET value = 65 WHERE subject = 'P' AND day = 10"),
         "observations: a row of it was changed"),
        (sql("DELETE FROM service_measurement WHERE day = 11"), "observations: a row of it is gone"),
        (sql("INSERT INTO service_measurement VALUES ('ward', 'P', 'X', 3, 1.0, NULL)"),
         "1 rows are in no entry"),
        (sql("UPDATE service_patient SET enrolment_day = 3"), "enrolment: a row of it was changed"),
        (sql("UPDATE service_consent SET state = 'given'"), "consents: a row of it was changed"),
        (sql("DELETE FROM service_consent WHERE subject = 'Q'"), "consents: a row of it is gone"),
        (sql("DELETE FROM service_entry WHERE kind = 'feedback'"), "entries before it are missing"),
        (sql("UPDATE service_entry SET tenant = 'clinic' WHERE kind = 'feedback'"), "was changed"),
        (sql("UPDATE service_entry SET subject = 'Q' WHERE kind = 'feedback'"),
         "the person that it is about was changed"),
        (sql("UPDATE service_entry SET kind = 'erasure' WHERE kind = 'retention'"), "was changed"),
    ],
)  # fmt: skip
def test_a_tampering_is_named(
    record: tuple[Path, RecordHead], tmp_path: Path, edit: Any, said: str
) -> None:
    found = findings_after(record, tmp_path, edit)
    assert any(said in finding for finding in found)
    same_as_kept(sorted(found))


def test_what_is_put_on_record_is_what_was_done(record: tuple[Path, RecordHead]) -> None:
    """Every kind of entry in full, but for what is random."""
    names = "time", "kind", "tenant", "actor", "subject", "details", "content"
    query = f"SELECT {', '.join(names)} FROM service_entry ORDER BY sequence"
    with closing(sqlite3.connect(record[0])) as database:
        rows = database.execute(query).fetchall()
    same_as_kept([" | ".join(str(value) for value in row) for row in rows])


def test_all_tamperings_are_named_also_after_what_cannot_be_read(
    record: tuple[Path, RecordHead], tmp_path: Path
) -> None:
    edit = sql(
        "UPDATE service_entry SET details = CAST(x'ff' AS TEXT) WHERE sequence = 3",
        "UPDATE service_entry SET actor = x'ff' WHERE sequence = 5",
        "UPDATE service_entry SET salt = upper(salt) WHERE sequence = 14",
        "UPDATE service_measurement SET value = 65 WHERE subject = 'P' AND day = 10",
        "UPDATE service_entry SET content = '{}' WHERE sequence = 16",
        "DELETE FROM service_entry WHERE sequence > 20",
    )
    found = "\n".join(findings_after(record, tmp_path, edit))
    for said in (
        "entry 3: it was changed", "entry 5: a part of it is not text",
        "entry 14: what it holds cannot be verified", "observations: a row of it was changed",
        "entry 16: its content (forecast) was changed", "was cut after entry 20",
    ):  # fmt: skip
        assert said in found
    same_as_kept(sorted(found.split("\n")))


def test_a_record_written_anew_does_not_fit_a_head_kept_elsewhere(
    record: tuple[Path, RecordHead], tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    filled(f"sqlite:///{other}")
    with closing(Store(f"sqlite:///{other}")) as store:
        assert verify(store).findings == ()
        (finding,) = verify(store, record[1]).findings
    assert "written anew" in str(finding)


def test_an_erasure_or_retention_added_for_the_purpose_is_seen_by_its_rule(
    record: tuple[Path, RecordHead], tmp_path: Path
) -> None:
    """Whoever empties an answer that is too young for the rule cannot cover it by an entry."""
    file, _ = record
    copy = tmp_path / "copy.db"
    shutil.copy(file, copy)
    with closing(Store(f"sqlite:///{copy}")) as store:
        append(store, [forecast(0xFF, "P")])
        with closing(sqlite3.connect(copy)) as database:
            database.execute("UPDATE service_entry SET content = NULL WHERE id LIKE '%ff'")
            database.commit()
        forget(store, NOW - timedelta(days=1), actor="op", now=NOW)
        assert any("no retention entry" in str(finding) for finding in verify(store).findings)


NOT_TEXT = "\udcff"
"""Stands for a byte that is no text, in a column of text."""

OTHER_JSON = ("5", "[]", "null", '{"observations": 5}', '{"observations": [5]}', '{"entries": [1]}')


def other_value(generator: random.Random, value: Any) -> Any:
    if value is None:
        return generator.choice(["x", 1])
    if isinstance(value, bytes):
        return None
    if isinstance(value, str):
        texts = [None, "", value + " ", value.upper(), value[::-1] + "0", "0" * len(value)]
        return generator.choice([*texts, *OTHER_JSON, b"\xff", NOT_TEXT, 7])
    return generator.choice([value + 1, -value - 1, None, "x", b"\xff"])


def as_stored(value: Any) -> tuple[str, Any]:
    """Return the expression and the parameter that put a value into a row, even what is no text."""
    if isinstance(value, str):
        return "CAST(? AS TEXT)", value.encode("utf-8", "surrogateescape")
    return "?", value


def set_value(database: sqlite3.Connection, table: str, column: str, row: int, value: Any) -> None:
    new, parameter = as_stored(value)
    database.execute(
        f"UPDATE OR IGNORE {table} SET {column} = {new} WHERE rowid = ?", (parameter, row)
    )


def random_edit(generator: random.Random, database: sqlite3.Connection) -> str:
    tables = [
        name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    table = generator.choice(sorted(set(tables) - HARMLESS))
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    numbers = [number for (number,) in database.execute(f"SELECT rowid FROM {table}")]
    if not numbers:
        return ""
    number, other = generator.choice(numbers), generator.choice(numbers)
    row, another = (
        next(database.execute(f"SELECT * FROM {table} WHERE rowid = ?", (n,)))
        for n in (number, other)
    )
    kind = generator.choice(["update", "delete", "swap", "insert", "update", "update"])
    at = generator.randrange(len(columns))
    if kind == "delete":
        database.execute(f"DELETE FROM {table} WHERE rowid = ?", (number,))
    elif kind == "insert":
        values = [as_stored(other_value(generator, value)) for value in row]
        marks = ", ".join(mark for mark, _ in values)
        database.execute(
            f"INSERT OR IGNORE INTO {table} VALUES ({marks})", [value for _, value in values]
        )
    elif kind == "swap":
        set_value(database, table, columns[at], number, another[at])
        set_value(database, table, columns[at], other, row[at])
    else:
        set_value(database, table, columns[at], number, other_value(generator, row[at]))
    return f"{kind} {table} {columns[at]}"


def content(database: sqlite3.Connection) -> list[Any]:
    tables = ("service_entry", "service_patient", "service_measurement", "service_consent")
    return [sorted(database.execute(f"SELECT * FROM {t}").fetchall(), key=repr) for t in tables]


@pytest.mark.parametrize("edits", [60, pytest.param(1_000, marks=pytest.mark.soak)])
def test_random_edits_are_found(
    record: tuple[Path, RecordHead], tmp_path: Path, edits: int
) -> None:
    missed = []
    for seed in range(edits):
        generator = random.Random(seed)
        before: list[Any] = []
        after: list[Any] = []
        what: list[str] = []

        def edit(
            database: sqlite3.Connection, generator: random.Random = generator,
            before: list[Any] = before, after: list[Any] = after, what: list[str] = what,
        ) -> None:  # fmt: skip
            database.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
            before += content(database)
            for _ in range(generator.choice([1, 1, 1, 3])):
                try:
                    what.append(random_edit(generator, database))
                except sqlite3.IntegrityError:
                    continue
            after += content(database)

        findings = findings_after(record, tmp_path, edit)
        if before != after and not findings:
            missed.append((seed, what))
    assert missed == []
