"""Patients in plain words, asked about over HTTP: README.md of this folder says how to add one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from contracts.cohort import SUBJECT
from features.newest import days_with_score
from features.sequences import training_sequences
from features.simulate import simulate
from features.sources.cohorts.stroke_specs import import_stroke_specs
from serving.formats.cds.hooks import SERVICE
from tests.conftest import ROOT, write_bundle_of
from tests.serving.conftest import Server
from tests.stories.judging import Answer, faults
from tests.stories.record_systems import bundle, hook, question, record
from tests.stories.story import Facts, Story, stories
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.task import read_task

STORIES = stories()
REAL = ROOT.parent / "shared" / "data" / "stroke_specs"
FEW_REAL_PEOPLE = frozenset(
    {"no movement after four weeks", "no points at all", "a mistyped score, corrected"}
)
"""Stories of whom the real cohort holds fewer than five people alike: refused, and told why."""

USUAL = Facts(scores=[(10, 30)], age=65, sex="female")


def ask(server: Server, by: str, facts: Facts) -> Answer:
    subject = f"S-{uuid.uuid4().hex[:12]}"
    if by == "course":
        return on_record(server, facts, subject)
    path, body = {
        "API": ("/v1/forecast", question(facts, subject)),
        "FHIR": ("/v1/forecast", {"subject": "p1", "bundle": bundle(facts), "explain": False}),
        "CDS Hooks": (f"/cds-services/{SERVICE}", hook(facts)),
    }[by]
    return answer_of(server, path, body)


def answer_of(server: Server, path: str, body: dict[str, Any]) -> Answer:
    got = server.http.post(
        path, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    return Answer(got.status_code, got.json())


def on_record(server: Server, facts: Facts, subject: str) -> Answer:
    """Put a record on file, and read everything that the service says of the person then."""
    put = answer_of(server, "/v1/observations", record(facts, subject))
    if put.status >= 400:
        return put
    told = answer_of(server, "/v1/forecast", {"subject": subject, "explain": False})
    course = server.http.get(f"/v1/subjects/{subject}/course")
    alerts = server.http.get("/v1/alerts")
    more = [course.json()] if course.status_code == 200 else []
    if alerts.status_code == 200:
        more += [row for row in alerts.json().get("alerts", []) if subject in json.dumps(row)]
    return Answer(told.status, told.body, more)


def judged(story: Story, server: Server) -> list[str]:
    answer = ask(server, story.by, story.facts)
    compared = None if story.compared is None else ask(server, "API", story.compared)
    usual = ask(server, "course" if story.by == "course" else "API", USUAL)
    return faults(story, answer, compared, usual)


@pytest.mark.parametrize(
    "story", [one for one in STORIES if not one.trained], ids=lambda one: one.name
)
def test_what_holds_of_any_model(
    story: Story, started: Callable[[Path], Server], bundle_folder: Path
) -> None:
    assert judged(story, started(bundle_folder)) == []


@pytest.fixture(scope="session")
def simulated_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 400 SIMULATED people: minutes to train, and good enough to be judged."""
    events, _ = simulate(subjects=400, seed=0)
    return trained_on(events, tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="session")
def real_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the real stroke cohort; skipped where its data are not beside the repository."""
    if not REAL.exists():
        pytest.skip("the real cohort is not here: ../shared/data/stroke_specs")
    events, _ = import_stroke_specs(REAL)
    return trained_on(events, tmp_path_factory.mktemp("real"))


def trained_on(events: pd.DataFrame, folder: Path) -> Path:
    task = read_task(ROOT / "tasks" / "stroke-upper-limb.toml")
    batch = training_sequences(events, task)
    events = events[events[SUBJECT].isin(batch.subject_B)]
    records = days_with_score(events, task, batch.layout)
    config = TrainingConfig(max_epochs=60)
    fitted = crossfit(batch, task, config, folder=folder / "folds", records=records)
    write_bundle_of(fitted, batch, task, folder / "bundle", records)
    return folder / "bundle"


@pytest.mark.soak
@pytest.mark.parametrize("cohort", ["simulated", "real"])
@pytest.mark.parametrize("story", STORIES, ids=lambda one: one.name)
def test_trained_models(
    story: Story, cohort: str, started: Callable[[Path], Server], request: pytest.FixtureRequest
) -> None:
    bundle_folder: Path = request.getfixturevalue(f"{cohort}_bundle")
    if cohort == "real" and story.name in FEW_REAL_PEOPLE:
        answer = ask(started(bundle_folder), story.by, story.facts)
        assert answer.kind == "no forecast"
        assert "fewer than" in answer.reason
        return
    assert judged(story, started(bundle_folder)) == []
