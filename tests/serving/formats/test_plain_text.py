from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
from rich.console import Console

from contracts.errors import ForecastRefused
from contracts.observation import Observation
from contracts.verdict import Outcome
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import refused, respond
from serving.formats.formatting import formatted_change, formatted_score
from serving.formats.plain_text import as_plain_text, instruments_as_plain_text
from serving.instruments import EACH_BY_ITSELF, InstrumentsAnswer, NotInService
from serving.schemas import ForecastAnswer

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def printed(answer: ForecastAnswer, width: int = 80) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(as_plain_text(answer))
    return captured.get()


def answer_for(served: ServedModel, value: float) -> ForecastAnswer:
    score = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": value}
    observations = msgspec.convert([score], list[Observation])
    question = Question(subject="P-1", enrolment_day=10, observations=observations)
    return respond(question, served, now=NOW)


def test_each_horizon_shows_its_range_and_the_reasons_their_points(served: ServedModel) -> None:
    answer = answer_for(served, 20.0)
    text = printed(answer)
    for horizon in answer.horizons:
        assert f"{horizon.low_80:.0f} to {horizon.high_80:.0f}" in text
    assert "points from assessments" in text
    assert "SIMULATED" in text
    assert "no diagnosis" in text
    assert "OVERRIDE" not in text


def test_a_scale_of_a_few_points_is_shown_in_hundredths(served: ServedModel) -> None:
    answer = answer_for(served, 20.0)
    horizons = [
        msgspec.structs.replace(
            horizon,
            low_80=horizon.low_80 / 22,
            median=horizon.median / 22,
            high_80=horizon.high_80 / 22,
        )
        for horizon in answer.horizons
    ]
    speeds = msgspec.structs.replace(answer, scale=(0.0, 3.0), last_score=0.9, horizons=horizons)
    assert (formatted_score(answer, 0.454), formatted_change(answer, 0.454)) == ("0", "+0.5")
    assert (formatted_score(speeds, 0.454), formatted_change(speeds, 0.454)) == ("0.45", "+0.454")
    first = horizons[0]
    assert f"{first.low_80:.2f} to {first.high_80:.2f}" in printed(speeds, width=120)


def test_nothing_is_cut_in_a_narrow_terminal(served: ServedModel) -> None:
    assert "…" not in printed(answer_for(served, 20.0), width=80)


def test_an_override_is_shown_with_name_and_reason(served: ServedModel) -> None:
    audit_status = replace(
        served.audit_status, outcome=Outcome.INSUFFICIENT, approver="Dr A", reason="pilot ward only"
    )
    text = printed(answer_for(replace(served, audit_status=audit_status), 20.0), width=120)
    assert "OVERRIDE" in text
    assert "Dr A until 2100-01-01: pilot ward only" in text


def test_a_refusal_says_what_to_do_and_shows_no_number_of_a_forecast(served: ServedModel) -> None:
    text = printed(answer_for(served, 70.0))
    assert "No forecast" in text
    assert "What to do" in text
    assert "most likely" not in text


def test_of_several_models_each_answer_is_printed_and_who_was_not_asked(
    served: ServedModel,
) -> None:
    given, none = (
        answer_for(served, 20.0),
        refused("P-1", served, ForecastRefused("too old", "ask")),
    )
    together = InstrumentsAnswer(
        subject="P-1", answers=[given, none],
        not_in_service=[NotInService(model="walking", reason="not promoted", what_to_do="wait")],
        limits=[EACH_BY_ITSELF],
    )  # fmt: skip
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(instruments_as_plain_text(together))
    text = captured.get()
    assert printed(given).strip() in text
    assert printed(none).strip() in text
    assert "Not in service: walking: not promoted (wait)" in text
    assert "must not be multiplied" in text
