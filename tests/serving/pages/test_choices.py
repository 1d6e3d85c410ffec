"""What a clinician looks at (instrument, week, worth) stays through every link, form and refusal.

A page's address has it, so that every address that leads on from a patient's page has it too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, parse_qsl, urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.faults import Fault
from serving.http.runtime import Runtime
from serving.pages.page import chosen, with_choices
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from tests.serving.pages.conftest import (
    ARM,
    HANDS,
    SPEED,
    WALKING,
    Browser,
    Fixed,
    following,
    without_today,
)
from tests.serving.pages.test_patient import P

BELOW = ("", "/family", "/whatif", "/exercise")
FORMS = ("score", "correction", "feedback", "alert", "prediction", "whatif/dose", "exercise/step",
         "exercise/decision")  # fmt: skip
CHOSEN = st.fixed_dictionaries(
    {"task": st.sampled_from([HANDS, WALKING]), "week": st.sampled_from(["12", "26"])},
    optional={"worth": st.just("1"), "all": st.just("1"), "without": st.sampled_from([HANDS, WALKING])},
)  # fmt: skip
ONE_SET = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def leading_on(page: str) -> list[str]:
    """Return the addresses of this patient that links and forms of a page lead to."""
    found = [unescape(each) for each in re.findall(r'(?:href|action)="([^"]*)"', page)]
    languages = [each for each in found if each.startswith("/pages/language/")]
    found += [parse_qs(urlsplit(each).query)["back"][0] for each in languages]
    return [each for each in found if urlsplit(each).path.startswith(P)]


def lost(page: str, choices: dict[str, str]) -> list[str]:
    """Return the addresses that lack a choice, or have another one in more than one place."""
    assert leading_on(page)
    return [
        each for each in leading_on(page)
        if not choices.keys() <= (then := dict(parse_qsl(urlsplit(each).query))).keys()
        or sum(then[name] != value for name, value in choices.items()) > 1
    ]  # fmt: skip


@ONE_SET
@given(choices=CHOSEN, below=st.sampled_from(BELOW))
def test_every_link_and_form_of_a_patients_pages_keeps_what_was_chosen(
    of_two: Browser, choices: dict[str, str], below: str
) -> None:
    assert lost(of_two.open(with_choices(f"{P}{below}", choices)), choices) == []


@ONE_SET
@given(choices=CHOSEN, form=st.sampled_from(FORMS))
def test_a_form_that_is_refused_stale_or_sent_twice_keeps_what_was_chosen(
    of_two: Browser, choices: dict[str, str], form: str
) -> None:
    address = with_choices(f"{P}/{form}", choices)
    stale = of_two.http.post(address, data={"token": "of another session"})
    assert lost(stale.text, choices) == []
    again = re.search(r'name="token" value="([^"]*)"', stale.text.partition(f'action="{P}')[2])
    assert again is not None
    for _ in range(2):  # Refused, and then sent once more.
        refused = of_two.http.post(address, data={"token": again[1]})
        assert refused.status_code in {200, 400, 422}
        assert lost(refused.text, choices) == []
    went_back = of_two.http.get(address)
    assert chosen(dict(parse_qsl(urlsplit(went_back.headers["location"]).query))) == choices


def test_what_is_put_on_record_leads_back_to_what_was_chosen(of_two: Browser) -> None:
    choices = {"task": WALKING, "week": "26", "worth": "1", "without": without_today(WALKING)}

    def put(form: str, **values: str) -> None:
        address = with_choices(f"{P}/{form}", choices)
        token = of_two.token(of_two.open(with_choices(P, choices)), f"{P}/{form}")
        sent = of_two.http.post(address, data={**values, "token": token})
        assert sent.status_code == 303, (form, sent.text)
        assert chosen(dict(parse_qsl(urlsplit(sent.headers["location"]).query))) == choices

    page = of_two.open(with_choices(P, choices))
    (forecast,) = re.findall(r'name="forecast" value="([^"]*)"', page)
    put("feedback", forecast=forecast, outcome="accepted", reason="")
    put("score", code=SPEED, value="0.7", day="40", today="70")
    put("correction", which=f"{SPEED} 40", what="changed", value="0.6", reason="typed")
    of_two.add("P-1", (ARM, 69, 10.0), day=6)
    alert = re.findall(r'name="alert" value="([^"]*)"', of_two.open(with_choices(P, choices)))
    put("alert", alert=alert[0], decision="acknowledged", reason="seen", until="")


def test_an_error_leads_back_to_the_patient(of_two: Browser, runtime: Runtime) -> None:
    """With what was chosen; from the patient's own page without it, as it may be the reason."""
    choices = {"task": "of-last-year", "week": "26"}
    for below, expected in (("/family", choices), ("", {})):
        said = of_two.open(with_choices(f"{P}{below}", choices), status=422)
        assert with_choices(P, expected) in leading_on(said)
    assert with_choices(P, {}) in leading_on(of_two.open(f"{P}?week=soon", status=400))
    two = {
        "arm": Fixed(
            replace(Snapshot(runtime.champions.current[0].served), withdrawn=Fault("gone", ""))
        )
    }
    following(of_two, runtime, Champions(two))
    alone = {"task": HANDS, "week": "26"}
    assert lost(of_two.open(with_choices(P, alone)), alone) == []


def test_who_signs_in_again_comes_back_to_what_was_chosen(of_two: Browser) -> None:
    address = with_choices(P, {"task": WALKING, "week": "26", "worth": "1"})
    of_two.http.cookies.clear()
    location = of_two.http.get(address).headers["location"]
    (back,) = parse_qs(urlsplit(location).query)["back"]
    assert back == address
    gone = of_two.http.get("/pages/language/ur", params={"back": address})
    assert gone.headers["location"] == address


def test_a_week_of_one_instrument_is_no_reason_to_refuse_another(of_two: Browser) -> None:
    for task in (HANDS, WALKING):
        for week in ("1", "1000"):
            choices = {"task": task, "week": week, "without": without_today(task)}
            page = of_two.open(with_choices(P, choices))
            assert "8 of 10 people like this one are between" in page
            assert lost(page, choices) == []


def test_the_familys_sheet_is_of_the_week_that_was_looked_at(of_two: Browser) -> None:
    page = of_two.open(with_choices(f"{P}/family", {"task": HANDS, "week": "26"}))
    assert "About 26 weeks after" in page


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=6))
def test_an_address_has_no_more_than_what_can_be_chosen(query: dict[str, str]) -> None:
    address = with_choices(P, chosen({**query, "week": "a&b=c#d"}))
    assert dict(parse_qsl(urlsplit(address).query)) == chosen({**query, "week": "a&b=c#d"})
    assert not set(parse_qs(urlsplit(address).query)) - {
        "task", "week", "worth", "all", "without", "show", "named", "page", "guess"
    }  # fmt: skip
