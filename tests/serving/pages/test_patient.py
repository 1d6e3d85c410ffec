"""The caseload and a patient's page, as a clinician uses them without a script or a picture."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.observation import Observation
from contracts.verdict import Outcome
from serving.forecast.audit_status import ServedModel
from serving.http.middleware import RequestMiddleware
from serving.http.runtime import Runtime
from serving.http.shutdown import Shutdown
from serving.pages.forms import token_for
from serving.pages.mounted import Pages
from serving.pages.page import Page
from serving.pages.table import PAGES
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from serving.state.people import sessions
from tests.serving.pages.conftest import ARM, STEPS, Browser, Fixed, without_tokens

P = "/pages/patients/P-1"
HOSTILE = """<script>alert(1)</script>"'&\u202e"""


@pytest.fixture
def clinician(browser: Browser, a_course: Any) -> Browser:
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    return browser


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_every_number_of_the_forecast_is_text_and_is_that_of_the_route(
    clinician: Browser, runtime: Runtime
) -> None:
    page = text_of(clinician.open(P))
    assert runtime.forecast_log.settle(5)
    with runtime.store.engine.connect() as connection:
        logged = connection.exec_driver_sql(
            "select content from service_entry where kind = 'forecast'"
        ).scalar_one()
    answer = json.loads(json.loads(logged)["output"])
    for horizon in answer["horizons"]:
        assert (
            f"{horizon['median']:.0f} {horizon['low_80']:.0f}\u2013{horizon['high_80']:.0f}" in page
        )
    assert "8 of 10 people like this one are between" in page
    assert "reach it" in page
    assert "do not" in page
    assert "Published rule" in page
    assert "scores so far" in page
    assert f"in week {answer['reasons']['horizon_weeks']}" in page.lower()
    assert "data on 50 of 60 days" in page


def test_a_score_goes_on_record_and_is_corrected(clinician: Browser, runtime: Runtime) -> None:
    form = {"code": ARM, "value": "33", "day": "50", "today": "70"}
    done = clinician.send(f"{P}/score", form)
    assert "The score is on record" in done.text
    again = clinician.send(f"{P}/score", {**form, "value": "34"})
    assert again.status_code == 422
    assert "another score of that day is on record: 33".capitalize() in again.text
    assert 'value="34"' in again.text
    wrong = {"which": f"{ARM} 50", "what": "changed", "value": "35", "reason": "mistyped"}
    assert "The correction is on record" in clinician.send(f"{P}/correction", wrong).text
    _, record = runtime.store.record("ward", "P-1")
    assert Observation(code=ARM, day_since_onset=50, value=35.0) in record
    gone = {"which": f"{ARM} 50", "what": "withdrawn", "value": "", "reason": "never measured"}
    clinician.send(f"{P}/correction", gone)
    _, record = runtime.store.record("ward", "P-1")
    assert [o.value for o in record if (o.code, o.day_since_onset) == (ARM, 50)] in ([], [None])


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"code": ARM, "value": "", "day": "50", "today": "70"}, "is empty"),
        ({"code": ARM, "value": "ten", "day": "50", "today": "70"}, "is not a number"),
        ({"code": ARM, "value": "nan", "day": "50", "today": "70"}, "is not a number"),
        ({"code": ARM, "value": "99", "day": "50", "today": "70"}, "upper extremity has no score of 99"),
        ({"code": ARM, "value": "9", "day": "-1", "today": "70"}, "is not a whole number"),
        ({"code": ARM, "value": "9", "day": "71", "today": "70"}, "today is day 70"),
        ({"code": "REHABCAST//NONE", "value": "9", "day": "50", "today": "70"}, "is none of the choices"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_stays_typed(
    clinician: Browser, form: dict[str, str], says: str
) -> None:
    answer = clinician.send(f"{P}/score", form)
    assert answer.status_code in {400, 422}
    assert says in answer.text
    assert "Nothing was put on record" in answer.text
    assert f'value="{form["day"]}"' in answer.text


def test_feedback_is_on_record_with_its_forecast(clinician: Browser, runtime: Runtime) -> None:
    page = clinician.open(P)
    token = clinician.token(page, f"{P}/feedback")
    found = re.search(r'name="forecast" value="([0-9a-f]{32})"', page)
    assert found is not None
    form = {"forecast": found[1], "outcome": "wrong", "reason": ""}
    refused = clinician.send(f"{P}/feedback", form, token=token)
    assert "The reason is empty" in refused.text
    token = clinician.token(refused.text, f"{P}/feedback")
    form["reason"] = "She had a second stroke."
    done = clinician.send(f"{P}/feedback", form, token=token)
    assert "with the version of the model" in done.text
    long = clinician.send(f"{P}/feedback", {**form, "reason": "x" * 10_000}, on=P)
    assert long.status_code == 400
    assert "10,000 characters" in long.text
    assert "x" * 10_000 in long.text


def test_a_double_click_counts_once(clinician: Browser, runtime: Runtime) -> None:
    token = clinician.token(clinician.open(P), f"{P}/score")
    form = {"code": ARM, "value": "33", "day": "50", "today": "70"}

    def click(_: int) -> str:
        return str(clinician.send(f"{P}/score", form, token=token).text)

    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(click, range(2)))
    assert sum("This form was sent before" in each for each in said) == 1
    _, record = runtime.store.record("ward", "P-1")
    assert len([o for o in record if (o.code, o.day_since_onset) == (ARM, 50)]) == 1


def test_a_refused_form_that_is_sent_twice_is_refused_twice_and_then_counts(
    clinician: Browser, runtime: Runtime
) -> None:
    token = clinician.token(clinician.open(P), f"{P}/score")
    form = {"code": ARM, "value": "99", "day": "50", "today": "70"}
    for _ in range(2):
        refused = clinician.send(f"{P}/score", form, token=token).text
        assert "has no score of 99 points" in refused
        assert 'value="99"' in refused
    clinician.send(f"{P}/score", form | {"value": "33"}, token=token)
    again = clinician.send(f"{P}/score", form | {"value": "33"}, token=token).text
    assert "This form was sent before" in again
    _, record = runtime.store.record("ward", "P-1")
    assert [o.value for o in record if (o.code, o.day_since_onset) == (ARM, 50)] == [33]


def test_an_expired_session_keeps_what_was_typed(clinician: Browser) -> None:
    path = f"{P}/correction"
    token = clinician.token(clinician.open(P), path)
    clinician.http.cookies.clear()
    form = {"which": f"{ARM} 34", "what": "changed", "value": "33", "reason": "mistyped"}
    kept = clinician.send(path, form, token=token)
    assert kept.status_code == 401
    assert "What you typed is still here" in kept.text
    assert 'value="33"' in kept.text
    assert "Fugl-Meyer" not in kept.text
    clinician.sign_in("clinician")
    stale = clinician.send(path, form, token=clinician.token(kept.text, path))
    assert stale.status_code == 409
    assert 'value="33"' in stale.text
    done = clinician.send(path, form, token=clinician.token(stale.text, path))
    assert "The correction is on record" in done.text


def test_a_form_that_no_page_has_is_refused(clinician: Browser) -> None:
    form = {"forecast": "not an id", "outcome": "accepted", "reason": ""}
    assert clinician.send(f"{P}/feedback", form).status_code == 400
    form["forecast"] = "0" * 32
    assert clinician.send(f"{P}/feedback", form).status_code == 404


def test_a_session_ends_by_itself(clinician: Browser, runtime: Runtime) -> None:
    held = clinician.http.cookies["rehabcast-session"]
    now = datetime.now(UTC)
    engine = runtime.store.engine
    assert sessions.find(engine, held, now + sessions.IDLE - timedelta(minutes=1)) is not None
    assert sessions.find(engine, held, now + 3 * sessions.IDLE) is None
    assert sessions.find(engine, held, now + sessions.LONGEST) is None
    assert sessions.find(engine, "another", now) is None


def test_a_hostile_name_is_text(browser: Browser, a_course: Any) -> None:
    browser.sign_in("clinician", person=HOSTILE)
    browser.add("P-1", *a_course, day=6)
    for path in ("/pages/patients", P, f"{P}/family"):
        page = browser.open(path)
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    assert "<script" not in browser.open("/pages/patients?named=" + HOSTILE)


def test_nothing_on_record_is_said_with_what_to_do(browser: Browser) -> None:
    browser.sign_in("clinician")
    assert "Put a first patient on record" in browser.open("/pages/patients")
    assert "What to do" in browser.open("/pages/patients/P-9", status=404)
    browser.add("P-2", ("REHABCAST//AGE", None, 70.0))
    page = browser.open("/pages/patients/P-2")
    assert "No forecast" in page
    assert "What to do" in page


def test_a_patient_of_another_ward_is_not_there(browser: Browser, a_course: Any) -> None:
    browser.add("P-1", *a_course, day=6)
    browser.sign_in("clinician", tenant="other")
    browser.open(P, status=404)
    assert "P-1" not in browser.open("/pages/patients")


@pytest.mark.parametrize("end", ["", "."])
def test_what_an_override_says_ends_in_one_full_stop(
    browser: Browser, runtime: Runtime, golden: ServedModel, a_course: Any, end: str
) -> None:
    status = replace(
        golden.audit_status, outcome=Outcome.REVIEW, approver="Dr. A",
        reason=f"The board waits for spring{end}", restricted_use=f"the study of ward 3{end}",
    )  # fmt: skip
    overridden = Fixed(Snapshot(served=replace(golden, audit_status=status)))
    changed = replace(runtime, champions=Champions({"arm": overridden}))
    browser.http._transport._asgi.app = RequestMiddleware(  # type: ignore[attr-defined]
        None, lambda: changed, Shutdown(), Pages(PAGES)  # type: ignore[arg-type]
    )  # fmt: skip
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    for path in (P, f"{P}/family", f"{P}/whatif"):
        said = text_of(browser.open(path))
        assert "The board waits for spring. Only for: the study of ward 3." in said
        assert ".." not in said


@pytest.mark.parametrize(
    "page", [each for each in PAGES if "{subject}" in each.path], ids=lambda page: page.path
)
def test_no_page_or_form_tells_a_score_of_somebody_who_withdrew_consent(
    browser: Browser, runtime: Runtime, page: Page
) -> None:
    browser.sign_in("clinician")
    browser.add("P-1", (ARM, 20, 41.7), day=6)
    runtime.consents.set("ward", "P-1", "withdrawn", actor="tests", now=datetime.now(UTC))
    path = page.path.format(subject="P-1")
    if page.method == "GET":
        assert "41.7" not in without_tokens(browser.open(path, status=422))
        return
    held, form = browser.http.cookies["rehabcast-session"], {"code": ARM, "value": "3", "day": "20"}
    for token in ("of another form", token_for(held, path)):
        assert "41.7" not in without_tokens(browser.send(path, form, token=token).text)


def test_a_new_patient_is_put_on_record_by_dates(browser: Browser, runtime: Runtime) -> None:
    browser.sign_in("clinician")
    today = datetime.now(UTC).date()
    form = {
        "subject": "NEW-1", "onset": str(today - timedelta(days=12)),
        "enrolled": str(today - timedelta(days=6)), "code": ARM, "value": "20,0",
        "scored": str(today - timedelta(days=5)), "fact-0": "70",
    }  # fmt: skip
    path = "/pages/new-patient/add"
    done = browser.send(path, form, on="/pages/new-patient")
    assert "The score is on record" in done.text
    enrolment, record = runtime.store.record("ward", "NEW-1")
    assert enrolment == 6
    assert Observation(code=ARM, day_since_onset=7, value=20.0) in record
    assert "is on record" in browser.send(path, form, on="/pages/new-patient").text
    later = {**form, "subject": "NEW-2", "scored": str(today + timedelta(days=1))}
    assert "has not come yet" in browser.send(path, later, on="/pages/new-patient").text
    ancient = {**form, "subject": "NEW-2", "onset": "0001-01-01"}
    assert "longer ago" in browser.send(path, ancient, on="/pages/new-patient").text
    named = browser.send(path, {**form, "subject": "Jane Doe"}, on="/pages/new-patient")
    assert "pseudonym is not one" in named.text


def test_a_forecast_on_a_page_is_of_today_however_late_a_score_is_recorded(
    browser: Browser,
) -> None:
    browser.sign_in("clinician")
    today = datetime.now(UTC).date()
    pages = {}
    for days in (30, 400):
        onset = today - timedelta(days=days)
        form = {
            "subject": f"P-{days}", "onset": str(onset), "enrolled": str(onset + timedelta(days=9)),
            "code": ARM, "value": "20", "scored": str(onset + timedelta(days=10)), "fact-0": "70",
        }  # fmt: skip
        browser.send("/pages/new-patient/add", form, on="/pages/new-patient")
        pages[days] = browser.open(f"/pages/patients/P-{days}")
        assert f'value="{days}"' in pages[days], "the day of a score is filled in as today"
    assert "8 of 10 people like this one" in pages[30]
    assert "8 of 10 people like this one" not in pages[400]
    assert "No forecast" in pages[400]


def test_an_alert_is_told_decided_about_and_gone(browser: Browser, a_course: Any) -> None:
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, (ARM, 50, 10.0), day=6)
    browser.add("P-2", *a_course, day=6)
    caseload = browser.open("/pages/patients")
    assert caseload.index("P-1") < caseload.index("P-2")
    assert "Score became worse" in caseload
    page = browser.open(P)
    form = {"alert": f"score fell:{ARM}", "decision": "acknowledged", "until": "", "reason": "seen"}
    token = browser.token(page, f"{P}/alert")
    assert "Your decision about the alert" in browser.send(f"{P}/alert", form, token=token).text
    assert "Score became worse" not in browser.open("/pages/patients?show=alerts")


def test_a_caseload_comes_by_pages_and_is_searched(browser: Browser) -> None:
    browser.sign_in("clinician")
    for number in range(53):
        browser.add(f"P-{number:02d}", (ARM, 10, 20.0), (STEPS, 10, 3000.0))
    page = browser.open("/pages/patients")
    assert "53 patients" in page
    assert page.count('scope="row"') == 50
    assert browser.open("/pages/patients?page=2").count('scope="row"') == 3
    assert "1 patient;" in browser.open("/pages/patients?named=P-07")
    browser.open("/pages/patients?show=nobody", status=404)
    browser.open("/pages/patients?page=x", status=400)
    for beyond in ("9", "9" * 20, "-" + "9" * 18):
        assert browser.open(f"/pages/patients?page={beyond}")
    assert "put a new one on record" in browser.open("/pages/patients/P-99", status=404)
    assert "Nobody is in this list" in browser.open("/pages/patients?page=9")
    assert "\x00" not in browser.open("/pages/patients?named=P%00")


def test_practice_keeps_nothing(browser: Browser, runtime: Runtime) -> None:
    browser.sign_in("clinician")
    assert "SIMULATED" in browser.open("/pages/practice")
    first = browser.open("/pages/practice/1")
    assert "What came" not in text_of(first).replace("See the forecast and what came", "")
    shown = text_of(browser.open("/pages/practice/5?guess=40"))
    assert "You said 40" in shown
    assert "8 of 10" in shown
    browser.open("/pages/practice/5?guess=400", status=422)
    for nobody in ("11", "0", "01", "²", "9" * 5_000):
        browser.open(f"/pages/practice/{nobody}", status=404)
    assert runtime.forecast_log.settle(5)
    with runtime.store.engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from service_entry").scalar_one() == 0
