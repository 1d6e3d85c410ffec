"""Every page of the table is reached as a browser reaches it."""

from __future__ import annotations

import pytest

from rehabcast.pages.table import ALL_PAGES
from serving.pages.page import Page
from tests.serving.pages.conftest import Browser

OPENED = {each.path for each in ALL_PAGES if each.method == "GET"}
SENT_TO = [each for each in ALL_PAGES if each.path not in OPENED]


@pytest.mark.parametrize("page", SENT_TO, ids=lambda page: page.path)
def test_where_a_form_was_sent_to_leads_to_the_page_that_it_is_on(
    browser: Browser, page: Page
) -> None:
    """A language is chosen on the answer to a form too, and its address may be opened by itself."""
    assert page.path.rpartition("/")[0] in OPENED
    path = page.path.format(subject="P-1", model="arm", number="1")
    chosen = browser.http.get(f"/pages/language/ur?back={path}")
    assert chosen.headers["location"] == path
    shown = browser.http.get(path)
    assert (shown.status_code, shown.headers["location"]) == (303, path.rpartition("/")[0])
