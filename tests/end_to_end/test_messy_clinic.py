"""From three messy tables to a served forecast of an instrument that rehabcast does not ship.

The small walk is always run; `make soak` takes that of docs/first-cohort/messy.md, with its 120 people and its networks.
Whoever changes a step here changes it there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.command_line import CommandLine
from tests.end_to_end.hospital import Hospital, ask_service, small_and_whole
from tests.end_to_end.messy_clinic import WORN_DAYS, write_clinic

# MLflow uses what SQLAlchemy deprecates; rehabcast itself does not.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

CheckFields = Callable[[tuple[str, ...], dict[str, Any]], None]


class Walk(NamedTuple):
    """How many people (SIMULATED), and the file of training parameters."""

    people: int
    config: str


SMALL = Walk(people=40, config="max_epochs = 3\nfolds = 3\n")
ON_THE_PAGE = Walk(people=120, config="max_epochs = 60\nfolds = 3\n")
HAND = "OURHOSPITAL//ALLTAGSHAND_SCORE"

OWN_ANSWERS = {
    "name": '"everyday hand score"', "domain": '"arm"', "low": "0", "high": "40",
    "better": '"higher"', "source": '"our clinic\'s manual, 2023"',
}  # fmt: skip

TASK_ANSWERS = {
    "condition": '"loss of hand function after stroke"', "minimal_important_difference": "4",
    "gain_at_least": "4", "source": '"made up for this walk"', "reason": '"as everywhere"',
}  # fmt: skip


def answered(text: str, answers: dict[str, str]) -> str:
    """Answer what has "?" by its key."""
    for key, answer in answers.items():
        text = re.sub(rf'^{key} = "\?".*$', f"{key} = {answer}", text, flags=re.MULTILINE)
    return text


def confirmed(text: str) -> str:
    """Delete `confirm = true`, as a person does who agrees with each guess."""
    text = text.replace(", confirm = true }", " }")
    return re.sub(r"^confirm = true.*\n", "", text, flags=re.MULTILINE)


def vocabulary_of(proposed: str, code: str) -> str:
    """Return the entry of a code from the end of a proposed map, without the signs #."""
    entries = proposed.split("#\n# [[code]]\n")[1:]
    entry = next(each for each in entries if code in each)
    return "[[code]]\n" + re.sub(r"^# ?", "", entry, flags=re.MULTILINE)


def with_own_code(proposed: str, code: str) -> str:
    """Write the column of an own code into its table, as the comment below the table says."""
    (column,) = re.findall(
        rf'^#   (\{{ column = "[^"]*", code = "{code}".*)$', proposed, re.MULTILINE
    )
    table = proposed.index("columns = [\n") + len("columns = [\n")
    text = f"{proposed[:table]}    {column}\n{proposed[table:]}"
    return text.replace('# vocabulary = "codes.toml"', 'vocabulary = "codes.toml"')


@pytest.fixture(scope="module", params=small_and_whole(SMALL, ON_THE_PAGE, "on the page"))
def walk(request: pytest.FixtureRequest) -> Walk:
    chosen: Walk = request.param
    return chosen


@pytest.fixture(scope="module")
def clinic(
    tmp_path_factory: pytest.TempPathFactory, command_line: CommandLine, walk: Walk
) -> Hospital:
    folder = tmp_path_factory.mktemp("clinic")
    write_clinic(folder, people=walk.people)
    (folder / "quick.toml").write_text(walk.config, "utf-8")
    return Hospital(folder, command_line, quick_training=walk == SMALL)


@pytest.fixture(scope="module")
def proposed(clinic: Hospital, check_fields: CheckFields) -> str:
    words = ("cohort", "map", ".", "--output", "map.toml")
    record = clinic.record(*words)
    check_fields(words, record)
    assert record["open_points"] > 5
    return (clinic.folder / "map.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def cohort(clinic: Hospital, proposed: str) -> Path:
    refused = clinic.run("cohort", "import", "auto", "map.toml", "cohort", code=3)
    assert 'time_zone = "?" has no answer yet' in refused
    assert "nobody has confirmed this guess yet" in refused
    assert not (clinic.folder / "cohort").exists()
    text = answered(confirmed(with_own_code(proposed, HAND)), {"time_zone": '"Europe/Berlin"'})
    text = text.replace("# simulated = true", "simulated = true")
    (clinic.folder / "map.toml").write_text(text, "utf-8")
    own = answered(vocabulary_of(proposed, HAND), OWN_ANSWERS)
    (clinic.folder / "codes.toml").write_text(own, "utf-8")
    clinic.run("cohort", "import", "auto", "map.toml", "cohort")
    return clinic.folder / "cohort"


@pytest.fixture(scope="module")
def task(clinic: Hospital, cohort: Path, check_fields: CheckFields) -> str:
    words = ("task", "new", cohort.name, "--output", "task.toml")
    check_fields(words, clinic.record(*words))
    refused = clinic.run("task", "check", "task.toml", code=3)
    assert 'condition = "?" has no answer yet' in refused
    text = (clinic.folder / "task.toml").read_text("utf-8")
    (clinic.folder / "task.toml").write_text(answered(confirmed(text), TASK_ANSWERS), "utf-8")
    words = ("task", "check", "task.toml", "--cohort", cohort.name)
    check_fields(words, clinic.record(*words))
    return "task.toml"


def test_what_the_files_prove_is_in_the_map_and_nobodys_name_is(proposed: str) -> None:
    for line in (
        'separator = ";"', 'decimal = ","', 'thousands = "."', 'date_format = "DD.MM.YYYY"',
        'date_format = "DD.MM.YYYY HH:mm"', 'subject = "Pat.-Nr."', 'subject = "Kennung"',
        'names_in = "Messgröße"', 'values_in = "Wert"', 'encoding = "cp1252"', 'time_zone = "?"',
        'labels = { "m" = "male", "w" = "female" }', 'unit = "h/d"', 'missing = ["k.A."]',
    ):  # fmt: skip
        assert line in proposed, line
    assert "Müller" not in proposed
    assert "Begleitung" not in proposed
    assert re.search(r"\d\d\.\d\d\.\d{4}", proposed) is None


def test_every_value_arrives_in_its_unit_and_on_its_day(
    clinic: Hospital, cohort: Path, walk: Walk
) -> None:
    events = pd.concat(map(pd.read_parquet, (cohort / "data").rglob("*.parquet")))
    days = pd.read_csv(clinic.folder / "Schritte.csv", sep=";", encoding="latin-1", dtype=str)
    steps = days[days["Messgröße"] == "Schritte"]["Wert"].str.replace(".", "").astype(float)
    arrived = events[events["code"] == "LOINC//41950-7"]
    assert len(arrived) == walk.people * WORN_DAYS
    assert arrived["numeric_value"].sum() == steps.sum()
    scores = events[events["code"] == HAND]["numeric_value"]
    assert scores.between(0, 40).all()
    assert events["subject_id"].nunique() == walk.people


@pytest.mark.soak
def test_the_forecast_is_served(clinic: Hospital, task: str) -> None:
    version = clinic.record(
        "train", "--cohort", "cohort", "--task", task, "--model", "hand", "--config", "quick.toml",
    )["model_version"]  # fmt: skip
    clinic.record("audit", version)
    for role, who in (("ml-owner", "mia"), ("governance", "gus")):
        clinic.run("approve", version, "--role", role, "--reason", "Read and discussed.", actor=who)
    clinic.record(
        "promote", version, "--approver", "A. Tester", "--reason", "only a walk",
        "--until", "2999-01-01", "--restricted-use", "this walk only",
    )  # fmt: skip
    observations: list[dict[str, Any]] = [
        {"code": HAND, "day_since_onset": 9, "value": 11},
        {"code": "REHABCAST//AGE", "value": 66},
        {"code": "REHABCAST//SEX", "label": "female"},
    ]
    record = {"subject": "K-1", "enrolment_day": 9, "observations": observations}
    answers = ask_service(clinic, [["/v1/forecast", record]])
    ((status, forecast),) = answers["/v1/forecast"]
    assert (status, forecast["status"]) == (200, "forecast"), json.dumps(forecast)
    assert forecast["instrument"].startswith("everyday hand score")
    assert [horizon["weeks"] for horizon in forecast["horizons"]] == [2, 6, 12]
    assert "SIMULATED" in json.dumps(forecast) or "simulated" in json.dumps(forecast)
