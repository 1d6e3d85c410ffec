"""Who stands behind a forecast: on a served model, of patients whom its training does not hold."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from contracts.observation import Observation
from inference.similar import PeopleSeen, rounded_down
from serving.forecast.audit_status import ServedModel
from serving.forecast.behind import chance_in_words
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.cds.cards import cards
from serving.formats.fhir.assessment import risk_assessment
from serving.formats.plain_text import as_plain_text
from serving.schemas import ForecastAnswer, HorizonForecast
from tests.refusals import same_as_kept
from tests.serving.formats.test_documents import basis

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SCORE = "REHABCAST//FUGL_MEYER_UE"


def asked(served: ServedModel, *scores: tuple[int, float], enrolled: int = 10) -> ForecastAnswer:
    """Ask of days since onset and scores."""
    record = [Observation(code=SCORE, day_since_onset=day, value=value) for day, value in scores]
    question = Question(subject="P", enrolment_day=enrolled, observations=record, explain=False)
    return respond(question, served, now=NOW)


def with_people(served: ServedModel, **changes: object) -> ServedModel:
    """The same model, which has seen other people."""
    bundle = served.bundle
    reference = replace(bundle.reference, limit=0.0)
    seen = replace(bundle.calibration.seen, **changes)  # type: ignore[arg-type]
    calibration = replace(bundle.calibration, seen=seen)
    return replace(served, bundle=replace(bundle, calibration=calibration, reference=reference))


def everywhere(served: ServedModel, people: int) -> ServedModel:
    """The same model, which has seen so many people like anybody."""
    shape = served.bundle.calibration.seen.count_DSKH.shape
    return with_people(
        served, count_DSKH=np.full((26, *shape[1:]), people, np.int32), first_place=0
    )


def width(horizon: HorizonForecast) -> float:
    return horizon.high_80 - horizon.low_80


@pytest.mark.parametrize(("outcomes", "number"), [(0, "0 people"), (1, "fewer than 11 people")])
def test_a_horizon_without_people_is_refused_for_everybody_and_the_others_are_served(
    served: ServedModel, outcomes: int, number: str
) -> None:
    usual: PeopleSeen = served.bundle.calibration.seen
    lacking = with_people(
        served, outcomes_H=np.where(np.arange(6) == 5, outcomes, usual.outcomes_H)
    )
    for model in (served, lacking):
        answer = asked(model, (10, 20))
        weeks = [horizon.weeks for horizon in answer.horizons]
        sentence = f"No forecast for week 52: {number} of the training data have an outcome there"
        told = any(each.startswith(sentence) for each in answer.in_words)
        assert (52 in weeks) != told
        assert told == (model is lacking)
        assert {3, 12, 26} <= set(weeks)


def test_how_many_stand_behind_a_forecast_is_told(served: ServedModel) -> None:
    for people, words in ((5, "fewer than 11"), (11, "11 or more"), (40, "40 or more")):
        answer = asked(everywhere(served, people), (10, 20))
        number = None if people < 11 else people
        assert answer.similar_people == number
        assert answer.similar_people_in_words == words
        assert {horizon.similar_people for horizon in answer.horizons} == {number}
        assert {horizon.similar_people_in_words for horizon in answer.horizons} == {words}
        assert f"{words} people" in answer.in_words[0]
        assert ("the range is wider" in answer.in_words[0]) == (people < 20)
    nobody = asked(everywhere(served, 0), (10, 20))
    assert nobody.status == "no forecast"
    assert (nobody.similar_people, nobody.similar_people_in_words) == (None, "")


COUNTED = re.compile(
    r"\b([1-9]|10)\b(?: to \d+)?(?: or more)? (?:similar people|training people|people like)"
)


@settings(max_examples=25)
@given(
    people=st.integers(5, 30),
    score=st.integers(0, 66),
    day=st.integers(2, 60),
    outcomes=st.integers(1, 30),
)
def test_no_answer_and_nothing_made_of_it_counts_fewer_than_eleven_people(
    served: ServedModel, people: int, score: int, day: int, outcomes: int
) -> None:
    """JSON, text, CDS Hooks and FHIR; a refusal says how many are needed, which is no count."""
    counts = np.array([people])
    seen = served.bundle.calibration.seen
    some_H = np.where(np.arange(len(seen.outcomes_H)) == 4, outcomes, seen.outcomes_H)
    model = everywhere(served, int(rounded_down(counts)[0]))
    model = with_people(model, outcomes_H=np.where((some_H > 0) & (some_H < 11), 1, some_H))
    answer = replace_id(asked(model, (day, score), enrolled=day))
    told = json.loads(msgspec.json.encode(answer))
    for row in [told, *told["horizons"]]:
        assert row["similar_people"] is None or row["similar_people"] >= 11
    text = io.StringIO()
    Console(width=500, file=text).print(as_plain_text(answer))
    forms = [
        json.dumps(told),
        text.getvalue(),
        json.dumps(cards(answer, "")),
        json.dumps(answer.in_words),
    ]
    if answer.status == "forecast":
        forms.append(json.dumps(risk_assessment(answer, basis(served), NOW)))
    for form in forms:
        assert COUNTED.search(form) is None, COUNTED.search(form)


def replace_id(answer: ForecastAnswer) -> ForecastAnswer:
    return msgspec.structs.replace(answer, forecast_id="ab" * 16)


def test_what_is_rare_is_refused_with_its_reason_and_what_is_needed(served: ServedModel) -> None:
    for scores in (
        [(10, 60.0), (20, 45.0), (31, 20.0)],
        [(10, 1.0), (20, 64.0)],
        [(10, 66.0)],
    ):
        answer = asked(served, *scores)
        assert answer.status == "no forecast"
        same_as_kept([answer.reason, answer.what_to_do, *answer.notes])
    late = asked(served, (3_000, 30.0), enrolled=3_000)
    same_as_kept([late.reason, late.what_to_do])


def test_a_gain_within_the_error_of_measurement_is_a_limit_of_use(served: ServedModel) -> None:
    (said,) = [limit for limit in asked(served, (10, 40.0)).limits if "milestone" in limit]
    assert "“important gain”, a gain of 4.25 points, is less than the 6.82 points" in said


@pytest.mark.parametrize(("lost", "is_noise"), [(5, True), (6, True), (7, False), (12, False)])
def test_a_loss_within_the_error_of_measurement_is_not_said_to_be_more(
    served: ServedModel, lost: int, is_noise: bool
) -> None:
    (note,) = [n for n in asked(served, (10, 40.0), (20, 40.0 - lost)).notes if "worse" in n]
    assert ("more than a score errs by" in note) != is_noise
    assert ("partly noise: score again" in note) == is_noise
    assert ("6.82 points" in note) == is_noise


@settings(max_examples=25)
@given(
    first=st.integers(12, 66),
    lost=st.integers(5, 60),
    days=st.lists(st.integers(1, 30), min_size=1, max_size=3, unique=True),
    people=st.sampled_from([None, 5, 15, 60]),
)
def test_whoever_becomes_worse_is_never_surer_than_at_a_steady_score(
    served: ServedModel, first: int, lost: int, days: list[int], people: int | None
) -> None:
    """Nor is a gain nearly sure that was not so then; that they became worse is always told."""
    last = max(first - lost, 0)
    if first - last < 5:
        return
    model = served if people is None else everywhere(served, people)
    steps = [0, *sorted(days)]
    scores = np.round(np.linspace(first, last, len(steps))).tolist()
    worse = asked(model, *((10 + day, score) for day, score in zip(steps, scores, strict=True)))
    steady = asked(model, *((10 + day, last) for day in steps))
    assert any("became worse" in note for note in worse.notes)
    assert not any("became worse" in note for note in steady.notes)
    if worse.status == "no forecast":
        return
    of_steady = {horizon.weeks: horizon for horizon in steady.horizons}
    for horizon in worse.horizons:
        other = of_steady[horizon.weeks]
        assert width(horizon) >= width(other) - 1e-6
        assert horizon.low_80 <= other.low_80 + 1e-6
        gain = horizon.milestones["important gain"]
        assert gain <= max(other.milestones["important gain"], 0.85) + 0.05


@settings(max_examples=25)
@given(score=st.integers(0, 66), day=st.integers(2, 200), people=st.integers(5, 200))
def test_fewer_people_alike_never_make_a_forecast_surer(
    served: ServedModel, score: int, day: int, people: int
) -> None:
    few, many = (
        asked(everywhere(served, number), (day, score), enrolled=day)
        for number in (people, people + 10)
    )
    for horizon, other in zip(few.horizons, many.horizons, strict=True):
        assert width(horizon) >= width(other) - 1e-6
        assert horizon.median == pytest.approx(other.median)
        assert 0 <= horizon.low_80 <= horizon.median <= horizon.high_80 <= 66


@settings(max_examples=20)
@given(score=st.integers(0, 66))
def test_a_milestone_reached_today_is_reached_and_nothing_less(
    served: ServedModel, score: int
) -> None:
    answer = asked(everywhere(served, 60), (10, score))
    reached = score >= 50
    assert ("FM-UE 50 or more" in answer.milestones_reached) == reached
    for horizon in answer.horizons:
        assert (horizon.milestones["FM-UE 50 or more"] == 1) == reached
        if score > 61:
            assert horizon.milestones["important gain"] == 0
    assert ("FM-UE 50 or more: reached already." in answer.in_words) == reached


def test_a_chance_is_said_as_people() -> None:
    assert chance_in_words(0.7) == "7 of 10 (70 %)"
    assert chance_in_words(0.97) == "more than 9 of 10 (97 %)"
    assert chance_in_words(0.03) == "fewer than 1 of 10 (3 %)"


@pytest.mark.parametrize("chance", [0.996, 1 - 1e-9, 1.0])
def test_no_chance_is_said_as_sure(chance: float) -> None:
    assert chance_in_words(chance) == "more than 9 of 10 (over 99 %)"
    assert chance_in_words(1 - chance) == "fewer than 1 of 10 (under 1 %)"


def test_the_numbers_are_in_what_the_api_says(served: ServedModel) -> None:
    told = msgspec.json.decode(msgspec.json.encode(asked(everywhere(served, 15), (10, 55))))
    assert (told["similar_people"], told["similar_people_in_words"]) == (15, "15 or more")
    assert told["milestones_reached"] == ["FM-UE 50 or more"]
    assert told["horizons"][0]["similar_people"] == 15
