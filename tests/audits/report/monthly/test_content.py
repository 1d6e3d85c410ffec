"""The edition's form: published, and read again as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audits.report.monthly.content import FORMAT, EarlyOutcomes, Edition
from audits.report.monthly.crosswalk import STANDARDS, answers
from audits.report.monthly.document import monthly_edition
from audits.report.monthly.picture import draw
from tests.audits.report.monthly.example import edition

ROOT = Path(__file__).parents[4]


def test_the_published_schema_is_that_of_the_code() -> None:
    path = ROOT / "docs" / "schemas" / "monitoring-edition.schema.json"
    assert json.loads(path.read_text("utf-8")) == Edition.model_json_schema()
    written = edition().model_dump_json()
    assert json.loads(written)["format"] == FORMAT
    assert Edition.model_validate_json(written) == edition()


def test_every_item_is_answered_or_said_to_be_missing() -> None:
    for plan in (None, "3"):
        for standard in STANDARDS:
            found = answers(edition(change_plan=plan), standard)
            assert all(each.text and "{" not in each.text for each in found)
    with_plan, without = (
        answers(
            edition(change_plan=plan), "FDA, changes determined beforehand and performance in use"
        )
        for plan in ("3", None)
    )
    assert (with_plan[0].is_available, without[0].is_available) == (True, False)


def test_a_picture_says_in_words_what_it_shows_and_nothing_is_drawn_of_nothing(
    tmp_path: Path,
) -> None:
    (figure,) = draw(edition(), tmp_path)
    assert "honest intervals in every group, sex: female, too low: 42 of 3,660" in figure.alt
    assert (tmp_path / figure.file).read_text("utf-8").startswith("<?xml")
    empty = edition(mean=(), tests=())
    assert draw(empty, tmp_path) == ()
    said = json.dumps(monthly_edition(empty, ()).as_record())
    assert "Too few outcomes were due" in said
    assert "Whom the scope may grow by" in said
    assert "Whom the scope may grow by" not in json.dumps(
        monthly_edition(edition(left_out=()), ()).as_record()
    )
    assert "none yet" not in said


def test_earlier_outcomes_are_told_apart_and_it_is_said_where_none_are_asked() -> None:
    def said(**changed: Any) -> str:
        return json.dumps(monthly_edition(edition(**changed), ()).as_record())

    told = said()
    assert "Before the outcome that counts" in told
    assert "that of week 3 after enrolment" in told
    assert "neither take anybody out of service" in told
    assert '"42"' in told
    nothing = EarlyOutcomes(weeks=None, why_not="the task has none", tests=())
    assert "Earlier outcomes are not tested: the task has none." in said(early=nothing)
    few = EarlyOutcomes(weeks=3, why_not=None, tests=())
    assert "Too few early outcomes were due" in said(early=few)
    # An edition that was made before there was any says nothing of it.
    before = json.loads(edition().model_dump_json())
    del before["early"]
    old = Edition.model_validate_json(json.dumps(before))
    assert "Before the outcome that counts" not in json.dumps(monthly_edition(old, ()).as_record())
