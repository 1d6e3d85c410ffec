"""`rehabcast monitor edition` on a home: what a board reads of a month, and reads again."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from audits.disclosure.over_time import last_shown
from contracts.errors import EvidenceMissing
from contracts.groups import MINIMUM_SHOWN
from contracts.task import Task
from rehabcast.evidence.edition import groups_shown, month_of
from rehabcast.settings import Settings
from serving.schemas import FeedbackRequest
from serving.state.forecast_log import append
from serving.state.people.predictions import put
from serving.state.privacy import erase
from serving.state.store import Store
from tests.rehabcast.command_line import run
from tests.rehabcast.evidence.test_running import FIELDS, home, serve
from tests.serving.state.evidence.test_counting import forecast

__all__ = ["home"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

EVERYONE = ("everyone", "everyone")
TOLD = ("mean", "tests", "early")


def written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, month: str
) -> dict[str, Any]:
    said = run(
        capsys, monkeypatch, "monitor", "edition", "arm", "--output", "board", "--month", month,
        "--json",
    )  # fmt: skip
    assert said.code == 0, said.text
    return dict(json.loads(next(x for x in said.text.splitlines() if x.startswith("{"))))


def people(edition: dict[str, Any]) -> dict[tuple[str, str], dict[str, int | None]]:
    return {(each["attribute"], each["label"]): each for each in edition["people"]}


def test_what_a_month_told_is_told_again_and_few_people_change_nothing(
    home: Path, task: Task, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(task, error=2.0, people=60)
    with closing(Store(Settings().store_url)) as store:
        # Every second forecast was overridden, and its outcome was inside the range all the same.
        store.add_feedback(
            "ward",
            [
                FeedbackRequest(
                    forecast_id=f"{1000 + n:032x}",
                    outcome="overridden" if n % 2 else "accepted",
                    reason="knows-better I saw her walk" if n % 2 else "",
                )
                for n in range(60)
            ],
            actor="ehr", now=datetime(2027, 4, 1, tzinfo=UTC),
        )  # fmt: skip
        for n in range(25):
            # The outcome is 28 or 32, and the forecast 30: of every second the clinician is right.
            put(
                store, "ward", f"{'P' * (1 + n % 2)}-{n}", code=task.target.code,
                weeks=task.primary_horizon_weeks, score=(32.0 if n % 4 < 2 else 28.0) + 9 * (n % 2),
                model_version="arm/1", actor="ehr", now=datetime(2026, 12, 1, tzinfo=UTC),
            )  # fmt: skip
    first = written(capsys, monkeypatch, "2027-11")
    everyone = people(first)[EVERYONE]
    assert (everyone["forecast"], everyone["due"], everyone["observed"]) == (60, 60, 60)
    assert (everyone["lost"], everyone["died"], first["early"]["weeks"]) == (None, None, 3)
    assert (everyone["accepted"], everyone["overridden"]) == (30, 30)
    assert (everyone["overridden_in_range"], everyone["overridden_out_of_range"]) == (30, None)
    # Of 25 men and of 5 women.
    assert people(first)["sex", "male"]["overridden"] == 20
    nearer = [everyone[name] for name in ("predicted", "clinician_nearer", "forecast_nearer")]
    assert nearer == [20, 11, 11]
    assert people(first)["sex", "female"]["overridden"] is None
    assert [(each["reason"], each["people"]) for each in first["reasons"]] == [
        ("I know something that the record does not say", 30)
    ]
    assert "saw her" not in json.dumps(first)
    board = home.parent / "board"
    as_made = (board / "monitoring.json").read_bytes()
    assert (board / "monitoring.pdf").read_bytes().startswith(b"%PDF")
    assert "What was done in November 2027" in (board / "monitoring.html").read_text("utf-8")
    client = Settings().store.client()
    (logged,) = client.search_runs(
        [Settings().store.experiment_id(client)], "tags.`rehabcast.month` = '2027-11'"
    )
    assert logged.data.metrics["mean_e_value"] == first["mean"][-1]["e_value"]
    assert "monitoring.pdf" in [file.path for file in client.list_artifacts(logged.info.run_id)]
    with closing(Store(Settings().store_url)) as store:
        append(store, [forecast(task, 5000 + n, f"Q-{n}", date(2027, 12, 3)) for n in range(10)])
        erase(store, "ward", "P-0", reason="asked for", actor="dr", now=datetime.now(UTC))
    assert written(capsys, monkeypatch, "2027-11") == first
    assert (board / "monitoring.json").read_bytes() == as_made
    december = written(capsys, monkeypatch, "2027-12")
    assert people(december) == people(first)
    assert [december[name] for name in TOLD] == [first[name] for name in TOLD]
    said = run(
        capsys, monkeypatch, "monitor", "edition", "arm", "--output", "x", "--month", "2027-10"
    )
    assert (said.code, said.text.count("\n")) == (4, 1)
    assert "one of 2027-12 was made already" in said.text
    assert not (home.parent / "x").exists()
    said = run(
        capsys, monkeypatch, "monitor", "edition", "arm", "--output", "x", "--month", "1999-12"
    )
    assert (said.code, "came into service on" in said.text) == (4, True)
    fields = json.loads(FIELDS.read_text("utf-8"))["monitor edition"]
    assert list(december) == [path for path in fields if "." not in path]


def test_a_group_is_named_only_once_a_number_of_it_is_shown() -> None:
    first = {("forecast", *EVERYONE): 40, ("forecast", "sex", "other"): MINIMUM_SHOWN - 1}
    numbers = last_shown({}, first)
    assert [(each.attribute, each.label) for each in groups_shown(numbers)] == [EVERYONE]
    numbers = last_shown(numbers, {**first, ("forecast", "sex", "other"): MINIMUM_SHOWN})
    named = {(each.attribute, each.label): each.forecast for each in groups_shown(numbers)}
    assert named == {EVERYONE: 40, ("sex", "other"): MINIMUM_SHOWN}


def test_an_edition_is_of_a_month_that_is_over() -> None:
    assert month_of(None, date(2027, 1, 1)).name == "2026-12"
    month = month_of(date(2026, 12, 1), date(2027, 1, 1))
    assert (month.first, month.after) == (date(2026, 12, 1), date(2027, 1, 1))
    assert month_of(date(1, 1, 1), date(2027, 1, 1)).name == "0001-01"
    for wrong in (date(2027, 1, 1), date(9999, 12, 1)):
        with pytest.raises(EvidenceMissing, match="is not over"):
            month_of(wrong, date(2027, 1, 31))
