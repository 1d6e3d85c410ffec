"""What a form says of a field: one thing in brackets, which nothing else contradicts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

from tests.serving.pages.conftest import Browser, without
from tests.serving.pages.exercise.test_page import WELL
from tests.serving.pages.test_choices import BELOW, FORMS
from tests.serving.pages.test_patient import P

ROOT = Path(__file__).resolve().parents[3]
LABEL = re.compile(r"<label[^>]*>(.*?)</label>", re.S)
HINT = re.compile(r"\((needed|only|if|unless|optional|may be|a date)\b")


def labels_of_fields() -> Iterator[str]:
    """Yield the labels of all fields in the source."""
    for folder in ("serving/pages", "rehabcast/pages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                called = isinstance(node, ast.Call) and ast.unparse(node.func)
                if called in {"Field", "replace"} or called == "field":
                    for each in ast.walk(node):
                        if isinstance(each, ast.Constant) and isinstance(each.value, str):
                            yield each.value


def test_a_label_leaves_it_to_its_field_to_say_when_it_is_needed() -> None:
    found = list(labels_of_fields())
    assert "Why, in a sentence" in found
    assert [each for each in found if HINT.search(each)] == []


def test_no_label_of_a_patients_forms_has_two_hints(of_two: Browser) -> None:
    shown = [of_two.open(f"{P}{below}?{without('stroke-upper-limb')}") for below in BELOW]
    shown += [of_two.http.post(f"{P}/{form}", data={"token": "old"}).text for form in FORMS]
    shown += [of_two.send(f"{P}/exercise/step", WELL).text, of_two.open("/pages/new-patient")]
    found = [
        unescape(re.sub(r"<[^>]*>", "", each)) for page in shown for each in LABEL.findall(page)
    ]
    assert any("(may be empty)" in each for each in found)
    assert [each for each in found if len(HINT.findall(each)) > 1] == []
