"""The public Python API: its names, what it costs to import, and that it says what the service says."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shap
from typer.main import get_command

import rehabcast
from contracts.cohort import CODE, NUMBER, SUBJECT, Cohort
from contracts.digests import PACKAGES
from contracts.errors import ContractError, EvidenceMissing, ForecastRefused, RehabcastError
from contracts.verdict import Outcome
from features.cohort import read_cohort
from inference.bundle import Bundle
from inference.record import record_batch
from rehabcast import ledger_source
from rehabcast.api import models
from rehabcast.api.forecasts import NOT_IN_SERVICE, NOT_ON_RECORD, Model
from rehabcast.commands import audit as audits
from rehabcast.commands import evaluation
from rehabcast.commands.audit import run_audit
from rehabcast.commands.learning import training
from rehabcast.commands.service.serve import forecast_request
from rehabcast.main import app
from rehabcast.pyfunc import without_audit
from rehabcast.settings import Settings
from serving.forecast.explain import explain, game_of
from stores.private_files import made_private
from tests.conftest import ROOT
from tests.rehabcast.test_pyfunc import registered

MLFLOW = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Pydantic.*", "ignore::UserWarning"),
]

NAMES = {
    "AuditResult", "Cohort", "Evaluation", "ForecastAnswer", "Model", "RehabcastError", "Task",
    "TrainingConfig", "TrainingResult", "audit", "evaluate", "explain", "forecast", "import_cohort",
    "open_champion", "open_version", "read_cohort", "read_task", "train",
}  # fmt: skip
"""A name that goes, or an argument that changes, breaks notebooks: CHANGELOG.md has to say so."""

ARGUMENTS = {
    "audit": "model_version, *, champion_predictions, external, proposals, served, policy",
    "evaluate": "model_version, cohort, *, output",
    "explain": "model, cohort, subject, *, as_of_day, weeks, output",
    "forecast": "model, cohort, subject, *, as_of_day",
    "import_cohort": "source, destination, *, file_format, map_file, strict",
    "open_champion": "*, model",
    "open_version": "model_version",
    "read_cohort": "folder",
    "read_task": "file",
    "train": "cohort, task, *, model, parameters, pretrain_on, without",
}


def test_the_names_are_pinned_and_documented() -> None:
    assert set(rehabcast.__all__) == NAMES
    assert sorted(rehabcast.__all__) == rehabcast.__all__
    assert set(dir(rehabcast)) >= NAMES
    for name in NAMES:
        assert (getattr(rehabcast, name).__doc__ or "").strip(), name
    with pytest.raises(AttributeError, match="tarin"):
        _ = rehabcast.tarin
    # A module of that name would take its place once it is imported.
    assert NAMES & {path.stem for path in (ROOT / "rehabcast").iterdir()} == set()


@pytest.mark.parametrize("name", sorted(name for name in NAMES if name[0].islower()))
def test_arguments_are_pinned_and_each_function_says_what_it_needs(name: str) -> None:
    function = getattr(rehabcast, name)
    parameters = list(inspect.signature(function).parameters.values())
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    first = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    assert ", ".join([*first, *(["*", *named] if named else [])]) == ARGUMENTS[name]
    described = inspect.getdoc(function) or ""
    assert "Parameters\n----------" in described
    assert "Raises\n------" in described


COMMANDS = {
    "audit": "audit", "evaluate": "evaluate", "import_cohort": "cohort import",
    "read_cohort": "cohort validate", "train": "train",
}  # fmt: skip
"""Which command does what a function does; the others answer from an opened model or a file."""

OTHERWISE = {
    ("audit", "proposal"): "proposals",
    ("evaluate", "cohort"): "cohort",
    ("import_cohort", "format_name"): "file_format",
    ("train", "config"): "parameters",
    ("train", "seed"): "parameters",
}
"""What the function calls an option of the command."""

COMMAND_ONLY = {
    **{("audit", each): "compares mitigations: another result, and no verdict"
       for each in ("mitigate", "attribute", "variant", "cohort", "config")},
    **{(name, each): "where it is computed is the machine's matter"
       for name in ("train", "import_cohort") for each in ("engine", "ray_address")},
    ("import_cohort", "into"): "changes a cohort that is there",
}  # fmt: skip
"""What only the command offers, and why."""


def test_a_function_offers_what_its_command_offers_or_it_is_said_why_not() -> None:
    program: Any = get_command(app)
    seen = set()
    for name, words in COMMANDS.items():
        command = program
        for word in words.split():
            command = command.commands[word]
        for parameter in command.params:
            place = (name, parameter.name)
            if parameter.name == "as_json":
                continue
            seen.add(place)
            argument = OTHERWISE.get(place, parameter.name)
            offered = argument in ARGUMENTS[name].split(", ")
            assert offered is (place not in COMMAND_ONLY), place
    assert set(COMMAND_ONLY) | set(OTHERWISE) <= seen
    assert {name for name in NAMES if name[0].islower()} - COMMANDS.keys() == {
        "explain", "forecast", "open_champion", "open_version", "read_task",
    }  # fmt: skip


def test_an_audit_is_asked_all_that_the_command_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(audits, "run_audit", lambda of, **given: asked.append((of, given)))
    models.audit("arm/1")
    models.audit(
        "arm/2", champion_predictions="c", external="e", proposals=[6], served="s", policy="p"
    )
    nothing, everything = (given for _, given in asked)
    assert (
        set(nothing)
        == set(everything)
        == set(inspect.signature(run_audit).parameters) - {"model_version"}
    )
    assert {str(value) for value in nothing.values()} == {"None", "()"}
    assert everything == {
        "champion_predictions": Path("c"), "external": Path("e"), "proposals": [6],
        "served": Path("s"), "policy_file": Path("p"),
    }  # fmt: skip


def test_whoever_withdrew_is_not_trained_on(
    people: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "train_candidate", lambda *_: "trained")
    withdrawn, task = tmp_path / "withdrawn.txt", rehabcast.read_task("tasks/mobility.toml")
    withdrawn.write_text("P000\n")
    assert models.train(people, task, model="arm", without=withdrawn) == "trained"
    withdrawn.write_text("P129\n")
    with pytest.raises(ContractError, match="1 people who must not be in it"):
        models.train(people, task, model="arm", without=str(withdrawn))


PROGRAM = """
import sys, rehabcast
print([name for name in ("numpy", "pandas", "torch", "mlflow", "typer", "shap") if name in sys.modules])
import os
rehabcast.train
print(os.environ["MLFLOW_DISABLE_TELEMETRY"], [m for m in ("torch", "mlflow", "bentoml") if m in sys.modules])
"""


def test_importing_costs_nothing_until_a_name_is_used_and_nobody_is_reported_to() -> None:
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env={**environment, "PYTHONPATH": str(ROOT)}, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["[]", "true []"]


def test_each_package_says_that_it_has_types() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    data = project["tool"]["setuptools"]["package-data"]
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").is_file(), package
        assert "py.typed" in data[package]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return rehabcast.import_cohort(
        ROOT / "examples" / "new-patients" / "map.toml",
        tmp_path_factory.mktemp("cohorts") / "people",
        file_format="tables",
        strict=True,
    )


@pytest.fixture
def model(bundle: Bundle) -> Model:
    return Model(served=without_audit(bundle, "arm/1"), notes=(NOT_ON_RECORD,))


def test_a_cohort_is_read_as_the_command_reads_it(people: Cohort, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    rehabcast.import_cohort(
        ROOT / "examples" / "new-patients" / "map.toml", folder, file_format="tables"
    )
    again = rehabcast.read_cohort(str(folder))
    assert again.digest == read_cohort(folder).digest == people.digest
    assert again.provenance.simulated
    assert folder.stat().st_mode & 0o077 == 0


def test_a_shipped_task_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert rehabcast.read_task("tasks/mobility.toml").name == "mobility"
    with pytest.raises(RehabcastError):
        rehabcast.read_task("mobility.toml")


def test_an_explanation_is_that_of_the_service_and_adds_up(model: Model, people: Cohort) -> None:
    answer = rehabcast.forecast(model, people, "P129", as_of_day=21)
    assert answer.status == "forecast", answer.reason
    request = forecast_request(people, "P129", as_of_day=21, weeks=None)
    bundle = model.served.bundle
    assert request.enrolment_day is not None
    batch = record_batch(
        request.enrolment_day, request.observations or [], bundle.task, bundle.layout,
        request.as_of_day,
    )  # fmt: skip
    for h, weeks in [(h, horizon.weeks) for h, horizon in enumerate(bundle.task.horizons)]:
        if weeks not in {horizon.weeks for horizon in answer.horizons}:
            continue
        with pytest.warns(UserWarning, match="NOT IN SERVICE: .* SIMULATED training data"):
            found = rehabcast.explain(model, people, "P129", as_of_day=21, weeks=weeks)
        assert isinstance(found, shap.Explanation)
        own = explain(game_of(bundle, batch), h)
        assert dict(zip(found.feature_names, found.values, strict=True)) == dict(
            zip(own.feature_names, own.values, strict=True)
        )
        assert (np.diff(np.abs(found.values)) <= 0).all()
        median = next(each.median for each in answer.horizons if each.weeks == weeks)
        assert found.base_values + found.values.sum() == pytest.approx(median, abs=1e-4)


def test_a_milestone_is_explained_in_parts_of_its_chance(model: Model, people: Cohort) -> None:
    with pytest.warns(UserWarning, match="NOT IN SERVICE"):
        found = rehabcast.explain(model, people, "P129", as_of_day=21, output="important gain")
    answer = rehabcast.forecast(model, people, "P129", as_of_day=21)
    weeks = model.served.bundle.task.primary_horizon_weeks
    horizon = next(each for each in answer.horizons if each.weeks == weeks)
    total = found.base_values + found.values.sum()
    assert total == pytest.approx(horizon.milestones["important gain"], abs=1e-4)


def test_a_warning_which_may_be_logged_says_nothing_of_the_record(
    model: Model, people: Cohort
) -> None:
    events = people.events.copy()
    is_score = (events[CODE] == model.served.bundle.task.target.code) & (
        events[SUBJECT] == people.subject_of("P129")
    )
    events.loc[is_score, NUMBER] = 22.5
    odd = replace(people, events=events)
    answer = rehabcast.forecast(model, odd, "P129", as_of_day=21)
    of_the_record = [note for note in answer.notes if note not in model.notes]
    assert of_the_record
    with pytest.warns(UserWarning, match="NOT IN SERVICE") as caught:
        rehabcast.explain(model, odd, "P129", as_of_day=21)
    said = " ".join(str(warning.message) for warning in caught)
    assert not [note for note in of_the_record if note in said]


REFUSED: dict[str, Callable[[Model, Cohort], object]] = {
    "a horizon that is past": lambda model, people: rehabcast.explain(
        model, people, "P129", as_of_day=21, weeks=3
    ),
    "an output that there is none of": lambda model, people: rehabcast.explain(
        model, people, "P129", as_of_day=21, output="joy"
    ),
    "nothing to forecast from": lambda model, people: rehabcast.explain(
        model, people, "P129", as_of_day=-1
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_where_there_is_no_forecast_there_is_no_explanation(
    model: Model, people: Cohort, case: str
) -> None:
    with pytest.raises(ForecastRefused) as refusal:
        REFUSED[case](model, people)
    assert refusal.value.what_to_do


def test_a_forecast_is_of_the_day_that_is_asked_about(model: Model, people: Cohort) -> None:
    """Not of the newest measurement before it, which a later day may find too old."""
    answer = rehabcast.forecast(model, people, "P129", as_of_day=23)
    assert answer.origin_day == 23 or answer.status == "no forecast"
    assert answer.model.audit_outcome == "not audited"
    late = rehabcast.forecast(model, people, "P129", as_of_day=5_000)
    assert late.status == "no forecast"


def test_somebody_who_is_not_in_the_cohort_is_said(model: Model, people: Cohort) -> None:
    with pytest.raises(EvidenceMissing, match="nobody"):
        rehabcast.forecast(model, people, "nobody")


def test_every_forecast_says_how_it_was_made(model: Model, people: Cohort) -> None:
    for subject in ("P121", "P129"):
        assert NOT_ON_RECORD in rehabcast.forecast(model, people, subject, as_of_day=21).notes


def test_the_champion_is_what_the_service_would_load_and_keeps_its_banner(
    bundle: Bundle, people: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = replace(
        without_audit(bundle, "arm/7").audit_status, outcome=Outcome.INSUFFICIENT, approver="Mia",
        reason="a trial",
    )  # fmt: skip
    champion = replace(without_audit(bundle), audit_status=status)
    monkeypatch.setattr(ledger_source, "load_champion", lambda _: champion)
    model = rehabcast.open_champion()
    answer = rehabcast.forecast(model, people, "P129", as_of_day=21)
    assert model.served is champion
    assert "Allowed by Mia" in answer.banner
    assert NOT_ON_RECORD in answer.notes
    assert not [note for note in answer.notes if "not for anyone's care" in note]
    late = replace(status, valid_until=datetime(2020, 1, 1, tzinfo=UTC))
    expired = replace(model, served=replace(champion, audit_status=late))
    assert "expired" in rehabcast.forecast(expired, people, "P129", as_of_day=21).reason
    with pytest.raises(ForecastRefused, match="expired"):
        rehabcast.explain(expired, people, "P129", as_of_day=21)


class TestRegistered:
    pytestmark = MLFLOW

    def test_a_version_is_opened_verified_and_says_that_nobody_let_it_into_service(
        self, bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: Cohort
    ) -> None:
        for name in [name for name in os.environ if name.startswith("REHABCAST_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("REHABCAST_HOME", str(tmp_path / "home"))
        with made_private():
            registered(Settings(), bundle_folder, tmp_path / "made" / "bundle")
        model = rehabcast.open_version("arm/1")
        answer = rehabcast.forecast(model, people, "P129", as_of_day=21)
        assert NOT_IN_SERVICE.format("arm/1") in answer.notes
        assert answer.model.model_version == "arm/1"
        with pytest.raises(EvidenceMissing):
            rehabcast.open_version("arm/2")
        with pytest.raises(EvidenceMissing):
            rehabcast.open_champion()
        assert not (tmp_path / "home" / "ledger.db").exists()


def test_training_and_validation_are_those_of_the_commands(
    people: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []

    def note(*given: object) -> None:
        seen.append((*given, os.umask(0o077)))

    monkeypatch.setattr(training, "train_candidate", note)
    monkeypatch.setattr(evaluation, "evaluate_on", note)
    task = rehabcast.read_task("tasks/mobility.toml")
    before = os.umask(0o022)
    try:
        quick = replace(rehabcast.TrainingConfig(), folds=3)
        models.train(people, task, model="arm")
        models.train(people, task, model="arm", parameters=quick, pretrain_on=people)
        models.evaluate("arm/1", people, output=str(tmp_path / "p.parquet"))
        after = os.umask(0o022)
    finally:
        os.umask(before)
    assert seen == [
        (people, task, "arm", rehabcast.TrainingConfig(), None, 0o077),
        (people, task, "arm", quick, people, 0o077),
        (people, "arm/1", tmp_path / "p.parquet", 0o077),
    ]
    assert after == 0o022
