"""Other plans of therapy on the page of a patient, as a clinician asks about them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from typing import Any

import msgspec
import numpy as np
import pytest

from contracts.therapy import THERAPY
from inference.twin.courses import WINDOWS, CoursesSeen
from inference.twin.plans import KIND_OF
from inference.twin.support import EDGES_H, DosesSeen
from serving.forecast.audit_status import ServedModel
from serving.http.runtime import Runtime
from serving.pages.plans.form import KINDS, NUMBERS, fields
from serving.pages.plans.page import OF_STANDING
from serving.pages.rendering import Say
from serving.whatif import STANDING, WhatIf
from tests.serving.pages.conftest import ARM, Browser

P = "/pages/patients/P-1"
PAGE = f"{P}/whatif"
WELL = {
    "adherence-0": "90", "adherence-1": "85", "borg": "11 12, 11", "pain_worst": "2",
    "pain_rise": "1", "pain_next_morning": "no", "fatigue_worst": "3", "danger-0": "no",
    "danger-1": "no", "danger-2": "no",
}  # fmt: skip
MORE = {"plan-1-name": "More <b>first</b>", "plan-1-hours-therapy": "9", "plan-1-weeks": "4",
        "plan-1-after": "3,5"}  # fmt: skip
LATER = {"plan-2-hours-therapy": "7", "plan-2-start": "2", "plan-2-before": "3.5"}


def of_ten(chance: float) -> str:
    """Say a chance as a clinician reads it: as people of ten, with per cent, never as certain."""
    percent, tenths = round(100 * chance), round(10 * chance)
    if percent in {0, 100}:
        return "more than 9 of 10 (over 99%)" if percent else "fewer than 1 of 10 (under 1%)"
    if tenths in {0, 10}:
        return f"{'more than 9' if tenths else 'fewer than 1'} of 10 ({percent}%)"
    return f"{tenths} of 10 ({percent}%)"


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


@pytest.fixture
def golden(treated: ServedModel) -> ServedModel:
    """A model that reads therapy, and has seen 100 people alike with every dose below 10 hours."""
    bundle = treated.bundle
    seen = bundle.calibration.seen
    count_DSKH = np.full((26, *seen.count_DSKH.shape[1:]), 1_000, np.int32)
    count_KDSE = np.full((1, 26, count_DSKH.shape[1], len(EDGES_H) + 2), 100, np.int32)
    count_KDSE[..., 5:-1] = 0
    count_KDSE[..., -1] = 500
    doses = DosesSeen(count_KDSE=count_KDSE, first_place=0, codes_K=(THERAPY,))
    shape = (len(WINDOWS), *count_KDSE.shape[1:])
    courses = CoursesSeen(count_WDSE=np.broadcast_to(count_KDSE, shape), first_place=0)
    calibration = replace(
        bundle.calibration, seen=replace(seen, count_DSKH=count_DSKH, first_place=0)
    )
    easy = replace(bundle.reference, limit=0.0)
    return replace(
        treated,
        bundle=replace(
            bundle, doses=doses, courses=courses, calibration=calibration, reference=easy
        ),
    )


@pytest.fixture
def clinician(browser: Browser) -> Browser:
    browser.sign_in("clinician")
    browser.add("P-1", (ARM, 30, 30.0), *((THERAPY, day, 30.0) for day in range(15, 31)))
    return browser


def on_record(runtime: Runtime, kind: str) -> list[dict[str, Any]]:
    assert runtime.forecast_log.settle(5)
    with runtime.store.engine.connect() as connection:
        found = connection.exec_driver_sql(
            f"select details, content from service_entry where kind = '{kind}' order by sequence"
        ).all()
    return [{"details": json.loads(d), "content": json.loads(c) if c else None} for d, c in found]


def last_answer(runtime: Runtime) -> WhatIf:
    output = json.loads(on_record(runtime, "forecast")[-1]["content"]["output"])
    return msgspec.convert(output["what_if"], WhatIf)


def test_a_patients_page_leads_to_the_plans_and_what_may_be_asked(clinician: Browser) -> None:
    assert f'href="{PAGE}?task=' in clinician.open(P)
    page = clinician.open(PAGE)
    assert "disabled" not in page
    said = text_of(page)
    assert "Therapy as now: 3.5 hours a week" in said
    assert "7.5 to less than 10" in said
    assert "10 to less than 15" not in said
    assert "Associational unless randomised" in said
    assert "from trials of other people" in said
    assert "<script" not in page
    assert "style=" not in page


def test_plans_are_compared_with_the_numbers_of_the_route(
    clinician: Browser, runtime: Runtime
) -> None:
    page = clinician.send(PAGE, MORE | LATER, on=PAGE).text
    said, found = text_of(page), last_answer(runtime)
    now, more, later = found.plans
    assert [now.name, more.name, later.name] == ["as now", "More <b>first</b>", "Plan 2"]
    for plan in (more, later):
        (at,) = (each for each in plan.horizons if each.weeks == found.weeks)
        low, high = f"{at.difference.low_80:+.1f}", f"{at.difference.high_80:+.1f}"
        # The table by week begins with the same name: the row before is that of the comparison.
        start = said.index(f"{plan.name} {plan.minutes_a_week / 60:.3g}")
        row = said[start : start + 400]
        better, worse = at.difference.chance_important, at.difference.chance_importantly_worse
        chances = f"{of_ten(better)} {of_ten(worse)}"
        assert f"{low} to {high} {chances}" in row, row
        assert f"{at.difference.mean:+.1f} {low} to {high}" in row
        assert f"{at.median:.0f} {at.low_80:.0f}\u2013{at.high_80:.0f}" in row
        assert f"chance of an important difference: {of_ten(better)}." in said
    (pair,) = (each for each in found.comparisons if each.other == more.name)
    pair_row = said[said.index(f"Plan 2 {more.name} {pair.difference.mean:+.1f}") :][:200]
    of_pair = (pair.difference.chance_important, pair.difference.chance_importantly_worse)
    assert " ".join(map(of_ten, of_pair)) in pair_row
    assert "<b>first" not in page
    assert 'value="3,5"' in page, "what was typed stays in the form"
    details = on_record(runtime, "forecast")[-1]["details"]
    assert details["route"] == "whatif"


def test_a_plan_that_nobody_like_this_one_had_is_greyed_out_with_the_reason(
    clinician: Browser, runtime: Runtime
) -> None:
    asked = MORE | {"plan-3-hours-therapy": "25", "plan-3-name": "Far more"}
    page = clinician.send(PAGE, asked, on=PAGE).text
    greyed = re.search(r'<p class="greyed">(.*?)</p>', page, re.DOTALL)
    assert greyed is not None
    assert '<tr class="greyed"><th scope="row"><bdi>Far more' in page
    said = text_of(greyed[1])
    assert "Far more" in said
    assert "fewer than 30" in said
    assert "25 hours a week" in said
    assert last_answer(runtime).plans[1].supported
    assert "7.5 to less than 10" in text_of(page)


def test_a_patient_of_whom_nothing_can_be_said_finds_the_plans_closed(
    browser: Browser,
) -> None:
    browser.sign_in("clinician")
    browser.add("P-1", (ARM, 30, 30.0))
    page = browser.open(PAGE)
    assert page.count('<fieldset class="plan" disabled>') == len(NUMBERS)
    assert "the therapy of the last two weeks is not on record".capitalize() in page
    assert "record the minutes of therapy of each day" in page


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({}, "nothing is asked"),
        ({"plan-1-name": "Empty"}, "plan 1 has no hours a week"),
        ({"plan-1-hours-therapy": "many"}, "is not a number"),
        ({"plan-1-hours-therapy": "9", "plan-1-weeks": "4"}, "afterwards it is not known"),
        ({"plan-1-hours-therapy": "9", "plan-1-after": "4"}, "and no weeks"),
        ({"plan-2-hours-therapy": "9", "plan-2-start": "4"}, "plan 2: until it starts"),
        ({"plan-1-hours-therapy": "9", "plan-1-weeks": "1.5", "plan-1-after": "1"}, "whole number"),
        ({"plan-1-hours-therapy": "9", "plan-1-weeks": "999", "plan-1-after": "1"}, "up to 156"),
        ({"borg": "5"}, "write 6 to 20"),
        ({"borg": "12 " * 51}, "exertion of 51 sessions"),
        ({"pain_worst": "11"}, "write 0 to 10"),
        ({"adherence-0": "120"}, "write 0 to 100"),
        ({"danger-0": "perhaps"}, "is none of the choices"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_stays_typed(
    clinician: Browser, runtime: Runtime, form: dict[str, str], says: str
) -> None:
    token = clinician.token(clinician.open(PAGE), PAGE)
    before = len(on_record(runtime, "forecast"))
    answer = clinician.send(PAGE, form, token=token)
    assert answer.status_code in {400, 422}
    assert says.lower() in text_of(answer.text).lower()
    typed = (value for value in form.values() if value != "perhaps")
    assert all(f'value="{value.strip()}"' in answer.text for value in typed)
    assert len(on_record(runtime, "forecast")) == before


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"plan-1-hours-therapy": "90"}, "name 0 to 60 hours"),
        ({"plan-1-hours-therapy": "-1"}, "name 0 to 60 hours"),
        (
            {"plan-1-hours-therapy": "1", "plan-1-name": "A", "plan-2-hours-therapy": "2",
             "plan-2-name": "A"},
            "two plans are called",
        ),
        ({"plan-1-hours-therapy": "1", "plan-1-name": "as now"}, "two plans are called"),
    ],
)  # fmt: skip
def test_a_plan_that_the_route_refuses_is_told_as_it_says_and_can_be_mended(
    clinician: Browser, form: dict[str, str], says: str
) -> None:
    page = clinician.send(PAGE, form, on=PAGE).text
    assert "Nothing can be said of plans" in page
    assert says in text_of(page).lower()
    assert "disabled" not in page
    assert f'value="{form["plan-1-hours-therapy"]}"' in page


def test_next_weeks_dose_is_accepted_changed_and_rejected(
    clinician: Browser, runtime: Runtime
) -> None:
    decided = [
        ({"decision": "accept", "hours": "", "reason": ""}, "accepted", None),
        ({"decision": "change", "hours": "3,6", "reason": "Tired."}, "overridden",
         3.6),
        ({"decision": "reject", "hours": "", "reason": "A cold."}, "overridden",
         None),
    ]  # fmt: skip
    for form, outcome, hours in decided:
        page = clinician.send(PAGE, WELL, on=PAGE).text
        dose = last_answer(runtime).next_week
        assert dose is not None
        assert dose.action == "progress"
        assert dose.hours_a_week == pytest.approx(3.85)
        assert "More: 3.85 hours a week, now 3.5" in text_of(page)
        assert dose.in_words[0] in unescape(page)
        told = re.search(r'name="forecast" value="([0-9a-f]{32})"', page)
        assert told is not None
        token = clinician.token(page, f"{PAGE}/dose")
        done = clinician.send(f"{PAGE}/dose", form | {"forecast": told[1]}, token=token)
        assert "next week's dose is on record" in text_of(done.text)
        said = on_record(runtime, "feedback")[-1]
        assert (said["details"]["about"], said["details"]["outcome"]) == (told[1], outcome)
        assert said["content"]["reason"] == form["reason"]
        assert said["content"].get("hours_a_week") == hours


def test_a_decision_leads_back_to_no_task_that_is_not_in_service(clinician: Browser) -> None:
    page = clinician.send(PAGE, WELL, on=PAGE).text
    told = re.search(r'name="forecast" value="([0-9a-f]{32})"', page)
    assert told is not None
    token = clinician.token(page, f"{PAGE}/dose")
    form = {"forecast": told[1], "decision": "accept", "hours": "", "reason": ""}
    form["task"] = "withdrawn&done=other"
    done = clinician.send(f"{PAGE}/dose", form, token=token, follow=False)
    assert done.headers["location"] == f"{PAGE}?done=dose"
    assert "next week's dose is on record" in text_of(clinician.open(f"{PAGE}?done=dose"))


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"decision": "reject", "hours": "", "reason": ""}, "the reason is empty"),
        ({"decision": "change", "hours": "", "reason": "Tired."}, "belong to a change"),
        ({"decision": "accept", "hours": "3", "reason": ""}, "belong to a change"),
        ({"decision": "change", "hours": "few", "reason": "Tired."}, "is not a number"),
        ({"decision": "", "hours": "", "reason": ""}, "is empty"),
    ],
)  # fmt: skip
def test_a_decision_that_is_not_one_is_not_put_on_record(
    clinician: Browser, runtime: Runtime, form: dict[str, str], says: str
) -> None:
    page = clinician.send(PAGE, WELL, on=PAGE).text
    told = re.search(r'name="forecast" value="([0-9a-f]{32})"', page)
    assert told is not None
    token = clinician.token(page, f"{PAGE}/dose")
    answer = clinician.send(f"{PAGE}/dose", form | {"forecast": told[1]}, token=token)
    assert answer.status_code in {400, 422}
    assert says in text_of(answer.text).lower()
    assert on_record(runtime, "feedback") == []


def test_a_dose_that_is_not_advised_says_what_is_missing_and_takes_no_decision(
    clinician: Browser,
) -> None:
    page = clinician.send(PAGE, {"borg": "12 12"}, on=PAGE).text
    assert "is not known" in text_of(page) or "not advised" in text_of(page)
    assert f'action="{PAGE}/dose"' not in page


def test_danger_stops_whatever_else_is_not_known(clinician: Browser, runtime: Runtime) -> None:
    page = clinician.send(PAGE, {"danger-1": "yes"}, on=PAGE).text
    assert "Stop, and call somebody" in page
    dose = last_answer(runtime).next_week
    assert dose is not None
    assert dose.action == "stop and call"
    assert "stop and call" not in clinician.send(PAGE, {"danger-1": "no"}, on=PAGE).text


def test_without_a_forecast_the_page_says_why(clinician: Browser) -> None:
    clinician.add("P-2", (THERAPY, 12, 30.0))
    page = clinician.open("/pages/patients/P-2/whatif")
    assert "No forecast" in page
    assert "<fieldset" not in page


def test_only_a_clinician_of_the_ward_gets_there(clinician: Browser) -> None:
    clinician.sign_in("clinician", tenant="other")
    clinician.open(PAGE, status=404)
    clinician.sign_in("governance")
    clinician.open(PAGE, status=403)


def test_in_urdu_no_sentence_of_the_page_is_left_in_english(clinician: Browser) -> None:
    clinician.http.get("/pages/language/ur?back=/pages/patients")
    page = clinician.send(PAGE, MORE | LATER | WELL, on=PAGE).text
    ours = re.sub(r'<(span|p|div) lang="en".*?</\1>', "", page, flags=re.DOTALL)
    said = text_of(ours.partition('<main id="content">')[2].partition("</main>")[0])
    left = set(re.findall(r"[A-Za-z]{3,}", said)) - {"More", "first", "Borg"}
    assert not left, left


def test_every_kind_of_therapy_and_every_caution_has_its_words() -> None:
    assert set(KINDS) == set(KIND_OF)
    assert set(OF_STANDING) == set(STANDING)
    for words in (*KINDS.values(), *OF_STANDING.values()):
        assert Say("ur")(words) != words


def test_a_form_of_every_kind_has_no_more_fields_than_are_taken(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.pages import forms
    from serving.pages.plans import form

    monkeypatch.setattr(form, "kinds_read", lambda _: list(KIND_OF))

    class Visit:
        say = Say("en")

    assert len(fields(Visit())) + 1 <= forms.MOST_FIELDS  # type: ignore[arg-type]
