"""Who was served what, as a board reads it: no number about few people."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.observation import Observation
from rehabcast.pages.served import people_shown
from rehabcast.pages.table import ALL_PAGES, TEMPLATES
from serving.pages.mounted import Pages
from serving.pages.rendering import Say
from serving.schemas import FeedbackRequest
from serving.state.forecast_log import ForecastEntry, append
from tests.serving.pages.conftest import Browser

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PAGE = "/pages/governance/served"


@pytest.fixture
def pages() -> Pages:
    return Pages(ALL_PAGES, [TEMPLATES])


def served(browser: Browser, people: int, *, woman: int) -> None:
    """Put forecasts about some people on record, each with feedback (SIMULATED)."""
    store = browser.runtime.store
    entries = [
        ForecastEntry(
            id=f"{n:032x}", time=NOW.isoformat(timespec="seconds"), route="forecast",
            actor="user:test:Ann", tenant="ward", subject=f"P-{n}", model_version="arm/1",
            bundle_digest="b" * 64, input_digest="i" * 64, output="{}",
        )
        for n in range(people)
    ]  # fmt: skip
    append(store, entries)
    for n in range(people):
        sex = Observation(code="REHABCAST//SEX", label="female" if n < woman else "male")
        store.add("ward", f"P-{n}", 6, [sex], actor="tests", now=NOW)
        given_ = FeedbackRequest(forecast_id=f"{n:032x}", outcome="wrong" if n < 3 else "accepted")
        store.add_feedback("ward", [given_], actor="dr", now=NOW)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_a_board_sees_who_was_served_and_feedback_by_group_without_small_cells(
    browser: Browser,
) -> None:
    served(browser, 27, woman=24)
    browser.sign_in("governance")
    said = text_of(browser.open(PAGE))
    assert "arm/1 user:test:Ann forecast 20 or more 2026-11-28" in said
    assert "sex: female 20 or more 11 or more nobody fewer than 11" in said
    assert "sex: male fewer than 11 held back: too few people" in said
    for exact in (" 27 ", " 24 ", " 21 ", " 3 "):
        assert exact not in said
    browser.sign_in("governance", tenant="another")
    assert "Nobody was given a forecast yet" in browser.open(PAGE)
    browser.sign_in("clinician")
    browser.open(PAGE, status=403)


@given(st.integers(0, 100_000))
def test_a_number_of_people_that_is_shown_tells_of_no_few(people: int) -> None:
    said = people_shown(people, Say("en"))
    numbers = [int(each) for each in re.findall(r"\d+", said)]
    assert all(each >= 11 for each in numbers)
    assert people_shown(people, Say("ur")) != said
    # One who comes changes a number only as the last of eleven.
    if people:
        assert people_shown(people + 1, Say("en")) == said or (people + 1) % 11 == 0
