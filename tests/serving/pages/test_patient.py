"""The patient's page and the caseload, as a clinician uses them."""

from __future__ import annotations

from typing import Any

from tests.serving.pages.conftest import Browser


def test_a_clinician_sees_the_forecast_of_a_patient(browser: Browser, a_course: Any) -> None:
    browser.sign_in("clinician")
    browser.add("P-1", *a_course, day=6)
    page = browser.open("/pages/patients/P-1")
    assert "8 of 10 people" in page
