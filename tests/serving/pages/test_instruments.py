"""A patient's page of a service of several models: the others' forecasts stand beside."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from contracts.errors import PromotionRefused
from serving.faults import Fault
from serving.forecast.audit_status import ServedModel
from serving.forecast.measured_again.facts import in_words
from serving.http.runtime import Runtime
from serving.settled import NextMeasurement
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from tests.serving.pages.conftest import (
    ARM,
    SPEED,
    STEPS,
    WALKING,
    Browser,
    Fixed,
    following,
    without,
)
from tests.serving.pages.test_patient import P, text_of

BESIDE = "Forecasts of other instruments"
LARGEST = 60_000
"""Bytes of the page, compressed: the target of docs/pages.md, which counts the style sheets too."""

STYLES = 14_000


@pytest.fixture
def two(golden: ServedModel, served_walking: ServedModel) -> dict[str, Fixed]:
    return {"arm": Fixed(Snapshot(golden)), "walking": Fixed(Snapshot(served_walking))}


@pytest.fixture
def both_in_service(browser: Browser, runtime: Runtime, two: dict[str, Fixed]) -> Browser:
    following(browser, runtime, Champions(two))
    browser.sign_in("clinician")
    return browser


@pytest.fixture
def walker(both_in_service: Browser, a_course: Any) -> Browser:
    both_in_service.add("P-1", *a_course, (SPEED, 6, 0.31), (SPEED, 34, 0.62), day=6)
    return both_in_service


def on_record(runtime: Runtime) -> list[dict[str, Any]]:
    assert runtime.forecast_log.settle(5)
    with runtime.store.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "select content from service_entry where kind = 'forecast' order by sequence"
        ).all()
    return [json.loads(json.loads(content)["output"]) for (content,) in rows]


def test_one_page_has_the_forecast_of_every_instrument(walker: Browser, runtime: Runtime) -> None:
    page = walker.open(P)
    arm, walking = on_record(runtime)
    assert (arm["status"], walking["status"]) == ("forecast", "forecast")
    said = text_of(page)
    assert BESIDE in said
    assert any(
        f"In week {each['weeks']}, 8 of 10 people like this one are between {each['low_80']:.2f}"
        f" and {each['high_80']:.2f}" in said
        for each in walking["horizons"]
    )
    assert page.count('<svg class="chart" viewBox="0 0 720 320"') == 2
    # Every chart says what its marks are, and every scale its unit.
    assert said.count("middle: half are above") == 2
    assert "0\u201366 points" in said
    assert "0.00\u20133.00 metres a second" in said
    assert walking["forecast_id"][:12] in said
    assert "walking/1" in said
    assert "do not multiply their chances" in said
    assert len(gzip.compress(page.encode())) + STYLES < LARGEST
    # The card leads to the whole of it, where the arm is the one beside.
    assert f'href="{P}?task={WALKING}"' in page
    other = text_of(walker.open(f"{P}?task={WALKING}"))
    assert BESIDE in other
    assert "arm/1" in other.partition(BESIDE)[2]


def test_what_one_model_cannot_say_takes_nothing_from_the_other(
    browser: Browser, runtime: Runtime, two: dict[str, Fixed], a_course: Any
) -> None:
    two["walking"] = Fixed(replace(two["walking"].current, withdrawn=Fault("it was revoked", "")))
    absent = {"balance": (lambda: None, Fault.of(PromotionRefused("nobody", "promote it")))}
    champions = Champions(two, absent, seconds=600)  # type: ignore[arg-type]
    following(browser, runtime, champions)
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    said = text_of(browser.open(P))
    champions.close()
    first, _, beside = said.partition(BESIDE)
    assert "8 of 10 people like this one are between" in first
    assert "it was revoked" in beside
    assert "Not in service now, and therefore without a forecast: balance ." in beside
    # Walking was never measured, so that nobody was told anything of the patient.
    assert [each["status"] for each in on_record(runtime)] == ["forecast"]


PATIENT = "/pages/patients/"
OPENED = (
    "",
    "?task=stroke-upper-limb",
    f"?task={WALKING}",
    "/family",
    "/whatif",
    f"/whatif?task={WALKING}",
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    measured=st.sets(st.sampled_from([ARM, SPEED])),
    opened=st.sets(st.sampled_from(OPENED), min_size=1),
    steps=st.booleans(),
)
def test_opening_a_page_puts_nothing_on_record_of_an_instrument_without_a_score(
    both_in_service: Browser,
    runtime: Runtime,
    measured: set[str],
    opened: set[str],
    steps: bool,
) -> None:
    subject = uuid4().hex
    score = {ARM: 20.0, SPEED: 0.4}
    facts = [("REHABCAST//AGE", None, 70.0), *([(STEPS, 20, 3000.0)] if steps else [])]
    values = [*facts, *((code, 20, score[code]) for code in sorted(measured))]
    both_in_service.add(subject, *values, day=10)
    for path in sorted(opened):
        both_in_service.open(f"{PATIENT}{subject}{path}")
    found = [each for each in on_record(runtime) if each["subject"] == subject]
    assert {each["instrument_code"] for each in found} <= measured
    if "" in opened:
        assert {each["instrument_code"] for each in found} == measured


def test_what_was_never_measured_says_so_until_there_is_a_score(
    both_in_service: Browser, a_course: Any
) -> None:
    browser = both_in_service
    browser.add("P-1", *a_course, day=6)
    said = text_of(browser.open(P)).partition(BESIDE)[2]
    assert "Not measured yet What to do: Record a score ." in said
    assert "Its forecast is shown from then on." in said
    # Opened by itself it says the same, and offers no answer to a forecast that there is not.
    alone = browser.open(f"{P}?task={WALKING}")
    assert "Not measured yet" in text_of(alone).partition(BESIDE)[0]
    assert f'action="{P}/feedback"' not in alone
    assert "Not measured yet" in text_of(browser.open(f"{P}/family?task={WALKING}"))
    form = {"code": SPEED, "value": "0.5", "day": "50", "today": "70"}
    browser.send(f"{P}/score", form)
    assert "Not measured yet" not in text_of(browser.open(P))


def test_a_clinician_predicts_nothing_of_what_was_never_measured(
    browser: Browser, runtime: Runtime, two: dict[str, Fixed], a_course: Any
) -> None:
    following(browser, runtime, Champions(two), predict_first=True)
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    assert "Not measured yet" in text_of(browser.open(f"{P}?task={WALKING}&{without(WALKING)}"))
    assert "Not measured yet" in text_of(browser.open(f"{P}?task={WALKING}"))


def test_no_forecast_is_shown_beside_before_its_reader_has_predicted_it(
    walker: Browser, runtime: Runtime, two: dict[str, Fixed]
) -> None:
    following(walker, runtime, Champions(two), predict_first=True)
    assert BESIDE not in walker.open(P)
    # Going on without a prediction of one instrument tells nothing of another.
    said = text_of(walker.open(f"{P}?{without('stroke-upper-limb')}"))
    assert "It is shown once you have made your own prediction of it" in said
    form = {"weeks": "26", "score": "40"}
    said = text_of(walker.send(f"{P}/prediction", form, on=P).text)
    assert "It is shown once you have made your own prediction of it" in said
    assert {each["instrument_code"] for each in on_record(runtime)} == {ARM}
    # Of a model that was withdrawn there is nothing to predict first.
    two["walking"] = Fixed(replace(two["walking"].current, withdrawn=Fault("it was revoked", "")))
    following(walker, runtime, Champions(two), predict_first=True)
    assert "it was revoked" in text_of(walker.open(f"{P}?{without('stroke-upper-limb')}"))


def test_a_service_of_one_model_has_nothing_beside(browser: Browser, a_course: Any) -> None:
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    assert BESIDE not in browser.open(P)


def test_what_the_next_score_of_each_instrument_is_worth_is_what_its_answer_says(
    walker: Browser, runtime: Runtime, two: dict[str, Fixed]
) -> None:
    assert "would narrow the range?" in text_of(walker.open(P))
    assert all(each["next_measurement"] is None for each in on_record(runtime))
    said = text_of(walker.open(f"{P}?worth=1"))
    answers = [each for each in on_record(runtime) if each["next_measurement"]]
    assert {each["instrument_code"] for each in answers} == {ARM, SPEED}
    targets = {
        each.current.served.bundle.task.target.code: each.current.served.bundle.task.target
        for each in two.values()
    }
    for each in answers:
        target = targets[each["instrument_code"]]
        fact = msgspec.convert(each["next_measurement"], NextMeasurement)
        # Only there: it does not stand among what the answer says as well.
        assert said.count(in_words(fact, target.code, target.step)) == 1
    assert "It is a guide" in said


def test_of_an_instrument_without_a_forecast_nobody_says_what_a_score_is_worth(
    both_in_service: Browser, a_course: Any
) -> None:
    both_in_service.add("P-1", *a_course, day=6)
    worth = text_of(both_in_service.open(f"{P}?worth=1")).partition("stands first")[2]
    _, arm, rest = worth.partition("Measured again in 14 days")
    assert arm
    assert "Nobody can say: there is no forecast that a score could narrow." in rest


def test_a_row_of_the_caseload_is_of_the_instrument_that_needs_a_look(
    both_in_service: Browser,
) -> None:
    both_in_service.add("P-1", (ARM, 6, 64.0), (ARM, 20, 30.0), (SPEED, 6, 0.4), day=6)
    row = text_of(both_in_service.open("/pages/patients"))
    assert "Score became worse" in row
    assert re.search(r"30 points \(-34\) Fugl-Meyer upper extremity", row)
