"""Homes that earlier versions left behind, each opened where it never was: all of it still counts.

Each archive in `golden_homes/` is a home as a version of rehabcast made it (SIMULATED people), less
the files that nothing reads back, such as pictures and pages (`golden_home` makes one of this
version). Bundles of form 1 are compared with later versions, and give no forecast
(`contracts.naming.formats`); those of later forms give theirs as they did.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from contracts.errors import IntegrityError
from contracts.naming import formats
from contracts.naming.formats import KEY, NEWEST, name_of
from contracts.observation import Observation
from rehabcast.ledger_source import LedgerSource
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import fetch_report, open_description
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.pushed.judging import judged
from serving.formats.pushed.reading import read
from serving.http.examples import STEPS
from serving.pushed import Point
from serving.state.following import Serving, begin
from serving.state.pushed.record import Wearer, push
from serving.state.store import Store
from serving.state.tables import PUSHED, decision_table, form_table, watch_table
from serving.whatif import PlanAsked, PlanPart, WhatIf
from stores.database import reading
from tests.rehabcast.command_line import run
from training.registry.model_versions import find

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FOLDER = Path(__file__).with_name("golden_homes")
HOMES = sorted(FOLDER.glob("*.tar.xz"))
OLD_PLACE = "/srv/rehabcast"
LATER = datetime(2026, 12, 1, tzinfo=UTC)
"""While their audits are valid."""


def question(*observations: tuple[str, int | None, float]) -> Question:
    return Question(
        subject="SIMULATED", enrolment_day=6,
        observations=[
            Observation(code=code, day_since_onset=day, value=value)
            for code, day, value in observations
        ],
    )  # fmt: skip


KNEE = "OURHOSPITAL//KNEE_SCORE"
ARM = "REHABCAST//FUGL_MEYER_UE"
QUESTIONS = {
    2: (arm := question((ARM, 6, 20.0), ("REHABCAST//AGE", None, 70.0))),
    3: (own := question((KNEE, 6, 14.0), (KNEE, 12, 18.0), ("REHABCAST//AGE", None, 68.0))),
    4: own,
    5: arm,
    6: arm,
}
"""By form: those of the codes that rehabcast ships, or of a hospital's own."""

PLAN = PlanAsked(name="none", parts=[PlanPart(hours_a_week={"therapy": 0.0})])

REFUSED = "does not tell how many people stand behind its forecasts: train and audit again$"


def test_there_is_a_golden_home_of_every_form_of_a_bundle() -> None:
    assert {form_of(archive) for archive in HOMES} == set(range(1, NEWEST["bundle"] + 1))
    assert sum(file.stat().st_size for file in HOMES) < 500_000 * len(HOMES)


def form_of(archive: Path) -> int:
    """Return the form of its bundles, as the manifests say; one that says nothing is of form 1."""
    with tarfile.open(archive) as opened:
        (name,) = (name for name in opened.getnames() if name.endswith("/manifest.json"))
        manifest = opened.extractfile(name)
        assert manifest is not None
        said = json.load(manifest).get(KEY, name_of("bundle", 1))
    return int(said.rpartition("/")[2])


@pytest.mark.parametrize("archive", HOMES, ids=lambda path: path.name)
def test_a_home_of_an_earlier_version_verifies_and_its_champion_forecasts_or_is_trained_again(
    archive: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    home = (tmp_path / "home").rename(tmp_path / "a home elsewhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REHABCAST_HOME", str(home))
    for words, says in (
        (("ledger", "verify"), "the chain is intact"),
        (("ledger", "show"), "arm/1"),
        (("record", "verify"), "all as they were written"),
    ):
        said = run(capsys, monkeypatch, *words)
        assert (said.code, says in said.text) == (0, True), said
    settings = Settings()
    version = find(settings.store, "arm/1")
    report, _ = fetch_report(settings, version)
    assert report.verdict.model_version == "arm/1"
    described = open_description(settings, version)
    assert report.verdict.bundle_digest == described.digest
    source = LedgerSource(settings)
    state = begin(source.read(), LATER)
    assert isinstance(state, Serving), state
    if form_of(archive) == 1:
        with pytest.raises(IntegrityError, match=REFUSED) as refusal:
            source.load(state.terms)
        assert "restore" not in str(refusal.value)
    else:
        given = respond(QUESTIONS[form_of(archive)], source.load(state.terms), now=LATER)
        assert given.status == "forecast", given
        assert all(h.low_80 <= h.median <= h.high_80 for h in given.horizons)
        asked = replace(QUESTIONS[form_of(archive)], plans=[PLAN])
        what_if = respond(asked, source.load(state.terms), now=LATER).what_if
        assert isinstance(what_if, WhatIf)
        assert what_if.status == "no answer"
        keeps_curves = form_of(archive) >= 5
        assert ("not on record" if keeps_curves else "by an earlier version") in what_if.reason
    with closing(sqlite3.connect(home / "mlflow.db")) as registry:
        assert [line for line in registry.iterdump() if OLD_PLACE in line] == []


def test_a_record_of_the_form_before_is_brought_up_and_erased_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Form 2 had monitoring and no pushed points (SIMULATED people, made by that version)."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    database = home / "service.db"
    database.write_bytes(lzma.decompress((FOLDER / "record-form-2.db.xz").read_bytes()))
    database.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REHABCAST_HOME", str(home))
    # Whoever only reads it brings it up as well: there is one way to open a store.
    said = run(capsys, monkeypatch, "record", "verify")
    assert (said.code, "all as they were written" in said.text) == (0, True), said
    with closing(Store(f"sqlite:///{database}")) as store:
        with reading(store.engine) as connection:
            assert connection.execute(sa.select(form_table.c.number)).scalar_one() == 4
            watched = connection.execute(sa.select(watch_table.c.subject)).scalars().all()
            assert sorted(watched) == ["SIM-1", "SIM-2", "SIM-3"]
            assert len(connection.execute(sa.select(decision_table)).all()) == 1
        assert len(store.record("ward", "SIM-1")[1]) == 31
        onset = date(2026, 10, 8)
        now = datetime(2026, 11, 10, 12, tzinfo=UTC)
        sent = json.loads(json.dumps([STEPS]).replace("2026-01-15", "2026-11-09"))
        (point,) = judged(read(sent, "SIM-1", ""), "SIM-1", "", now)
        assert isinstance(point, Point)
        wearer = Wearer(tenant="ward", subject="SIM-1", onset_date=onset, enrolment_day=5)
        push(store, wearer, [point], actor="client:gateway", now=now)
        with reading(store.engine) as connection:
            # What was on record of that day before stays.
            assert [len(connection.execute(sa.select(table)).all()) for table in PUSHED] == [
                1,
                0,
                1,
            ]
    erased = run(
        capsys, monkeypatch, "record", "erase", "SIM-1", "--tenant", "ward", "--reason", "asked"
    )
    assert erased.code == 0, erased
    assert b"SIM-1" not in database.read_bytes()
    said = run(capsys, monkeypatch, "record", "verify")
    assert (said.code, "all as they were written" in said.text) == (0, True), said
    # A version that reads form 2 at most would not have known the points, and so refuses.
    monkeypatch.setitem(formats.NEWEST, "record", 2)
    before = database.read_bytes()
    said = run(capsys, monkeypatch, "record", "verify")
    assert (said.code, "has form 4, and this version of rehabcast reads 2" in said.text) == (
        8,
        True,
    )
    assert database.read_bytes() == before
