"""Every sentence of the pages has its words in every language, with the same places in them."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from serving.pages.rendering import LANGUAGES, LOCALE, UNREVIEWED, Say, translations
from tests.serving.pages.conftest import Browser

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("serving/pages", "rehabcast/pages")
METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
KEYWORDS = {"_": None, "later": None, "say": None, "ngettext": (1, 2)}
REFUSALS = {
    "AccessDenied", "ContractError", "EvidenceMissing", "ForecastRefused", "NotOnRecord",
    "RequestInvalid", "RequestRefused", "ServiceUnavailable", "Worded", "rating", "to_date",
    "to_number", "to_score", "to_whole", "within",
}  # fmt: skip
"""What takes words of a refusal: what is wrong, what to do, and what a value is called."""

TOLD_ON_PAGES = (
    "serving/access/oidc.py", "serving/forecast/measured_again/facts.py", "serving/forecast/respond.py",
    "serving/forecast/whatif/next_week.py",
    "serving/forecast/whatif/twin.py", "serving/state/consent.py",
    "serving/state/corrections.py", "serving/state/running_record.py",
)  # fmt: skip
"""Modules besides those of the pages whose refusals people read there."""

OTHERS = sorted(set(LANGUAGES) - {"en"})
PLACES = re.compile(r"%\(\w+\)[sd]|%%")


def in_the_source() -> set[str | tuple[str, ...]]:
    options = {METHODS[0][0]: {"newstyle_gettext": "true", "silent": "false"}}
    found: set[str | tuple[str, ...]] = set()
    for folder in FOLDERS:
        for _, _, message, _, _ in extract_from_dir(
            ROOT / folder, method_map=METHODS, options_map=options, keywords=KEYWORDS
        ):
            found.add(message)
    of_pages = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    for path in (*of_pages, *(ROOT / each for each in TOLD_ON_PAGES)):
        found |= set(words_of_refusals(ast.parse(path.read_text("utf-8"))))
    for path in sorted((ROOT / "tasks").glob("*.toml")):
        milestones = tomllib.loads(path.read_text("utf-8"))["milestones"]
        found |= {each["name"] for each in milestones}
    return found


def words_of_refusals(module: ast.Module) -> Iterator[str]:
    """Yield the sentences that refusals of a module are made of; a name alone is none."""
    named = {
        target.id: node.value
        for node in module.body if isinstance(node, ast.Assign)
        for target in node.targets if isinstance(target, ast.Name)
    }  # fmt: skip
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in REFUSALS:
            for each in node.args:
                given = named.get(each.id) if isinstance(each, ast.Name) else each
                said = given.value if isinstance(given, ast.Constant) else ""
                if isinstance(said, str) and " " in said.strip():
                    yield said


def messages(language: str) -> Iterator[Message]:
    with (LOCALE / language / "LC_MESSAGES" / "pages.po").open("rb") as file:
        yield from (message for message in read_po(file, locale=language) if message.id)


def texts(of: Iterable[str] | str) -> list[str]:
    return [of] if isinstance(of, str) else list(of)


def test_words_are_found_in_templates_and_modules() -> None:
    found = in_the_source()
    assert {"Sheet for the family", "Score became worse", "everything else"} <= found
    assert len(found) > 200


@pytest.mark.parametrize("language", OTHERS)
def test_no_string_is_missing_and_none_is_left_over(language: str) -> None:
    translated = {message.id for message in messages(language) if all(texts(message.string))}
    assert translated == in_the_source()


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_places_of_the_original(language: str) -> None:
    for message in messages(language):
        for original, text in zip(texts(message.id), texts(message.string), strict=True):
            assert sorted(PLACES.findall(text)) == sorted(PLACES.findall(original)), original


def test_a_catalogue_that_lacks_a_word_shows_it_in_english() -> None:
    assert Say("ur")("a word that nobody has translated") == "a word that nobody has translated"
    assert translations("ur").gettext("Score") != "Score"


def test_a_page_says_that_no_native_clinician_has_reviewed_its_words(browser: Browser) -> None:
    assert set(OTHERS) == UNREVIEWED
    browser.http.get("/pages/language/ur?back=/pages/sign-in")
    page = browser.open("/pages/sign-in")
    assert '<html lang="ur" dir="rtl"' in page
    assert Say("ur")(
        "No native clinician has reviewed these words yet. Sentences in English are not translated."
    ) in page  # fmt: skip
