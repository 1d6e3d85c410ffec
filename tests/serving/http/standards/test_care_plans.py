"""CarePlans asked about over HTTP: the numbers of the JSON route, as drafts, or one clear problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.careplan import CarePlan
from fhir.resources.R4B.riskassessment import RiskAssessment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import ForecastRefused
from contracts.therapy import KINDS
from contracts.vocabulary.code import REHABCAST_SYSTEM
from inference.twin.plans import KIND_OF, Part, Plan, check_plan
from serving.forecast.audit_status import LIMITS, ServedModel
from serving.formats.fhir.care_plans import care_plans_of
from serving.http.examples import examples_of
from serving.whatif import ASSOCIATIONAL, STANDING
from tests.serving.forecast.whatif.test_answer import with_doses
from tests.serving.http.standards.conftest import Application
from tests.serving.http.standards.shapes import PATIENT, condition, patient, score, searchset
from tests.serving.http.standards.test_fhir import FHIR, references, resolved

ROUTE, JSON_ROUTE = "/v1/fhir/whatif", "/v1/whatif"


def today() -> date:
    return datetime.now(UTC).date()


def day(after: int) -> str:
    return (today() + timedelta(days=after)).isoformat()


def sessions() -> list[dict[str, Any]]:
    """Half an hour of therapy on each of the last days."""
    coding = {"system": REHABCAST_SYSTEM, "code": "THERAPY"}
    return [
        {
            "resourceType": "Procedure", "id": f"session-{n}", "status": "completed",
            "subject": {"reference": f"Patient/{PATIENT}"}, "code": {"coding": [coding]},
            "performedPeriod": {"start": f"{day(-n)}T09:00:00Z", "end": f"{day(-n)}T09:30:00Z"},
        }
        for n in range(1, 16)
    ]  # fmt: skip


def activity(
    times: int, minutes: float, *codes: str, start: int = 0, end: int | None = None, **more: Any
) -> dict[str, Any]:
    """Return sessions a week, from a day from today on to the last, inclusive."""
    bounds = {"start": day(start)} | ({} if end is None else {"end": day(end)})
    repeat = {
        "boundsPeriod": bounds, "frequency": times, "period": 1, "periodUnit": "wk",
        "duration": minutes, "durationUnit": "min", **more,
    }  # fmt: skip
    codings = [{"system": REHABCAST_SYSTEM, "code": code} for code in codes or ("THERAPY",)]
    timing = {"repeat": {name: value for name, value in repeat.items() if value is not None}}
    detail = {
        "status": "not-started", "code": {"coding": codings}, "scheduledTiming": timing,
    }  # fmt: skip
    return {"detail": detail}


def care_plan(*activities: Any, title: str = "more", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "CarePlan", "id": f"plan-{title[0]}", "status": "active",
        "intent": "plan", "title": title, "subject": {"reference": f"Patient/{PATIENT}"},
        "period": {"start": day(0)}, "activity": list(activities), **more,
    }  # fmt: skip


def more_therapy() -> dict[str, Any]:
    parts = (activity(7, 60, end=27), activity(3, 60, start=28))
    return care_plan(*parts, title="four weeks of more")


def a_pause() -> dict[str, Any]:
    return care_plan(activity(1, 0), title="a pause")


MORE_AS_JSON = {
    "name": "four weeks of more",
    "parts": [
        {"hours_a_week": {"therapy": 7}, "days": 28}, {"hours_a_week": {"therapy": 3}},
    ],
}  # fmt: skip
NONE_AS_JSON = {"name": "a pause", "parts": [{"hours_a_week": {"therapy": 0}}]}


def record() -> list[dict[str, Any]]:
    return [patient(), condition(), score(30), *sessions()]


@pytest.fixture
def seen_all(treated: ServedModel, tmp_path: Path) -> Iterator[Application]:
    """A service whose model has seen hundreds of people alike with every dose."""
    with closing(Application(tmp_path, with_doses(treated, 100))) as opened:
        yield opened


def ask(application: Any, *plans: Any, route: str = ROUTE) -> Any:
    return application.ask(route, searchset(*record(), *plans), Content_Type=FHIR)


def of_kind(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def drafts(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in of_kind(bundle, "CarePlan") if each["status"] == "draft"]


def differences(assessment: dict[str, Any]) -> list[list[float]]:
    """Return mean and both ranges at each horizon, as the extension has them."""
    found = []
    for each in assessment["prediction"]:
        for extension in each.get("extension", []):
            if extension["url"].endswith("plan-difference"):
                parts = extension["extension"]
                ranges = [part["valueRange"] for part in parts if part["url"] == "interval"]
                bounds = [bound[end]["value"] for bound in ranges for end in ("low", "high")]
                found.append([parts[0]["valueQuantity"]["value"], *bounds])
    return found


def chances(assessment: dict[str, Any], code: str) -> list[float]:
    return [
        each["probabilityRange"]["low"]["value"]
        for each in assessment["prediction"]
        if each["outcome"]["coding"][0]["code"] == code
    ]


def test_a_care_plan_and_the_same_plan_as_json_give_the_same_numbers(seen_all: Any) -> None:
    answer = ask(seen_all, more_therapy(), a_pause())
    assert answer.status_code == 200, answer.text
    content = answer.json()
    asked = {
        "subject": "P-1", "bundle": searchset(*record()), "plans": [MORE_AS_JSON, NONE_AS_JSON],
    }  # fmt: skip
    plain = seen_all.ask(JSON_ROUTE, asked).json()["what_if"]
    assessments = of_kind(content, "RiskAssessment")
    assert len(drafts(content)) == len(assessments) == 2
    for plan, assessment in zip(plain["plans"][1:], assessments, strict=True):
        names = ("mean", "low_80", "high_80", "low_90", "high_90")
        said = [each["difference"] for each in plan["horizons"]]
        assert differences(assessment) == [[round(d[name], 4) for name in names] for d in said]
        better, worse = (chances(assessment, f"importantly-{way}") for way in ("better", "worse"))
        assert better == [round(100 * d["chance_important"], 1) for d in said]
        assert worse == [round(100 * d["chance_importantly_worse"], 1) for d in said]
    assert differences(assessments[0])[0][0] > 0 > differences(assessments[1])[0][0]
    fhir, json_ = (json.loads(row.content) for row in seen_all.on_record("forecast"))
    assert fhir["input_digest"] == json_["input_digest"]
    assert json.loads(fhir["output"])["what_if"] == plain


def test_the_answer_is_drafts_that_say_of_what_kind_they_are(seen_all: Any) -> None:
    content = ask(seen_all, more_therapy()).json()
    Bundle.model_validate(content)
    (draft,), (assessment,) = drafts(content), of_kind(content, "RiskAssessment")
    CarePlan.model_validate(draft)
    RiskAssessment.model_validate(assessment)
    assert (draft["status"], draft["intent"], assessment["status"]) == (
        "draft", "proposal", "preliminary",
    )  # fmt: skip
    for resource in (draft, assessment):
        (label,) = resource["meta"]["security"]
        assert label["code"] == "AIAST"
        assert [each["valueString"] for each in resource["extension"]] == list(STANDING)
        said = " ".join(note["text"] for note in resource["note"])
        assert ASSOCIATIONAL in said
        assert "prior of trials" in said
        assert all(limit in said for limit in LIMITS)
    assert resolved(content, assessment["basedOn"]["reference"]) == draft
    assert resolved(content, draft["supportingInfo"][0]["reference"]) == assessment
    assert resolved(content, draft["basedOn"][0]["reference"])["title"] == more_therapy()["title"]
    for reference in references(content):
        resolved(content, reference)
    (made,) = of_kind(content, "Provenance")
    targets = [resolved(content, each["reference"]) for each in made["target"]]
    assert targets == [draft, assessment]


def test_a_draft_that_is_sent_again_asks_the_same(seen_all: Any) -> None:
    first = ask(seen_all, more_therapy()).json()
    (draft,) = drafts(first)
    # A patient without an address has another one in each Bundle.
    again = ask(seen_all, {**draft, "subject": more_therapy()["subject"]}).json()
    risks = [of_kind(each, "RiskAssessment")[0]["prediction"] for each in (first, again)]
    assert risks[0] == risks[1]


def test_of_a_plan_that_nobody_alike_had_no_number_is_given(
    treated: ServedModel, tmp_path: Path
) -> None:
    served = with_doses(treated, 100, bin0=0)
    with closing(Application(tmp_path, served)) as application:
        content = ask(application, more_therapy(), a_pause()).json()
    more, none = of_kind(content, "RiskAssessment")
    assert (more["status"], none["status"]) == ("preliminary", "cancelled")
    assert "prediction" not in none
    assert any("Nothing is said of it" in note["text"] for note in none["note"])
    RiskAssessment.model_validate(none)


def test_the_operation_answers_alike(seen_all: Any) -> None:
    bundle = searchset(*record(), more_therapy())
    parameters = {
        "resourceType": "Parameters", "parameter": [{"name": "bundle", "resource": bundle}],
    }  # fmt: skip
    answers = [
        seen_all.ask(path, body, Content_Type=FHIR).json()
        for path, body in ((ROUTE, bundle), ("/fhir/$whatif", parameters))
    ]
    said = [of_kind(each, "RiskAssessment")[0]["prediction"] for each in answers]
    assert said[0] == said[1]


def test_a_simulated_model_says_so(treated: ServedModel, tmp_path: Path) -> None:
    with closing(Application(tmp_path, with_doses(treated, 100))) as application:
        plain = application.ask("/v1/fhir/forecast", searchset(*record()), Content_Type=FHIR)
        (forecast,) = of_kind(plain.json(), "RiskAssessment")
        content = ask(application, more_therapy()).json()
    for resource in (*drafts(content), *of_kind(content, "RiskAssessment")):
        said = {note["text"] for note in resource["note"]}
        audited = [n["text"] for n in forecast["note"] if "SIMULATED" in n["text"]]
        assert set(audited) <= said


# --- what can't be read ------------------------------------------------------------------------

TIMING = "CarePlan.activity[0].detail.scheduledTiming"
WRONG: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "no plan's unit of duration": (
        lambda: care_plan(activity(5, 45, durationUnit="d")), f"{TIMING}.repeat.durationUnit",
    ),
    "a month": (
        lambda: care_plan(activity(5, 45, periodUnit="mo")), f"{TIMING}.repeat.periodUnit",
    ),
    "no frequency": (
        lambda: care_plan(activity(5, 45, frequency=None)), f"{TIMING}.repeat.frequency",
    ),
    "no duration": (
        lambda: care_plan(activity(5, 45, duration=None, durationUnit=None)),
        f"{TIMING}.repeat.duration",
    ),
    "a range": (lambda: care_plan(activity(5, 45, frequencyMax=7)), "frequencyMax"),
    "days of the week": (lambda: care_plan(activity(1, 45, dayOfWeek=["mon"])), "dayOfWeek"),
    "a length without a beginning": (
        lambda: care_plan(
            activity(5, 45, boundsPeriod=None, boundsDuration={"value": 4, "code": "wk"})
        ),
        "boundsDuration",
    ),
    "no kind": (lambda: care_plan(activity(5, 45, "HEART_RATE")), "detail.code"),
    "two disciplines": (
        lambda: care_plan(activity(5, 45, "THERAPY_PHYSIO", "THERAPY_SPEECH")), "detail.code",
    ),
    "no period": (lambda: care_plan(activity(5, 45), period={}), "CarePlan.period.start"),
    "only a month": (
        lambda: care_plan(activity(5, 45), period={"start": day(0)[:7]}), "CarePlan.period.start",
    ),
    "an end": (
        lambda: care_plan(activity(5, 45), period={"start": day(0), "end": day(9)}),
        "CarePlan.period.end",
    ),
    "nothing after": (lambda: care_plan(activity(5, 45, end=9)), "CarePlan.activity"),
    "a gap": (
        lambda: care_plan(activity(5, 45, end=9), activity(5, 45, start=20)), "CarePlan.activity",
    ),
    "a start to come": (lambda: care_plan(activity(5, 45, start=3)), "CarePlan.activity"),
    "nothing at all": (lambda: care_plan(), "CarePlan.activity"),
    "no title": (lambda: care_plan(activity(5, 45), title="a title that is long " * 5), "CarePlan.title"),
    "cancelled": (lambda: care_plan(activity(5, 45), status="revoked"), "CarePlan.status"),
    "another meaning": (
        lambda: care_plan(
            activity(5, 45), modifierExtension=[{"url": "urn:x", "valueBoolean": True}]
        ),
        "CarePlan.modifierExtension",
    ),
    "too much": (lambda: care_plan(activity(70, 60)), f"{TIMING}.repeat"),
    "not FHIR": (lambda: care_plan(activity(5, 45), status=None), "CarePlan"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_read_is_one_problem_with_its_place_and_what_to_do(
    seen_all: Any, what: str
) -> None:
    made, where = WRONG[what]
    plan = {name: value for name, value in made().items() if value is not None}
    answer = ask(seen_all, plan)
    assert answer.status_code == 422, answer.text
    (issue,) = answer.json()["issue"]
    said = issue["details"]["text"]
    assert said.startswith(f"entry {len(record())}, CarePlan")
    assert where in said
    assert len(issue["diagnostics"]) > len(said) + 2, "what to do"


def test_no_plan_and_another_patients_plan_are_refused(seen_all: Any) -> None:
    none = ask(seen_all)
    assert (none.status_code, "0 CarePlans" in none.text) == (422, True)
    other = ask(seen_all, {**more_therapy(), "subject": {"reference": "Patient/somebody"}})
    assert (other.status_code, "several patients" in other.text) == (422, True)
    twice = ask(seen_all, more_therapy(), {**more_therapy(), "id": "again"})
    assert (twice.status_code, "same title" in twice.text) == (422, True)
    assert all(row for row in seen_all.on_record("forecast"))


def test_a_model_that_reads_no_therapy_says_so(application: Any) -> None:
    example = examples_of(today())[ROUTE]
    answer = application.ask(ROUTE, example, Content_Type=FHIR)
    assert (answer.status_code, answer.json()["resourceType"]) == (422, "OperationOutcome")
    assert "reads no therapy" in answer.text
    entry = json.loads(application.on_record("forecast")[0].content)
    assert json.loads(entry["output"])["status"] == "forecast", "the forecast stands"


# --- the property ------------------------------------------------------------------------------

CODE_OF = {name: code.partition("//")[2] for name, code in KIND_OF.items()}
DISCIPLINE = st.sampled_from(["physio", "occupational", "speech", "other"])
SESSIONS = st.tuples(
    st.none() | DISCIPLINE, st.sets(st.sampled_from(["group", "robot"])),
    st.integers(1, 5), st.sampled_from([0, 15, 30, 45, 37.5]), st.booleans(), st.booleans(),
)  # fmt: skip
PARTS = st.lists(
    st.tuples(st.lists(SESSIONS, min_size=1, max_size=3), st.integers(1, 60)), min_size=1,
    max_size=5,
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(PARTS)
def test_a_plan_is_the_same_as_care_plan_and_as_json(parts: Any) -> None:
    """However its sessions are written: in minutes or hours, by the week or by the fortnight."""
    begins, activities, written = 0, [], []
    for number, (given_sessions, days) in enumerate(parts):
        last = number == len(parts) - 1
        hours: dict[str, float] = {"therapy": 0.0}
        for discipline, ways, frequency, minutes, in_hours, by_fortnight in given_sessions:
            kinds = [*([discipline] if discipline else []), *sorted(ways)]
            for kind in ("therapy", *kinds):
                hours[kind] = hours.get(kind, 0.0) + frequency * minutes / 60
            more: dict[str, Any] = {}
            if in_hours:
                more |= {"duration": minutes / 60, "durationUnit": "h"}
            if by_fortnight:
                more |= {"frequency": 2 * frequency, "period": 14, "periodUnit": "d"}
            activities.append(
                activity(
                    frequency, minutes, *(CODE_OF[kind] for kind in kinds), start=begins,
                    end=None if last else begins + days - 1, **more,
                )
            )  # fmt: skip
        written.append(Part(hours=hours, days=None if last else days))
        begins += days
    (found,) = care_plans_of(searchset(*record(), care_plan(*activities)), today())
    read = [Part(hours=part.hours_a_week, days=part.days) for part in found.plan.parts]
    plans = [Plan(name="p", parts=tuple(each)) for each in (read, written)]
    for plan in plans:
        check_plan(plan)
    assert [part.days for part in read] == [part.days for part in written]
    for one, other in zip(read, written, strict=True):
        assert dict(one.hours) == pytest.approx(dict(other.hours))
    for days in (1, 7, 30, 90, 365):
        assert plans[0].minutes_a_week(days) == pytest.approx(plans[1].minutes_a_week(days))


def test_every_kind_that_a_session_may_have_has_a_name_in_a_plan() -> None:
    assert {code for name, code in KIND_OF.items() if name != "therapy"} == set(KINDS)


def test_a_plan_that_began_earlier_is_read_from_the_forecasts_day_on() -> None:
    plan = care_plan(
        activity(7, 60, start=-20, end=9), activity(3, 60, start=10), period={"start": day(-20)}
    )
    (found,) = care_plans_of(searchset(*record(), plan), today())
    assert [(part.hours_a_week, part.days) for part in found.plan.parts] == [
        ({"therapy": 7.0}, 10), ({"therapy": 3.0}, None),
    ]  # fmt: skip
    with pytest.raises(ForecastRefused, match="what is done"):
        care_plans_of(searchset(*record(), plan), today() - timedelta(days=21))
