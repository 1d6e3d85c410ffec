"""A clinician's own prediction: asked for before the forecast, on the chain, compared later."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from serving.http.middleware import RequestMiddleware
from serving.http.runtime import Runtime
from serving.http.shutdown import Shutdown
from serving.pages.mounted import Pages
from serving.pages.table import PAGES
from serving.state.people.predictions import predictions
from tests.serving.pages.conftest import ARM, Browser, without

P = "/pages/patients/P-1"
FORECAST = "8 of 10 people like this one"


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@pytest.fixture
def clinician(browser: Browser, runtime: Runtime, a_course: Any) -> Browser:
    """A ward that asks its clinicians first."""
    changed = replace(runtime, predict_first=True)
    browser.http._transport._asgi.app = RequestMiddleware(  # type: ignore[attr-defined]
        None, lambda: changed, Shutdown(), Pages(PAGES)  # type: ignore[arg-type]
    )  # fmt: skip
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    return browser


def asked(page: str) -> dict[str, str]:
    """Return what the form asks: the last week that may be chosen."""
    return {"weeks": re.findall(r'<option value="(\d+)"', page)[-1]}


def test_the_forecast_comes_after_the_prediction_and_is_compared_with_what_came(
    clinician: Browser, runtime: Runtime
) -> None:
    page = clinician.open(P)
    assert "Your prediction, before you see the forecast" in page
    assert FORECAST not in page
    assert runtime.forecast_log.settle(5)
    with runtime.store.engine.connect() as connection:
        kinds = "select count(*) from service_entry where kind = 'forecast'"
        assert connection.exec_driver_sql(kinds).scalar_one() == 0, "none was computed yet"
    form = asked(page)
    shown = clinician.send(f"{P}/prediction", form | {"score": "41,5"}, on=P)
    assert "Your prediction is on record" in shown.text
    assert FORECAST in shown.text
    assert runtime.forecast_log.settle(5)
    (made,) = predictions(runtime.store.engine, "ward", "P-1", ARM)
    assert (made.weeks, made.score) == (int(form["weeks"]), 41.5)
    assert made.actor == "user:test:Ann Other"
    with runtime.store.engine.connect() as connection:
        output, details = (
            json.loads(connection.exec_driver_sql(query).scalar_one())
            for query in (
                "select content from service_entry where kind = 'forecast' order by sequence",
                "select details from service_entry where kind = 'feedback'",
            )
        )
    (horizon,) = [
        each for each in json.loads(output["output"])["horizons"] if each["weeks"] == made.weeks
    ]
    assert made.forecasted is not None
    assert made.forecasted.median == horizon["median"]
    assert details == {"about": "", "outcome": "predicted", "model_version": "arm/1"}
    assert f"{made.weeks} 41.5 {horizon['median']:.0f}" in text_of(clinician.open(P))
    assert "not measured yet" in clinician.open(P)
    clinician.add("P-1", (ARM, 6 + 7 * made.weeks + 5, 48.0), day=6)
    assert re.search(
        r"41\.5 .{1,20}\d+\u2013\d+ 48 ",
        text_of(clinician.open(f"{P}?{without('stroke-upper-limb')}")),
    )


def test_each_clinician_is_asked_once_a_day_and_may_go_on_without(clinician: Browser) -> None:
    page = clinician.open(P)
    (link,) = re.findall(r'href="([^"]*without=[^"]*)"', page)
    assert FORECAST in clinician.open(unescape(link))
    # An address of yesterday, such as a bookmark, is asked again.
    assert FORECAST not in clinician.open(f"{P}?without=stroke-upper-limb%202026-01-01")
    clinician.send(f"{P}/prediction", asked(page) | {"score": "40"}, on=P)
    assert FORECAST in clinician.open(P)
    clinician.sign_in("clinician", person="Bo Other")
    assert FORECAST not in clinician.open(P)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"score": "400"}, "is not on the scale"), ({"score": "nan"}, "is not a number"),
        ({"score": ""}, "is empty"), ({"score": "4", "weeks": "7"}, "is none of the choices"), ({"score": "4"}, "not in service now"),
    ],
)  # fmt: skip
def test_a_prediction_that_cannot_be_is_not_put_on_record(
    clinician: Browser, runtime: Runtime, changed: dict[str, str], says: str
) -> None:
    page = clinician.open(P)
    token = clinician.token(page, f"{P}/prediction")
    task = "another" if "in service" in says else "stroke-upper-limb"
    sent_to = f"{P}/prediction?task={task}"
    refused = clinician.send(sent_to, asked(page) | changed, token=token)
    assert refused.status_code == 400
    assert says in refused.text
    assert predictions(runtime.store.engine, "ward", "P-1", ARM) == []


def test_without_the_setting_nobody_is_asked(browser: Browser, a_course: Any) -> None:
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    assert FORECAST in browser.open(P)
