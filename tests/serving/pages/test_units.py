"""Every score that a sentence says has the unit of its scale, on every page and in every format.

Walking speed shows it: its scores are hundredths of a metre a second, and no other number of a page
has two decimals.
"""

from __future__ import annotations

import re
from html import unescape

import pytest

from contracts.vocabulary import Kind, vocabulary
from contracts.vocabulary.changes import unit_of
from serving.pages.rendering import Say
from tests.serving.pages.conftest import HANDS, SPEED, WALKING, Browser, without
from tests.serving.pages.test_patient import P

HUNDREDTHS = re.compile(r"(?<!\d)\d\.\d\d")
IN_A_TABLE = re.compile(r'<(table|svg|head)\b.*?</\1>|<ul class="tabs".*?</ul>', re.S)
SENTENCE = re.compile(
    r"(?<=[.;:!?\u06d4\u061b])\s|<(?:p|li|dd|dt|h\d|option|label|div|section|caption|figure|strong)\b"
)
UNIT = {"en": ("metre", "point"), "ur": ("میٹر", "پوائنٹ")}
"""Words of a unit: of walking, and of the arm, whose important gain has two decimals."""


def without_unit(page: str, language: str) -> list[str]:
    """Return the sentences of a page or text that have a score of walking and no unit behind it."""
    if language != "en":  # What is in English there has an English unit.
        page = re.sub(r'<span lang="en" dir="ltr">.*?</span>', " ", page, flags=re.S)
    parts = (re.sub(r"<[^>]*>", " ", each) for each in SENTENCE.split(IN_A_TABLE.sub(" ", page)))
    return [
        said for part in parts
        if (said := " ".join(unescape(part or "").split())) and HUNDREDTHS.search(said)
        and not any(unit in HUNDREDTHS.split(said, maxsplit=1)[1] for unit in UNIT[language])
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "ur"])
def test_every_score_in_a_sentence_of_a_patients_pages_has_its_unit(
    of_two: Browser,
    language: str,
) -> None:
    of_two.http.get(f"/pages/language/{language}")
    choices = f"?task={WALKING}&{without(WALKING)}&worth=1"
    found = {}
    for address in (f"{P}{choices}", f"{P}?task={HANDS}&{without(HANDS)}", f"{P}?task={WALKING}",
                    f"{P}/family{choices}", f"{P}/whatif{choices}", "/pages/patients"):  # fmt: skip
        page = of_two.open(address)
        assert HUNDREDTHS.search(page), address
        found[address] = without_unit(page, language)
    for value, day in (
        ("9", "90"),
        ("0.75", "34"),
    ):  # None that it can be; another one of that day.
        form = {"code": SPEED, "value": value, "day": day, "today": "90"}
        refused = of_two.send(f"{P}/score", form, on=f"{P}{choices}").text
        found[value] = without_unit(refused.partition("<form method")[0], language)
    assert {address: said for address, said in found.items() if said} == {}


def test_every_unit_of_an_instrument_has_words_in_every_language() -> None:
    """Or is a sign that everybody writes alike."""
    units = {
        unit_of(each.code, amount)
        for each in vocabulary().values() if each.kind is Kind.ASSESSMENT
        for amount in (1, 2)
    }  # fmt: skip
    assert len(units) > 5
    same = {
        unit for unit in units if unit and Say("ur").amount_of(unit, "1") == f"\u20661 {unit}\u2069"
    }
    assert same <= {"%", "kg", "kgf", "mmHg", "mL/kg a minute"}


def test_every_number_of_people_says_what_it_counts(of_two: Browser) -> None:
    page = of_two.open(f"{P}?task={WALKING}&{without(WALKING)}")
    said = " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
    numbers = re.findall(r"(?:\d+ or more|fewer than 11) (.{40})", said)
    assert len(numbers) >= 3
    counted = ("with a later score", "with one in week", "people like this one (")
    assert [each for each in numbers if not each.startswith(counted)] == []


def test_a_date_keeps_its_order_where_words_run_to_the_left(of_two: Browser) -> None:
    of_two.http.get("/pages/language/ur")
    for address in ("/pages/patients", f"{P}?{without(HANDS)}", f"{P}/whatif"):
        page = re.sub(r'<span lang="en" dir="ltr">.*?</span>|<[^>]*>', " ", of_two.open(address))
        dates = re.findall(r"(.)\d{4}-\d\d-\d\d", page)
        assert dates, address
        assert set(dates) == {"\u2066"}, address
