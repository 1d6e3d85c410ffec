"""The page of exercise at home: what is on record by week, and a step only by what is known."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from contracts.exercise import SetFile, codes
from features.adherence.days import daily_values
from features.adherence.observed import observe
from serving.access.sign_in import Role
from serving.pages.table import PAGES
from serving.state.entries import Entry, Kind, entries
from serving.state.privacy import erase
from tests.serving.pages.conftest import ARM, Browser
from tests.simulated_exercise import PROGRAMME, START, days_of, set_file

P = "/pages/patients/P-1"
PAGE = f"{P}/exercise"
FIRST_DAY = 12
"""Since onset, of the programme."""
WELL = {
    "pain_worst": "2", "pain_rise": "1", "pain_next_morning": "no", "fatigue_worst": "3",
    "danger-0": "no", "danger-1": "no", "danger-2": "no",
}  # fmt: skip


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def on_record(file: SetFile) -> list[tuple[str, int | None, float]]:
    """Return the days of a programme as the record has them."""
    return [
        (each.code, FIRST_DAY + (each.day - START).days, each.value)
        for each in daily_values(observe(PROGRAMME, file))
    ]


@pytest.fixture
def clinician(browser: Browser) -> Browser:
    browser.sign_in("clinician")
    return browser


def with_two_weeks(clinician: Browser, badly: int) -> Browser:
    sets = [*days_of(range(7)), *days_of(range(7, 14), well=10 - badly, badly=badly)]
    clinician.add("P-1", (ARM, 10, 30.0), *on_record(set_file(sets)))
    return clinician


def test_a_patient_leads_to_the_weeks_on_record(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=2)
    assert f'href="{PAGE}?task=' in clinician.open(P)
    said = text_of(clinician.open(PAGE))
    assert "Last 7 days on record: 212 repetitions; days known: 7." in said
    assert "That is 100% of the plan. Done as shown: 87% of the repetitions." in said
    assert "In the week before it was 100%." in said
    assert "15 7 212 100% 87% 110% 120%" in said, "a row of the table"


@pytest.mark.parametrize(
    ("badly", "asked", "says"),
    [
        (0, {}, "about a tenth more repetitions. Enough was done in both weeks"),
        (2, {}, "Next week: the same. Enough was done, but not well enough"),
        (0, {"pain_worst": "6"}, "about a tenth fewer repetitions."),
        (0, {"danger-1": "yes"}, "Stop exercising, and call somebody"),
        (0, {"fatigue_worst": ""}, "not known of the last two weeks: worst fatigue"),
    ],
)
def test_the_step_follows_count_and_quality(
    clinician: Browser, badly: int, asked: dict[str, str], says: str
) -> None:
    with_two_weeks(clinician, badly)
    assert says in text_of(clinician.send(f"{PAGE}/step", WELL | asked).text)


def test_a_step_may_be_asked_for_again_after_going_back_as_nothing_is_put_on_record(
    clinician: Browser,
) -> None:
    with_two_weeks(clinician, badly=0)
    token = clinician.token(clinician.open(PAGE), f"{PAGE}/step")
    for worst, says in (("6", "about a tenth fewer"), ("2", "about a tenth more")):
        answer = clinician.send(f"{PAGE}/step", WELL | {"pain_worst": worst}, token=token)
        assert says in text_of(answer.text)


def test_without_exercise_the_page_says_how_it_comes_on_record(clinician: Browser) -> None:
    clinician.add("P-1", (ARM, 10, 30.0))
    page = clinician.open(PAGE)
    assert "There is no exercise at home on record." in page
    assert "<form" not in page.partition("<main")[2]


def test_old_exercise_says_nothing_of_next_week(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=0)
    clinician.add("P-1", (ARM, 60, 31.0))
    assert "The last exercise on record is 35 days old." in text_of(clinician.open(PAGE))
    said = text_of(clinician.send(f"{PAGE}/step", WELL).text)
    assert "not known of the last two weeks: adherence of both weeks" in said


def test_a_form_without_an_answer_is_shown_again(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=0)
    said = clinician.send(f"{PAGE}/step", dict.fromkeys(WELL, ""))
    assert said.status_code == 400
    assert "Nothing is said of the last two weeks" in said.text


def test_it_is_for_clinicians_and_in_urdu_too(clinician: Browser) -> None:
    pages = [page for page in PAGES if "/exercise" in page.path]
    assert [page.roles for page in pages] == [frozenset({Role.CLINICIAN})] * 3
    with_two_weeks(clinician, badly=0)
    clinician.http.get("/pages/language/ur?back=/pages/sign-in")
    page = clinician.open(PAGE)
    assert 'dir="rtl"' in page
    assert "By week" not in page


def test_every_code_of_exercise_is_on_the_patients_page(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=1)
    page = text_of(clinician.open(f"{P}?all=1"))
    assert codes.QUALITY not in page
    assert "share of home exercise repetitions done as shown" in page


DECISION = f"{PAGE}/decision"


def decided(clinician: Browser, typed: dict[str, str], asked: dict[str, str] = WELL) -> Any:
    """Ask for a step, and send the form of the decision that is on its answer."""
    page = clinician.send(f"{PAGE}/step", asked).text
    form = page.partition(f'action="{DECISION}"')[2].partition("</form>")[0]
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))
    return clinician.send(DECISION, hidden | typed, token=hidden.pop("token"), follow=True)


def on_the_chain(clinician: Browser) -> list[Entry]:
    with clinician.runtime.store.engine.connect() as connection:
        return [each for each in entries(connection) if each.kind == Kind.EXERCISE]


def test_what_is_decided_is_an_entry_of_the_record_beside_what_was_advised(
    clinician: Browser,
) -> None:
    with_two_weeks(clinician, badly=0)
    reason = "Pain last spring; wait a week."
    said = decided(clinician, {"decision": "hold", "reason": reason})
    assert "Your decision about next week's exercise is on record." in text_of(said.text)
    (entry,) = on_the_chain(clinician)
    assert (entry.subject, entry.actor) == ("P-1", "user:test:Ann Other")
    assert json.loads(entry.details) == {"decision": "hold"}, "nothing of the person for ever"
    content = json.loads(entry.content or "")
    assert (content["decision"], content["advised"]) == ("hold", "progress")
    assert (content["rule"], content["because"]) == ("quality holds", {"quality_least": 1.0})
    assert (content["person"], content["reason"]) == ("Ann Other", reason)
    assert content["last_day"] == FIRST_DAY + 13
    assert f"The same More Ann Other {reason}" in text_of(clinician.open(PAGE))


def test_what_the_rules_say_may_be_decided_without_a_reason_and_nothing_else(
    clinician: Browser,
) -> None:
    with_two_weeks(clinician, badly=0)
    refused = decided(clinician, {"decision": "regress", "reason": ""})
    assert refused.status_code == 400
    assert "The reason is empty" in text_of(refused.text)
    assert on_the_chain(clinician) == []
    assert decided(clinician, {"decision": "progress", "reason": ""}).status_code == 200
    assert len(on_the_chain(clinician)) == 1


def test_advice_that_was_changed_on_the_way_is_not_put_on_record(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=0)
    for other in ({"advised": "regress"}, {"pain_worst": "9"}, {"pain_worst": ""}):
        said = decided(clinician, {"decision": "progress", "reason": "", **other})
        assert said.status_code == 400
        assert "The advice is another one by now" in text_of(said.text)
    assert on_the_chain(clinician) == []


def test_where_the_rules_say_nothing_a_decision_needs_its_reason(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=0)
    asked = WELL | {"fatigue_worst": ""}
    assert decided(clinician, {"decision": "hold", "reason": ""}, asked).status_code == 400
    assert decided(clinician, {"decision": "hold", "reason": "seen"}, asked).status_code == 200
    (entry,) = on_the_chain(clinician)
    assert json.loads(entry.content or "")["advised"] == ""


def test_a_decision_counts_once_and_is_of_this_session_and_site(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=0)
    page = clinician.send(f"{PAGE}/step", WELL).text
    token = clinician.token(page, DECISION)
    form = WELL | {"advised": "progress", "decision": "progress", "reason": ""}
    assert clinician.send(DECISION, form, token="0" * 32 + ".x").status_code == 409
    foreign = clinician.send(DECISION, form, token=token, origin="https://elsewhere.example")
    assert foreign.status_code == 403
    assert on_the_chain(clinician) == []
    assert clinician.send(DECISION, form, token=token).status_code == 200
    clinician.send(DECISION, form, token=token)
    assert len(on_the_chain(clinician)) == 1


def test_a_decision_goes_with_whom_it_is_about(clinician: Browser) -> None:
    with_two_weeks(clinician, badly=0)
    decided(clinician, {"decision": "progress", "reason": "private"})
    erase(clinician.runtime.store, "ward", "P-1", reason="asked", actor="t", now=datetime.now(UTC))
    (entry,) = on_the_chain(clinician)
    assert (entry.subject, entry.content) == (None, None)
