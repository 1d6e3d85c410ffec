"""A hospital's Berg, TUG, NIHSS and FIM items, from its tables to a forecast, without a line of code."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, Cohort
from contracts.errors import TaskInvalid
from contracts.forecast import LOWER_80, MEDIAN, UPPER_80
from contracts.observation import Observation
from contracts.task import Task
from contracts.therapy import THERAPY
from features.cohort.summary import summarise
from features.importing import import_source
from features.newest import days_with_score
from features.sequences import training_sequences
from inference.bundle import forecast_batch, load_bundle, verify_bundle
from inference.record import record_batch
from rehabcast.auditing.reports import facts_of
from rehabcast.cohort_table import cohort_table
from rehabcast.output import console_for
from rehabcast.settings import Settings
from tests.conftest import write_bundle_of
from tests.training.registry.test_bundle import PROVENANCE
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.predictions import prediction_table
from training.registry.model_card import model_card
from training.task import read_task
from training.task_notes import task_notes

TUG, BERG, NIHSS = (f"REHABCAST//{name}" for name in ("TUG", "BERG", "NIHSS"))
FIM = {"eat": "REHABCAST//FIM_EATING", "stairs": "REHABCAST//FIM_STAIRS"}
PHYSIO = "REHABCAST//THERAPY_PHYSIO"

MAP = f"""
name = "made up"
clock = "days since onset"
simulated = true

[[tables]]
file = "people.csv"
subject = "id"
columns = [
    {{ column = "in", code = "REHABCAST//ENROLMENT" }},
    {{ column = "sex", code = "REHABCAST//SEX", labels = {{ f = "female", m = "male" }} }},
]
[[tables]]
file = "scores.csv"
subject = "id"
when = "day"
columns = [
    {{ column = "tug_ms", code = "{TUG}", unit = "ms" }},
    {{ column = "bbs", code = "{BERG}", unit = "{{score}}" }},
    {{ column = "nihss", code = "{NIHSS}", unit = "{{score}}" }},
    {{ column = "eat", code = "{FIM["eat"]}", unit = "{{score}}" }},
    {{ column = "stairs", code = "{FIM["stairs"]}", unit = "{{score}}" }},
]
[[tables]]
file = "sessions.csv"
subject = "id"
when = "day"
names_in = "kind"
values_in = "minutes"
columns = [
    {{ column = "PT", code = "{PHYSIO}", unit = "min", sessions = true }},
    {{ column = "other", code = "REHABCAST//THERAPY_OTHER", unit = "min", sessions = true }},
]
"""

TASK = f"""
name = "our-tug"
condition = "walking after stroke"
origins_days = [0]
forecasts_until_day = 30
primary_horizon_weeks = 6
early_days = 60

[target]
code = "{TUG}"
low = 0
high = 300
step = 0.1
better = "lower"
minimal_important_difference = 1
source = "made up for a test"

[[horizons]]
weeks = 6
window_days = [35, 49]

[[milestones]]
name = "faster"
gain_at_least = 1
source = "made up for a test"

[inputs]
past_days = 14
assessments = ["{TUG}", "{BERG}", "{NIHSS}", "{FIM["eat"]}", "{FIM["stairs"]}"]
daily = ["{THERAPY}", "{PHYSIO}"]
person = ["REHABCAST//SEX"]

[[sensitive]]
name = "sex"
code = "REHABCAST//SEX"
reason = "as everywhere"
"""


def write_source(folder: Path, people: int = 40) -> Path:
    """Write three tables of SIMULATED people; nobody adds up the FIM, nor the day's therapy."""
    draw = np.random.default_rng(7)
    scores, sessions = [], []
    for person in range(people):
        first = float(draw.uniform(15, 60))
        for day, part in ((3, 1.0), (45, 0.6)):
            tug = first * part + draw.normal(0, 1)
            berg = np.clip(round(60 - tug), 0, 56)
            nihss, eat, stairs = draw.integers(0, 20), draw.integers(3, 8), draw.integers(1, 8)
            scores.append((person, day, round(1000 * tug, -2), berg, nihss, eat, stairs))
        for day in (2, 3):
            again = int(draw.choice([15, 30, 45]))
            sessions += [(person, day, "PT", 30), (person, day, "PT", again)]
            sessions.append((person, day, "other", 15))
    people_ = [(person, 3, str(draw.choice(["f", "m"]))) for person in range(people)]
    for name, rows, columns in (
        ("people", people_, ["id", "in", "sex"]),
        ("scores", scores, ["id", "day", "tug_ms", "bbs", "nihss", "eat", "stairs"]),
        ("sessions", sessions, ["id", "day", "kind", "minutes"]),
    ):
        pd.DataFrame(rows, columns=columns).to_csv(folder / f"{name}.csv", index=False)
    (folder / "map.toml").write_text(MAP, "utf-8")
    (folder / "task.toml").write_text(TASK, "utf-8")
    return folder / "map.toml"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("hospital"))


@pytest.fixture(scope="module")
def cohort(source: Path) -> Cohort:
    return import_source(source, source.parent / "cohort").cohort


@pytest.fixture(scope="module")
def task(source: Path) -> Task:
    return read_task(source.with_name("task.toml"))


def test_the_cohort_is_shown_with_names_and_what_is_to_be_confirmed(cohort: Cohort) -> None:
    table = console_for(width=160, file=StringIO())
    table.print(cohort_table(summarise(cohort), []))
    said = table.file.getvalue()
    assert "SIMULATED" in said
    assert "Timed Up and Go, seconds (range, step and direction to be confirmed)" in said
    assert "FIM item, eating, points (range and step to be confirmed)" in said
    assert "Berg Balance Scale, points  " in said
    assert "NIH Stroke Scale, points (range and step to be confirmed)" in said


def test_a_value_outside_a_range_that_is_only_recalled_is_told_so(tmp_path: Path) -> None:
    source = write_source(tmp_path, people=2)
    scores = pd.read_csv(tmp_path / "scores.csv")
    scores["tug_ms"] = [900_000, *scores["tug_ms"][1:]]
    scores["bbs"] = [scores["bbs"][0], 57, *scores["bbs"][2:]]
    scores.to_csv(tmp_path / "scores.csv", index=False)
    said = "\n".join(map(str, import_source(source, tmp_path / "cohort").dropped))
    assert "from 0 to 300 s (to be confirmed) is expected" in said
    assert "from 0 to 56 {score} is expected" in said


def test_a_scale_that_is_not_the_shipped_one_is_told_what_to_confirm(source: Path) -> None:
    wrong = source.with_name("wrong.toml")
    text = source.with_name("task.toml").read_text("utf-8")
    wrong.write_text(text.replace("high = 300", "high = 120").replace("step = 0.1", "step = 1"))
    with pytest.raises(TaskInvalid) as refusal:
        read_task(wrong)
    assert "0 to 300 for REHABCAST//TUG (to be confirmed)" in str(refusal.value)
    assert "scores of REHABCAST//TUG are 0.1 apart (to be confirmed)" in str(refusal.value)


def test_items_are_not_added_and_therapy_is_counted_once(cohort: Cohort) -> None:
    values = cohort.events.groupby(CODE, observed=True)[NUMBER]
    assert not {"REHABCAST//FIM_TOTAL", "REHABCAST//FIM_MOTOR"} & set(values.groups)
    physio, therapy = values.get_group(PHYSIO), values.get_group(THERAPY)
    assert set(physio) == {45, 60, 75}
    assert therapy.tolist() == [minutes + 15 for minutes in physio]
    assert values.get_group(TUG).max() < 70


def test_the_task_says_what_is_known_of_its_instrument(task: Task) -> None:
    said = "\n".join(map(str, task_notes(task)))
    assert "Timed Up and Go: range, step and direction to be confirmed" in said
    assert "a gain of 1 second is less than the 1.1 seconds" in said
    assert "knee osteoarthritis" in said


def test_a_time_is_forecast_from_the_instruments(
    cohort: Cohort, task: Task, tmp_path: Path
) -> None:
    batch = training_sequences(cohort.events, task)
    records = days_with_score(cohort.events, task, batch.layout)
    assert set(batch.layout.channels_C) == {*task.inputs.assessments, *task.inputs.daily}
    config = TrainingConfig(max_epochs=1, folds=3, hidden=4)
    fitted = crossfit(batch, task, config, folder=tmp_path / "folds", records=records)
    bundle_folder = tmp_path / "bundle"
    bundle_folder.mkdir()
    write_bundle_of(fitted, batch, task, bundle_folder, records)
    bundle = load_bundle(bundle_folder, expected_digest=verify_bundle(bundle_folder))
    record = [
        Observation(code=code, day_since_onset=3, value=value)
        for code, value in ((TUG, 30.0), (BERG, 30.0), (NIHSS, 6.0), (FIM["eat"], 5.0),
                            (THERAPY, 75.0), (PHYSIO, 60.0))
    ]  # fmt: skip
    asked = record_batch(3, record, bundle.task, bundle.layout)
    card = model_card(prediction_table(batch, fitted.out_of_fold_BHQ, task, model="candidate"),
                      task, PROVENANCE)  # fmt: skip
    assert "lower is better; range, step and direction to be confirmed" in " ".join(card.split())
    facts = facts_of(Settings(), bundle)
    assert facts.target == (
        "Timed Up and Go (lower is better; range, step and direction to be confirmed)"
    )
    (quantiles_HQ,) = forecast_batch(bundle, asked)
    low, middle, high = (quantiles_HQ[0, place] for place in (LOWER_80, MEDIAN, UPPER_80))
    assert 0 <= low < middle < high <= 300
    # It has learned something: who walks in 30 s is not forecast the middle of the scale.
    assert middle < 60
