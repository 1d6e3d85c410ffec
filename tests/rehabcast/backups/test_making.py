"""The drill of docs/operations.md: back up under load, lose everything, restore elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from audits.ledger.ledger import Ledger
from audits.ledger.records import LedgerState
from audits.ledger.signing import verify
from contracts.errors import ContractError, IntegrityError, RehabcastError
from rehabcast.auditing.overlap import people_key
from rehabcast.backups.contents import Part
from rehabcast.backups.making import make_backup
from rehabcast.backups.manifest import read_manifest
from rehabcast.identity import open_ledger
from rehabcast.main import app
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_bundle, trusted_keys
from serving.state.store import Store
from serving.state.tables import entry_table
from serving.state.verification import verify as verify_record
from stores.database import connect
from training.registry.model_versions import find

# MLflow itself uses deprecated interfaces.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def command(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def recorded() -> int:
    """Verify the record that the settings name, as `rehabcast record verify`."""
    with closing(Store(Settings().store_url)) as store:
        return record_length(store)


def record_length(store: Store) -> int:
    seen = verify_record(store)
    assert seen.findings == ()
    return seen.head.length


def ledger_that_reaches(head: Path) -> LedgerState:
    """Verify the ledger that the settings name, as `rehabcast ledger verify --head`."""
    verify(head, head.with_name(head.name + ".sig"), trusted_keys(Settings()))
    with closing(open_ledger(Settings())) as ledger:
        return ledger.verify(LedgerState(**json.loads(head.read_text())))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_drill_under_load(
    filled: Any, new_home: Callable[[str], Any], writing: Any, tmp_path: Path
) -> None:
    before = recorded()
    old_mask = os.umask(0)
    try:
        with writing(filled):
            made = command("backup", str(tmp_path / "backup"))
    finally:
        os.umask(old_mask)
    backup = tmp_path / "backup"
    written = recorded()
    assert before <= made["record"]["length"] <= written
    assert written > before
    assert made["heads_signed"] is True
    # The head that was backed up is one that the ledger had, by its signature and by its chain.
    assert ledger_that_reaches(backup / "heads" / "ledger.json").length >= made["ledger"]["length"]
    assert not [path for path in backup.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    key = (filled.folder / "keys" / "local.pem").read_bytes()
    secret = [key, *(f.read_bytes() for f in (filled.folder / "private").glob("*.pem"))]
    kept = [path.read_bytes() for path in files_in(backup)]
    assert not [private for private in secret for content in kept if private in content]
    assert list(tmp_path.glob(".*")) == []

    shutil.move(filled.folder, tmp_path / "lost")
    new_home("elsewhere")
    restored = command("restore", str(backup))
    assert restored == made
    settings = Settings()
    state = ledger_that_reaches(backup / "heads" / "ledger.json")
    assert asdict(state) == made["ledger"]
    assert recorded() == made["record"]["length"]
    bundle = fetch_bundle(settings, find(settings.store, "arm/1"))
    assert bundle.is_relative_to(settings.home)
    assert (settings.spool / "waiting").read_text() == "{}"
    assert not [
        path for path in files_in(settings.home) if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    with pytest.raises(ContractError, match=r"exists already|not empty"):
        command("restore", str(backup))


def test_the_private_key_is_in_a_backup_only_where_it_is_asked_for(
    filled: Any, tmp_path: Path
) -> None:
    key = (filled.folder / "keys" / "local.pem").read_bytes()
    made = command("backup", str(tmp_path / "with"), "--signing-key")
    assert made["has_signing_key"] is True
    assert (tmp_path / "with" / "signing-key.pem").read_bytes() == key


def test_the_key_that_seals_whom_models_saw_comes_back_with_a_backup(
    filled: Any, new_home: Callable[[str], Any], tmp_path: Path
) -> None:
    """Without it nobody could tell whether a later validation was on the same people."""
    key = people_key(Settings(), make=True)
    made = command("backup", str(tmp_path / "backup"))
    assert made["has_people_key"] is True
    shutil.move(filled.folder, tmp_path / "lost")
    new_home("elsewhere")
    command("restore", str(tmp_path / "backup"))
    assert people_key(Settings()) == key
    file = Settings().home / "keys" / "people.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_backup_without_that_key_is_restored_and_says_so(
    filled: Any, new_home: Callable[[str], Any], tmp_path: Path
) -> None:
    assert command("backup", str(tmp_path / "backup"))["has_people_key"] is False
    shutil.move(filled.folder, tmp_path / "lost")
    new_home("elsewhere")
    done = CliRunner().invoke(app, ["restore", str(tmp_path / "backup")])
    assert done.exit_code == 0
    assert "no keys/people.key" in done.stderr


@pytest.mark.parametrize("name", ["people.key", "local.pem"])
def test_a_private_key_that_is_there_is_found_before_anything_is_restored(
    filled: Any, new_home: Callable[[str], Any], tmp_path: Path, name: str
) -> None:
    people_key(Settings(), make=True)
    command("backup", str(tmp_path / "backup"), "--signing-key")
    home = new_home("elsewhere")
    (home.folder / "keys").mkdir(parents=True)
    (home.folder / "keys" / name).write_text("mine")
    with pytest.raises(ContractError, match="exists already"):
        command("restore", str(tmp_path / "backup"))
    assert [path.name for path in files_in(home.folder)] == [name]


@pytest.fixture
def broken(filled: Any, request: pytest.FixtureRequest) -> Any:
    """A home in which one thing is wrong that a backup must notice."""
    if request.param == "ledger":
        engine = connect(filled.ledger_url)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE champion SET epoch = 7"))
        engine.dispose()
    elif request.param == "record":
        with closing(Store(filled.store_url)) as store, store.engine.begin() as connection:
            connection.execute(
                sa.update(entry_table).where(entry_table.c.sequence == 3).values(actor="eve")
            )
    elif request.param == "bundle":
        for card in filled.folder.rglob("artifacts/**/model-card.md"):
            card.write_text("# Another\n")
    elif request.param == "link":
        (filled.folder / "artifacts" / "link").symlink_to("/etc/hostname")
    return filled


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("ledger", "the champion of 'arm'"), ("record", "entry 3"),
        ("bundle", "the bundle of arm/1 is not among the artifacts"), ("link", "is a link"),
    ],
    indirect=["broken"],
)  # fmt: skip
def test_a_backup_of_what_is_broken_is_refused_and_leaves_nothing(
    broken: Any, why: str, tmp_path: Path
) -> None:
    with pytest.raises(IntegrityError, match=why):
        make_backup(Settings(), tmp_path / "backup", without=(), with_signing_key=False)
    assert not (tmp_path / "backup").exists()
    assert list(tmp_path.glob(".backup*")) == []


def test_a_folder_that_exists_is_refused(filled: Any, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    with pytest.raises(ContractError, match="exists already"):
        make_backup(Settings(), tmp_path / "backup", without=(), with_signing_key=False)


@pytest.mark.parametrize(
    ("setting", "value", "without", "why"),
    [
        ("TRACKING_URI", "http://mlflow:5000", (), "--without registry"),
        ("STORE_URL", "sqlite:////nowhere/service.db", (), "no service's record.*--without store"),
        ("LEDGER_URL", "sqlite:////nowhere/ledger.db", (Part.STORE,), "there is no ledger in"),
    ],
)
def test_a_part_that_is_not_there_is_never_left_out_silently(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str,
    without: tuple[Part, ...], why: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(f"REHABCAST_{setting}", value)
    with pytest.raises(RehabcastError, match=why):
        make_backup(Settings(), tmp_path / "backup", without=without, with_signing_key=False)
    assert not (tmp_path / "backup").exists()


def test_who_governs_without_patients_backs_up_without_the_store(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHABCAST_STORE_URL", "sqlite:////nowhere/service.db")
    monkeypatch.setenv("REHABCAST_TRACKING_URI", "http://mlflow:5000")
    left_out = (Part.STORE, Part.REGISTRY)
    made = make_backup(Settings(), tmp_path / "backup", without=left_out, with_signing_key=False)
    assert made.record is None
    assert read_manifest(tmp_path / "backup") == made
    with closing(Ledger(filled.ledger_url)) as ledger:
        assert ledger.verify() == made.ledger


def test_the_live_databases_are_only_read(filled: Any, tmp_path: Path) -> None:
    with closing(Store(filled.store_url)) as store:
        before = record_length(store)
    make_backup(Settings(), tmp_path / "backup", without=(), with_signing_key=False)
    with closing(Store(filled.store_url)) as store:
        assert record_length(store) == before
