"""What a reader gets to see, in full: an answer as cards, as FHIR and as text, word for word.

The documents are kept beside this file. A change of one is a change of what clinicians and their
record systems read, so somebody has to look at it: a test that fails has written the new document
into its temporary folder, and `KEEP_TEXTS=1` writes it here.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from contracts.errors import ForecastRefused
from contracts.scope import HeldBack, Scope
from contracts.verdict import Outcome
from features.sources.records.fhir_documents import Entry
from serving.forecast.audit_status import (
    Coverage,
    ServedModel,
    banner,
    group_coverage,
    limits,
    model_info,
)
from serving.forecast.respond import refused
from serving.formats.cds.cards import cards
from serving.formats.fhir.assessment import Basis, operation_outcome, risk_assessment
from serving.formats.fhir.evidence import Evidence, References
from serving.formats.plain_text import as_plain_text
from serving.schemas import Contribution, ForecastAnswer, HorizonForecast, Reasons, RestsOn

DOCUMENTS = Path(__file__).parent / "documents"
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
ID = "0123456789abcdef0123456789abcdee"

ASKED_WITH = [
    Entry(place="0", resource={"resourceType": "Patient", "id": "p", "name": [{"text": "Jane"}]}),
    Entry(place="1", resource={"resourceType": "Observation", "id": "score-1", "status": "final"}),
    Entry(
        place="2",
        resource={"resourceType": "Observation", "id": "score-2"},
        full_url="https://ehr.test/fhir/Observation/score-2/_history/3",
    ),
]


def basis(served: ServedModel) -> Basis:
    entries = {entry.record_id.removeprefix(f"{entry.base}/"): entry for entry in ASKED_WITH}
    references = References(evidence=Evidence(entries=entries), patient="p")
    used = ["Observation/score-1", "Observation/score-2"]
    return Basis(references=references, used=used, card="# Card", target=served.bundle.task.target)


def horizon(weeks: int, low: float, median: float, high: float, chance: float) -> HorizonForecast:
    return HorizonForecast(
        weeks=weeks,
        day_after_enrolment=7 * weeks,
        median=median,
        low_80=low,
        high_80=high,
        quantiles={"q50": median},
        milestones={"FM-UE 32 or more": chance, "gain of 6 or more": chance / 3},
        last_observation=22.4,
        proportional_recovery=52.6,
        calendar_date=date(2026, 2, 17) + timedelta(weeks=weeks),
    )


def overridden(served: ServedModel) -> ServedModel:
    """A model that a person has allowed for one use, with an audit of few people."""
    coverage = {
        ("sex", "female"): Coverage(value=0.813, low=0.701, high=0.904, people=41),
        ("age", "60 to 74"): Coverage(value=0.767, low=None, high=0.9, people=30),
        ("site", "A"): Coverage(value=None, low=None, high=None, people=4),
    }
    status = replace(
        served.audit_status,
        outcome=Outcome.INSUFFICIENT,
        approver="Dr A",
        reason="pilot",
        restricted_use="ward 3",
        valid_until=datetime(2027, 3, 4, 5, 6, tzinfo=UTC),
        coverage=coverage,
        not_shown=HeldBack(groups=Scope(attributes=(), share_inside=0.0)),
    )
    bundle = replace(served.bundle, digest="0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2)
    return replace(served, bundle=bundle, audit_status=status)


def forecast(served: ServedModel) -> ForecastAnswer:
    """An answer with all that one can hold."""
    groups = {"sex": "female", "age": "60 to 74", "site": "A", "device": "wrist"}
    contributions = [
        Contribution(modality="assessments", window="all days", points=6.25, observed=True),
        Contribution(modality="gait", window="days 0 to 6", points=-1.75, observed=True),
        Contribution(modality="sleep", window="all days", points=0.5, observed=False),
    ]
    return ForecastAnswer(
        status="forecast",
        subject="P-1",
        forecast_id=ID,
        instrument="Fugl-Meyer upper extremity",
        instrument_code="REHABCAST//FUGL_MEYER_UE",
        scale=(0.0, 66.0),
        origin_day=21,
        as_of=date(2026, 3, 10),
        last_score=22.4,
        last_score_day=19,
        last_score_date=date(2026, 3, 8),
        horizons=[horizon(6, 18.2, 29.6, 41.7, 0.42319), horizon(12, 24.5, 37.4, 50.5, 0.87654)],
        reasons=Reasons(
            output="score",
            unit="points",
            horizon_weeks=12,
            base=32.93,
            forecast=37.43,
            contributions=contributions,
            additivity_gap=0.0,
        ),
        rests_on=RestsOn(
            assessments=2,
            days_with_wearable=9,
            median_wear_hours=14.5,
            missing_modalities=["sleep", "speech"],
            missing_channels=[],
            ignored_codes=[],
        ),
        groups=group_coverage(served, groups),
        notes=["1 Observation without a value was left out"],
        model=model_info(served),
        banner=banner(served),
        limits=limits(served),
    )


def bare(served: ServedModel) -> ForecastAnswer:
    """An answer with no more than each has, on a scale of a few metres per second."""
    full = forecast(served)
    slow = [
        msgspec.structs.replace(horizon(w, 0.314, 0.627, 0.941, 0.5), calendar_date=None)
        for w in (6, 12)
    ]
    return msgspec.structs.replace(
        full, instrument="Gait speed", instrument_code="REHABCAST//WALK_TEST_SPEED", scale=(0.0, 3.0), horizons=slow, last_score=None,
        last_score_day=None, last_score_date=None, as_of=None,
        reasons=None, rests_on=None, groups=[], notes=[], banner="",
        model=msgspec.structs.replace(full.model, simulated=False, override=None),
    )  # fmt: skip


def refusal(served: ServedModel) -> ForecastAnswer:
    error = ForecastRefused("day 3: 67 is impossible", "check the entry")
    answer = refused("P-1", served, error, ["2 Observations of other people were left out"])
    return msgspec.structs.replace(answer, forecast_id=ID)


def text_of(answer: ForecastAnswer) -> str:
    console = Console(width=100, file=io.StringIO(), color_system=None, legacy_windows=False)
    console.print(as_plain_text(answer))
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def json_of(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def same_as_kept(documents: dict[str, str], folder: Path) -> None:
    written = DOCUMENTS if "KEEP_TEXTS" in os.environ else folder
    for name, text in documents.items():
        (written / name).write_text(text, "utf-8")
    for name, text in documents.items():
        assert text == (DOCUMENTS / name).read_text("utf-8"), folder / name


@pytest.mark.parametrize("make", [forecast, bare, refusal], ids=lambda make: make.__name__)
def test_cards_and_text_read_as_they_did(make: Any, served: ServedModel, tmp_path: Path) -> None:
    answer, name = make(overridden(served)), make.__name__
    shown = cards(answer, "https://rehabcast.test/about")
    same_as_kept({f"{name}.txt": text_of(answer), f"{name}-cards.json": json_of(shown)}, tmp_path)


@pytest.mark.parametrize("make", [forecast, bare], ids=lambda make: make.__name__)
def test_a_risk_assessment_reads_as_it_did(make: Any, served: ServedModel, tmp_path: Path) -> None:
    document = risk_assessment(make(overridden(served)), basis(served), NOW)
    same_as_kept({f"{make.__name__}-fhir.json": json_of(document)}, tmp_path)


def test_a_refusal_is_an_issue_that_says_what_to_do() -> None:
    assert operation_outcome(ForecastRefused("no score", "assess"), "business-rule") == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "business-rule",
                "details": {"text": "no score"},
                "diagnostics": "no score: assess",
            }
        ],
    }


@pytest.mark.parametrize("allowed_by_a_person", [False, True])
@pytest.mark.parametrize(
    ("reason", "advice"), [(3, 3), (70, 3), (71, 3), (72, 3), (3, 200), (200, 200), (36, 40)]
)
def test_a_refusals_card_is_short_and_says_each_thing_once(
    served: ServedModel, reason: int, advice: int, allowed_by_a_person: bool
) -> None:
    why, what = (" ".join([word] * n) for word, n in (("why", reason), ("do", advice)))
    model = overridden(served) if allowed_by_a_person else served
    answer = refused("P", model, ForecastRefused(why, what), ["a note on the record " * 20])
    (card,) = cards(msgspec.structs.replace(answer, forecast_id=ID), "https://here/about")["cards"]
    words = f"{card['summary']} {card['detail']}".split()
    assert len(words) < 80
    assert "why" not in card["summary"]
    shown = [words.count(word) + words.count(f"{word}…") for word in ("why", "do")]
    # What fits is said in full; of two long texts neither takes the other's half.
    assert all(n == given or n >= 29 for n, given in zip(shown, (reason, advice), strict=True))
    assert card["detail"].count("…") >= sum(
        n < g for n, g in zip(shown, (reason, advice), strict=True)
    )
    if allowed_by_a_person:
        assert "OVERRIDE until" in card["detail"]
