"""A hospital's own instrument, from its tables to a served forecast; the service needs no file of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from serving.formats.cds.hooks import SERVICE
from tests.command_line import CommandLine
from tests.end_to_end.hospital import Answers, Hospital, ask_service

# MLflow uses what SQLAlchemy deprecates; rehabcast itself does not.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SYSTEM = "https://ourhospital.example/codes"
KNEE, STAIRS, WEIGHT, SIDE = (
    f"OURHOSPITAL//{name}" for name in ("KNEE_SCORE", "STAIRS", "WEIGHT", "SIDE")
)

VOCABULARY = f"""
[[code]]
code = "{KNEE}"
name = "Knee score of our clinic"
kind = "assessment"
modality = "assessments"
domain = "walking"
unit = "{{score}}"
low = 0
high = 48
better = "higher"
step = 1
source = "our clinic's manual, 2024"
fhir = ["{SYSTEM}|KNEE-1"]

[[code]]
code = "{STAIRS}"
name = "height climbed on stairs"
kind = "daily"
modality = "gait"
domain = "walking"
unit = "m/d"
low = 0
high = 300
source = "our step counter"

[[code]]
code = "{WEIGHT}"
name = "body weight at enrolment"
kind = "person"
modality = "person"
unit = "kg"
low = 25
high = 300
source = "our scales"

[[code]]
code = "{SIDE}"
name = "knee that was operated on"
kind = "person"
modality = "person"
labels = ["left", "right"]
source = "our clinic"
"""

MAP = f"""
name = "ourhospital"
clock = "timestamps"
simulated = true
vocabulary = "codes.toml"

[[tables]]
file = "people.csv"
subject = "id"
columns = [
    {{ column = "surgery", code = "REHABCAST//ONSET" }},
    {{ column = "admission", code = "REHABCAST//ENROLMENT" }},
    {{ column = "age", code = "REHABCAST//AGE", unit = "a" }},
    {{ column = "sex", code = "REHABCAST//SEX", labels = {{ f = "female", m = "male" }} }},
    {{ column = "pounds", code = "{WEIGHT}", unit = "[lb_av]" }},
    {{ column = "knee", code = "{SIDE}", labels = {{ L = "left", R = "right" }} }},
]

[[tables]]
file = "scores.csv"
subject = "id"
when = "date"
columns = [{{ column = "score", code = "{KNEE}", unit = "{{score}}" }}]

[[tables]]
file = "days.csv"
subject = "id"
when = "date"
columns = [{{ column = "feet", code = "{STAIRS}", unit = "[ft_i]/d" }}]
"""

TASK = f"""
name = "our-knee"
condition = "recovery after knee replacement"
origins_days = [0, 14]
forecasts_until_day = 60
primary_horizon_weeks = 6
early_days = 60

[target]
code = "{KNEE}"
low = 0
high = 48
step = 1
minimal_important_difference = 5
source = "made up for a test"

[onset]
condition = "knee replacement"
icd10 = ["Z96"]
snomed = ["609588000"]
fallbacks = ["onsetPeriod"]

[[horizons]]
weeks = 6
window_days = [35, 49]
[[horizons]]
weeks = 12
window_days = [77, 99]

[[milestones]]
name = "important gain"
gain_at_least = 5
source = "made up for a test"

[inputs]
past_days = 28
assessments = ["{KNEE}"]
daily = ["{STAIRS}"]
person = ["REHABCAST//AGE", "REHABCAST//SEX", "{WEIGHT}", "{SIDE}"]

[[sensitive]]
name = "sex"
code = "REHABCAST//SEX"
reason = "as everywhere"
[[sensitive]]
name = "operated knee"
code = "{SIDE}"
reason = "nothing is known"
"""


def write_source(folder: Path, people: int = 70) -> None:
    """Write three tables as a hospital has them, in its own units (SIMULATED people)."""
    draw = np.random.default_rng(4)
    persons, scores, days = [], [], []
    for number in range(people):
        name = f"P-{number:03d}"
        surgery = pd.Timestamp("2024-03-01") + pd.Timedelta(days=int(draw.integers(0, 300)))
        admission = surgery + pd.Timedelta(days=int(draw.integers(3, 9)))
        first, best = float(draw.integers(5, 20)), float(draw.integers(28, 46))
        persons.append(
            (name, surgery, admission, int(draw.integers(45, 88)), str(draw.choice(["f", "m"])),
             round(float(draw.normal(175, 30)), 1), str(draw.choice(["L", "R"])))
        )  # fmt: skip
        for day in (0, 14, 42, 84):
            value = best - (best - first) * np.exp(-day / 25) + draw.normal(0, 1.5)
            score = int(np.clip(round(value), 0, 48))
            scores.append((name, admission + pd.Timedelta(days=day), score))
        for day in range(0, 30):
            feet = round(float(draw.gamma(4, 3) * (1 + day / 30)), 1)
            days.append((name, admission + pd.Timedelta(days=day), feet))
    columns = ["id", "surgery", "admission", "age", "sex", "pounds", "knee"]
    pd.DataFrame(persons, columns=columns).to_csv(folder / "people.csv", index=False)
    pd.DataFrame(scores, columns=["id", "date", "score"]).to_csv(folder / "scores.csv", index=False)
    pd.DataFrame(days, columns=["id", "date", "feet"]).to_csv(folder / "days.csv", index=False)
    (folder / "codes.toml").write_text(VOCABULARY, "utf-8")
    (folder / "map.toml").write_text(MAP, "utf-8")
    (folder / "task.toml").write_text(TASK, "utf-8")
    (folder / "quick.toml").write_text("max_epochs = 40\nfolds = 3\n", "utf-8")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory, command_line: CommandLine) -> Hospital:
    folder = tmp_path_factory.mktemp("hospital")
    write_source(folder)
    return Hospital(folder, command_line, quick_training=True)


@pytest.fixture(scope="module")
def cohort(hospital: Hospital) -> Path:
    hospital.run("cohort", "import", "auto", "map.toml", "cohort")
    return hospital.folder / "cohort"


@pytest.fixture(scope="module")
def version(hospital: Hospital, cohort: Path) -> str:
    assert cohort.exists()
    trained = hospital.record(
        "train", "--cohort", "cohort", "--task", "task.toml", "--model", "knee",
        "--config", "quick.toml",
    )  # fmt: skip
    return str(trained["model_version"])


@pytest.fixture(scope="module")
def audited(hospital: Hospital, version: str) -> dict[str, Any]:
    return hospital.record("audit", version)


def test_the_cohort_carries_its_codes_and_every_command_works_with_it(
    hospital: Hospital, cohort: Path
) -> None:
    assert KNEE in (cohort / "metadata" / "vocabulary.toml").read_text("utf-8")
    assert "is a valid cohort" in hospital.run("cohort", "validate", "cohort")
    seen = json.dumps(hospital.record("cohort", "validate", "cohort"))
    assert "Knee score of our clinic" in seen
    assert "height climbed on stairs" in seen
    hospital.run("features", "report", "cohort", "--output", "report.html")
    assert "height climbed on stairs" in (hospital.folder / "report.html").read_text("utf-8")
    for form in ("csv", "meds"):
        hospital.run("cohort", "export", "cohort", f"out-{form}", "--format", form)
    codes = pd.read_csv(hospital.folder / "out-csv" / "codes.csv").set_index("code")
    assert codes.loc[KNEE, "high"] == 48
    assert (hospital.folder / "out-csv" / "vocabulary.toml").exists()
    assert "is a valid cohort" in hospital.run("cohort", "validate", "out-meds")


def test_values_are_converted_where_ucum_says_how(hospital: Hospital, cohort: Path) -> None:
    written = pd.read_csv(hospital.folder / "days.csv")
    events = pd.concat(map(pd.read_parquet, (cohort / "data").rglob("*.parquet")))
    stairs = events[events["code"] == STAIRS]["numeric_value"]
    assert stairs.sum() == pytest.approx(0.3048 * written["feet"].sum(), rel=1e-6)
    weights = events[events["code"] == WEIGHT]["numeric_value"]
    pounds = pd.read_csv(hospital.folder / "people.csv")["pounds"]
    assert weights.sum() == pytest.approx(0.45359237 * pounds.sum(), rel=1e-6)


@pytest.mark.soak
def test_another_cohort_with_the_instrument_is_scored(
    hospital: Hospital, cohort: Path, version: str
) -> None:
    scored = hospital.record("evaluate", version, "--cohort", str(cohort), "--output", "t.parquet")
    assert scored["model_version"] == version


@pytest.mark.soak
def test_the_audit_report_and_the_model_cards_list_the_codes(
    hospital: Hospital, audited: dict[str, Any]
) -> None:
    folder = Path(audited["report_folder"])
    report = json.loads((folder / "report.json").read_text("utf-8"))
    own = {each["code"]: each for each in report["facts"]["own_codes"]}
    assert set(own) == {KNEE, STAIRS, WEIGHT, SIDE}
    assert own[KNEE]["high"] == 48
    assert own[KNEE]["better"] == "higher"
    assert "Knee score of our clinic (higher is better)" in report["facts"]["target"]
    for edition in ("technical.html", "model-card.html"):
        page = (folder / edition).read_text("utf-8")
        assert KNEE in page
        assert "clinic&#39;s manual" in page or "clinic's manual" in page
    (bundled,) = hospital.folder.rglob("bundle/vocabulary.toml")
    assert SYSTEM in bundled.read_text("utf-8")
    assert KNEE in bundled.with_name("model-card.md").read_text("utf-8")
    assert json.loads(bundled.with_name("manifest.json").read_text("utf-8"))["files"][
        "vocabulary.toml"
    ]


def bundle(today: datetime) -> dict[str, Any]:
    def coded(code: str, days: int, value: float, unit: str, system: str) -> dict[str, Any]:
        return {
            "resourceType": "Observation", "id": f"{code}{days}".lower().replace("_", "-"),
            "status": "final", "subject": {"reference": "Patient/1"},
            "code": {"coding": [{"system": system, "code": code}]},
            "effectiveDateTime": f"{today - timedelta(days=days):%Y-%m-%d}",
            "valueQuantity": {
                "value": value, "system": "http://unitsofmeasure.org", "code": unit,
            },
        }  # fmt: skip

    ours = "urn:rehabcast:vocabulary"
    resources = [
        {"resourceType": "Patient", "id": "1", "gender": "female", "birthDate": "1957-03-01"},
        {
            "resourceType": "Condition", "id": "knee", "subject": {"reference": "Patient/1"},
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "609588000"}]},
            "onsetDateTime": f"{today - timedelta(days=12):%Y-%m-%d}",
        },
        coded("KNEE-1", 6, 14, "{score}", SYSTEM),
        coded(KNEE, 1, 18, "{score}", ours),
        coded(WEIGHT, 6, 165, "[lb_av]", ours),
        *(coded(STAIRS, days, 0.005, "km/d", ours) for days in range(1, 6)),
    ]  # fmt: skip
    return {
        "resourceType": "Bundle", "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }  # fmt: skip


def hook(today: datetime) -> dict[str, Any]:
    resources = [entry["resource"] for entry in bundle(today)["entry"]]

    def of(kind: str) -> dict[str, Any]:
        entries = [{"resource": each} for each in resources if each["resourceType"] == kind]
        return {"resourceType": "Bundle", "type": "searchset", "entry": entries}

    return {
        "hook": "patient-view", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/example", "patientId": "1"},
        "prefetch": {
            "patient": resources[0], "conditions": of("Condition"),
            "observations": of("Observation"),
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def answers(hospital: Hospital, version: str, audited: dict[str, Any]) -> Answers:
    """Promote the model, and ask its service, which is given no file of the hospital's codes."""
    for role, who in (("ml-owner", "mia"), ("governance", "gus")):
        hospital.run(
            "approve", version, "--role", role, "--reason", "Read and discussed.", actor=who
        )
    promoted = hospital.record(
        "promote", version, "--approver", "A. Tester", "--reason", "only a test",
        "--until", "2999-01-01", "--restricted-use", "this test only",
    )  # fmt: skip
    assert promoted["bundle_digest"] == audited["bundle_digest"]
    observations = [
        {"code": KNEE, "day_since_onset": 6, "value": 14},
        {"code": KNEE, "day_since_onset": 12, "value": 18},
        *({"code": STAIRS, "day_since_onset": day, "value": 5} for day in range(6, 13)),
        {"code": "REHABCAST//AGE", "value": 68},
        {"code": SIDE, "label": "left"},
        {"code": WEIGHT, "value": 75},
    ]
    record = {"subject": "P-1", "enrolment_day": 6, "observations": observations}
    impossible = {"code": KNEE, "day_since_onset": 10, "value": 60}
    beyond = {**record, "observations": [*observations, impossible]}
    fallen = [{"code": KNEE, "day_since_onset": d, "value": v} for d, v in ((6, 30), (11, 14))]
    today = datetime.now(UTC)
    sent = [
        ["/v1/forecast", record], ["/v1/forecast", beyond], ["/v1/explain", record],
        ["/v1/observations", record], ["/v1/fhir/forecast", bundle(today)],
        ["/v1/observations", {"subject": "P-2", "enrolment_day": 6, "observations": fallen}],
        ["/v1/subjects/P-2/alerts", None], ["/v1/alerts", None],
        ["/cds-services", None], [f"/cds-services/{SERVICE}", hook(today)],
    ]  # fmt: skip
    answered = ask_service(hospital, sent)
    refused = answered["/v1/forecast"].pop()
    assert "0 to 48 points" in json.dumps(refused), refused
    assert {status for said in answered.values() for status, _ in said} == {200}, answered
    return answered


@pytest.mark.soak
def test_the_forecast_is_served_over_http_with_local_codes(answers: Answers) -> None:
    ((_, first),) = answers["/v1/forecast"]
    assert first["status"] == "forecast", first
    assert first["instrument"].startswith("Knee score of our clinic")
    assert [horizon["weeks"] for horizon in first["horizons"]] == [6, 12]
    walking = next(each for each in first["profile"] if each["domain"] == "walking")
    assert {each["code"] for each in walking["measures"]} == {KNEE, STAIRS}
    assert walking["measures"][0]["people"] is not None
    ((_, explained),) = answers["/v1/explain"]
    reasons = explained["reasons"]["contributions"]
    assert {each["modality"] for each in reasons} >= {"assessments", "gait"}, explained


@pytest.mark.soak
def test_fhir_is_answered_by_the_codes_of_the_record_system(answers: Answers) -> None:
    ((_, answer),) = answers["/v1/fhir/forecast"]
    assert "Knee score of our clinic" in json.dumps(answer)
    assert "another unit" not in json.dumps(answer)
    assert "not in the vocabulary" not in json.dumps(answer)


@pytest.mark.soak
def test_a_hook_asks_for_the_local_codes_and_answers_with_a_card(answers: Answers) -> None:
    ((_, services),) = answers["/cds-services"]
    (service,) = services["services"]
    assert f"{SYSTEM}|KNEE-1" in service["prefetch"]["observations"]
    assert f"urn:rehabcast:vocabulary|{STAIRS}" in service["prefetch"]["observations"]
    assert SYSTEM in service["usageRequirements"]
    ((_, cards),) = answers[f"/cds-services/{SERVICE}"]
    assert "Knee score of our clinic" in json.dumps(cards["cards"]), cards


@pytest.mark.soak
def test_an_alert_names_the_instrument(answers: Answers) -> None:
    ((_, alerts),) = answers["/v1/subjects/P-2/alerts"]
    fell = next(alert for alert in alerts["alerts"] if alert["kind"] == "score fell")
    assert "The score (Knee score of our clinic) fell from 30 to 14" in fell["says"]
    assert fell["rests_on"]["unit"] == "{score}"
