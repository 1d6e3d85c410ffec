"""What is said of other plans, and above all when nothing is."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import UNSET
from rich.console import Console

from contracts.doses import shipped_dose_response
from contracts.forecast import QUANTILE_LEVELS
from contracts.observation import Observation
from contracts.therapy import THERAPY
from features.sequences import present_modalities
from inference.bundle import embed, run_head
from inference.record import record_batch
from inference.twin.compare import points
from inference.twin.courses import WINDOWS, CoursesSeen
from inference.twin.plans import doses_of
from inference.twin.support import EDGES_H, DosesSeen, bin_of
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question, input_digest
from serving.forecast.respond import respond
from serving.forecast.whatif import twin
from serving.forecast.whatif.twin import twin_of
from serving.forecast.whatif.words import NONE_CERTAIN, PARTS_ALONE
from serving.formats.plain_text import as_plain_text
from serving.schemas import ForecastAnswer
from serving.whatif import (
    ASSOCIATIONAL,
    STANDING,
    LastWeeks,
    NextWeek,
    PlanAsked,
    PlanSearch,
    WhatIf,
)

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SCORE = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 30, "value": 30.0}
MINUTES = 30.0
THERAPIES = [{"code": THERAPY, "day_since_onset": day, "value": MINUTES} for day in range(15, 31)]


def plan(name: str, *parts: tuple[float, int | None], kind: str = "therapy") -> PlanAsked:
    said = [{"hours_a_week": {kind: hours}, "days": days} for hours, days in parts]
    return msgspec.convert({"name": name, "parts": said}, PlanAsked)


MORE, NONE = plan("more", (9.0, 28), (3.5, None)), plan("none", (0.0, None))


@pytest.fixture
def seen_all(treated: ServedModel) -> ServedModel:
    """The same model, that has seen hundreds of people alike with every dose."""
    return with_doses(treated, 100)


def with_doses(served: ServedModel, people: int, **bins: int) -> ServedModel:
    bundle = served.bundle
    assert bundle.doses is not None
    seen = bundle.calibration.seen
    count_DSKH = np.full((26, *seen.count_DSKH.shape[1:]), 1_000, np.int32)
    count_KDSE = np.full((1, 26, count_DSKH.shape[1], len(EDGES_H) + 2), people, np.int32)
    count_KDSE[..., -1] = 500
    for at, count in bins.items():
        count_KDSE[..., int(at.removeprefix("bin"))] = count
    doses = DosesSeen(count_KDSE=count_KDSE, first_place=0, codes_K=(THERAPY,))
    shape = (len(WINDOWS), *count_KDSE.shape[1:])
    courses = CoursesSeen(count_WDSE=np.broadcast_to(count_KDSE, shape), first_place=0)
    calibration = replace(
        bundle.calibration, seen=replace(seen, count_DSKH=count_DSKH, first_place=0)
    )
    easy = replace(bundle.reference, limit=0.0)
    return replace(
        served,
        bundle=replace(
            bundle, doses=doses, courses=courses, calibration=calibration, reference=easy
        ),
    )


def asked(
    served: ServedModel,
    *plans: PlanAsked,
    record: list[dict[str, Any]] | None = None,
    search: PlanSearch | None = None,
) -> ForecastAnswer:
    observations = msgspec.convert(record or [SCORE, *THERAPIES], list[Observation])
    question = Question(
        subject="P-1", enrolment_day=10, observations=observations, explain=False, plans=plans,
        search=search,
    )  # fmt: skip
    return respond(question, served, now=NOW)


def what_if(served: ServedModel, *plans: PlanAsked, **more: Any) -> WhatIf:
    answer = asked(served, *plans, **more)
    assert answer.status == "forecast", answer.reason
    assert isinstance(answer.what_if, WhatIf)
    return answer.what_if


def test_a_forecast_without_a_plan_is_what_it_was_to_the_byte(seen_all: ServedModel) -> None:
    answer = asked(seen_all)
    assert answer.what_if is UNSET
    assert b"what_if" not in msgspec.json.encode(answer)
    beside = asked(seen_all, MORE)
    assert msgspec.structs.replace(beside, what_if=UNSET) == answer


def test_therapy_as_now_is_the_forecast_bit_for_bit(seen_all: ServedModel) -> None:
    answer = asked(seen_all, plan("same", (3.5, 14), (3.5, None)), MORE)
    assert isinstance(answer.what_if, WhatIf)
    now, same, more = answer.what_if.plans
    forecast = [horizon.quantiles for horizon in answer.horizons]
    assert [horizon.quantiles for horizon in now.horizons] == forecast
    assert [horizon.quantiles for horizon in same.horizons] == forecast
    assert [horizon.milestones for horizon in same.horizons] == [
        horizon.milestones for horizon in answer.horizons
    ]
    assert {h.difference.mean for h in (*now.horizons, *same.horizons)} == {0.0}
    assert more.horizons[-1].quantiles != forecast[-1]


def test_more_is_better_and_none_is_worse_with_ranges_that_say_so(seen_all: ServedModel) -> None:
    answer = what_if(seen_all, MORE, NONE)
    assert answer.status == "answer"
    assert answer.hours_a_week_now == pytest.approx(3.5)
    _, more, none = answer.plans
    for horizon in more.horizons:
        found = horizon.difference
        assert 0 == found.low_90 == found.low_80 < found.mean < found.high_80 < found.high_90
        assert 0.4 < found.chance_better < 0.6
        assert found.chance_worse == 0
    for horizon in none.horizons:
        found = horizon.difference
        assert found.low_90 < found.low_80 < found.mean < found.high_80 == found.high_90 == 0
    (between,) = (each for each in answer.comparisons if each.other == "more")
    assert (between.plan, between.weeks) == ("none", 12)
    assert between.difference.mean < none.horizons[3].difference.mean
    assert between.difference.mean < between.by_pace < 0, "a slower pace is a part of the loss"
    assert between.e_value > between.e_value_limit == 1
    assert [each.strength for each in between.hidden] == [1.25, 1.5, 2.0, 3.0]
    assert answer.prior is not None
    assert 0 == answer.prior.low_80 <= answer.prior.median < answer.prior.high_80 < 5


def test_no_direction_is_claimed_that_trials_cannot_tell(seen_all: ServedModel) -> None:
    """More therapy is never worse by the form of the gain: that is no finding."""
    answer = what_if(seen_all, MORE, NONE)
    found = [each.difference for each in answer.comparisons]
    found += [horizon.difference for plan in answer.plans[1:] for horizon in plan.horizons]
    assert {each.direction for each in found} == {"not certain"}
    words = " ".join(answer.in_words)
    assert re.search(r"it is not certain that .more. and .as now. differ \(better (4|5)\d %", words)
    assert "is better than" not in words


def test_a_direction_that_is_certain_is_claimed(
    seen_all: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = shipped_dose_response(str(SCORE["code"]))
    assert response is not None
    sure = response.model_copy(update={"nothing_early": 0.0, "nothing_late": 0.0})
    monkeypatch.setattr(twin, "shipped_dose_response", lambda _: sure)
    answer = what_if(seen_all, MORE, NONE)
    assert [each.difference.direction for each in answer.comparisons] == [
        "better", "worse", "worse",
    ]  # fmt: skip
    assert "the level under 'more' is better than under 'as now'" in " ".join(answer.in_words)


def test_every_answer_says_of_what_kind_it_is(seen_all: ServedModel) -> None:
    refused = what_if(seen_all, plan("no end", (5.0, 7)))
    for answer in (what_if(seen_all, MORE), refused):
        assert answer.standing == list(STANDING)
    assert ASSOCIATIONAL in " ".join(what_if(seen_all, MORE).in_words)


def test_a_milestone_is_reached_sooner_and_more_surely_with_more(seen_all: ServedModel) -> None:
    _, more, none = what_if(seen_all, MORE, NONE).plans
    for sooner, later in zip(more.times, none.times, strict=True):
        assert sooner.share >= later.share
        if later.median is not None:
            assert sooner.median is not None
            assert sooner.median <= later.median


@pytest.mark.parametrize(
    ("counts", "supported"),
    [({"bin4": 30}, True), ({"bin4": 25}, False), ({"bin4": 20}, False)],
)
def test_a_dose_that_too_few_such_people_had_is_refused_and_others_are_listed(
    treated: ServedModel, counts: dict[str, int], supported: bool
) -> None:
    answer = what_if(with_doses(treated, 100, **counts), MORE, NONE)
    now, more, none = answer.plans
    assert (now.supported, more.supported, none.supported) == (True, supported, True)
    assert bool(more.horizons) is supported
    assert bool(more.times) is supported
    if not supported:
        assert "fewer than 30, or less than 5 %, had about 9 hours a week" in more.why_not
        assert more.why_not in " ".join(answer.in_words)
        assert (7.5, 10.0) not in {(d.low_hours, d.high_hours) for d in answer.doses_seen}
        assert "therapy from 2.5 to less than 5 hours a week" in " ".join(answer.in_words)


def test_a_course_that_nobody_had_is_refused_though_each_part_was_seen(
    seen_all: ServedModel,
) -> None:
    """Nine hours for four weeks is one bin of the four weeks that follow, and another of twelve."""
    courses = seen_all.bundle.courses
    assert courses is not None
    count_WDSE = courses.count_WDSE.copy()
    count_WDSE[1, ..., bin_of(5.3)] = 25
    few = replace(courses, count_WDSE=count_WDSE)
    model = replace(seen_all, bundle=replace(seen_all.bundle, courses=few))
    answer = what_if(model, MORE, NONE, plan("same", (3.5, 14), (3.5, None)))
    now, more, none, same = answer.plans
    assert (now.supported, more.supported, none.supported, same.supported) == (
        True, False, True, True,
    )  # fmt: skip
    assert "had about 5.33 hours a week of 'therapy' on average over the 12 weeks" in more.why_not
    assert more.why_not.count("people like this one") == 1
    said = " ".join(answer.in_words)
    assert "from 2.5 to less than 5 hours a week on average over 12 weeks" in said
    assert PARTS_ALONE not in said
    assert not {dose.low_hours for dose in answer.doses_seen if dose.over_days == 84} & {5.0}
    found = what_if(
        model, search=PlanSearch(most_hours_a_week=9.0, then_hours_a_week=0.0, most_weeks=8)
    ).found
    assert found
    assert not [each for each in found if 5 <= each.hours_a_week * each.weeks / 12 < 7.5]


def test_without_courses_parts_are_judged_alone_and_that_is_said(seen_all: ServedModel) -> None:
    earlier = replace(seen_all, bundle=replace(seen_all.bundle, courses=None))
    answer = what_if(earlier, MORE)
    assert answer.plans[1].supported
    assert PARTS_ALONE in answer.in_words


def test_a_share_below_one_in_twenty_is_refused_however_many_people(treated: ServedModel) -> None:
    model = with_doses(treated, 100, bin4=45, bin9=1_000)
    _, more = what_if(model, MORE).plans
    assert not more.supported


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("dose of now", "which is the therapy of the last two weeks"),
        ("no therapy on record", "the therapy of the last two weeks is not on record"),
        ("an earlier bundle", "made by an earlier version"),
        ("no end", "does not say what follows its last part"),
        ("unknown kind", "'massage' is no kind of therapy"),
        ("too many hours", "61 hours a week"),
        ("part of more than all", "5 hours a week of 'robot' are more than the 3 of all therapy"),
        ("two of a name", "two plans are called 'more'"),
        ("called as now", "two plans are called 'as now'"),
        ("only a way", "it does not say how much therapy there is in all"),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_reason_and_the_forecast_stands(
    seen_all: ServedModel, change: str, reason: str
) -> None:
    model, plans, record = seen_all, [MORE], None
    if change == "dose of now":
        model = with_doses(seen_all, 100, bin2=25)
    elif change == "no therapy on record":
        record = [SCORE]
    elif change == "an earlier bundle":
        model = replace(model, bundle=replace(model.bundle, curves=None, doses=None))
    else:
        plans = {
            "no end": [plan("no end", (5.0, 7))],
            "unknown kind": [plan("m", (5.0, None), kind="massage")],
            "too many hours": [plan("much", (61.0, None))],
            "part of more than all": [
                msgspec.convert(
                    {"name": "r", "parts": [{"hours_a_week": {"therapy": 3.0, "robot": 5.0}}]},
                    PlanAsked,
                )
            ],
            "two of a name": [MORE, MORE],
            "called as now": [plan("as now", (5.0, None))],
            "only a way": [plan("r", (5.0, None), kind="robot")],
        }[change]
    answer = asked(model, *plans, record=record)
    assert answer.status == "forecast"
    assert isinstance(answer.what_if, WhatIf)
    assert answer.what_if.status == "no answer"
    assert reason in answer.what_if.reason
    assert answer.what_if.what_to_do
    assert not answer.what_if.plans


def test_a_kind_that_the_model_does_not_read_is_not_supported(seen_all: ServedModel) -> None:
    both = msgspec.convert(
        {"name": "robot", "parts": [{"hours_a_week": {"therapy": 3.0, "robot": 2.0}}]}, PlanAsked
    )
    _, robot = what_if(seen_all, both).plans
    assert "does not read how much therapy is of the kind 'robot'" in robot.why_not


def test_plans_are_found_within_limits_and_none_beats_another(seen_all: ServedModel) -> None:
    search = PlanSearch(most_hours_a_week=9.0, then_hours_a_week=2.0, most_weeks=8)
    answer = what_if(seen_all, search=search)
    assert len(answer.found) > 3
    for less, more in zip(answer.found, answer.found[1:], strict=False):
        assert less.minutes_a_week < more.minutes_a_week
        assert less.difference.mean < more.difference.mean
    assert {plan.then_hours_a_week for plan in answer.found} == {2.0}
    assert max(plan.hours_a_week for plan in answer.found) <= 9
    assert max(plan.weeks for plan in answer.found) <= 8
    assert {plan.difference.direction for plan in answer.found} == {"not certain"}
    assert NONE_CERTAIN in answer.in_words
    assert NONE_CERTAIN not in what_if(seen_all, MORE).in_words
    beyond = PlanSearch(most_hours_a_week=2.0, then_hours_a_week=9.0)
    assert "more than the 2 of most_hours_a_week" in what_if(seen_all, search=beyond).reason
    few = with_doses(seen_all, 100, bin3=0, bin4=0)
    assert all(plan.hours_a_week < 5 for plan in what_if(few, search=search).found)


def test_who_asks_what_if_asks_another_question() -> None:
    question = Question(subject="P-1", enrolment_day=10, observations=[])
    assert input_digest(question) != input_digest(replace(question, plans=[MORE]))
    assert input_digest(replace(question, plans=[NONE])) != input_digest(
        replace(question, plans=[MORE])
    )


WELL: dict[str, Any] = {
    "adherence": [0.9, 0.9], "borg": [12.0], "pain_worst": 1.0, "pain_rise": 0.0,
    "pain_next_morning": False, "fatigue_worst": 2.0, "danger_signs": [],
}  # fmt: skip


def week(served: ServedModel, record: Any = None, **change: Any) -> NextWeek:
    observations = msgspec.convert(record or [SCORE, *THERAPIES], list[Observation])
    question = Question(
        subject="P-1", enrolment_day=10, observations=observations, explain=False,
        last_weeks=msgspec.convert(WELL | change, LastWeeks),
    )  # fmt: skip
    answer = respond(question, served, now=NOW).what_if
    assert isinstance(answer, WhatIf)
    assert isinstance(answer.next_week, NextWeek)
    return answer.next_week


def test_next_week_has_its_rule_its_source_and_whether_a_trial_used_it(
    seen_all: ServedModel,
) -> None:
    found = week(seen_all)
    assert (found.action, found.standing) == ("progress", "trial")
    assert found.hours_a_week == pytest.approx(1.1 * 3.5)
    assert "Milot 2019" in found.source
    assert found.source in " ".join(found.in_words)
    assert week(seen_all, pain_worst=6.0).standing == "convention"
    assert week(seen_all, danger_signs=["fall"]).hours_a_week is None
    unknown = week(seen_all, [SCORE], danger_signs=["fall"], adherence=None)
    assert unknown.action == "stop and call", "whatever else is not known"


def test_no_step_goes_where_too_few_such_people_were(seen_all: ServedModel) -> None:
    most = [each | {"value": 42.0} for each in THERAPIES]
    assert week(seen_all, [SCORE, *most]).action == "progress"
    held = week(with_doses(seen_all, 100, bin3=25), [SCORE, *most])
    assert (held.action, held.held_by_support) == ("hold", True)
    assert held.hours_a_week == held.hours_a_week_now == pytest.approx(4.9)
    earlier = replace(seen_all, bundle=replace(seen_all.bundle, doses=None))
    assert week(earlier).held_by_support


@pytest.mark.parametrize(
    ("change", "record", "reason"),
    [
        ({"adherence": None}, None, "adherence of both weeks"),
        ({"fatigue_worst": None}, None, "worst fatigue"),
        ({}, [SCORE], "the therapy of the last two weeks is not on record"),
    ],
)
def test_next_week_is_refused_where_evidence_is_short(
    seen_all: ServedModel, change: dict[str, Any], record: Any, reason: str
) -> None:
    found = week(seen_all, record, **change)
    assert found.status == "no advice"
    assert reason in found.reason
    assert found.what_to_do
    assert found.action == ""


def test_an_answer_is_printed_with_what_it_is_and_what_is_not_said(treated: ServedModel) -> None:
    model = with_doses(treated, 100, bin5=0)
    search = PlanSearch(most_hours_a_week=9.0, then_hours_a_week=2.0, most_weeks=4)
    much = plan("much", (12.0, None))
    text = io.StringIO()
    Console(file=text, width=150).print(as_plain_text(asked(model, MORE, much, search=search)))
    said = " ".join(text.getvalue().split())
    for words in (ASSOCIATIONAL, "from a prior of trials", "not said", "Nothing is said of 'much'",
                  "no other beats", "80 % range"):  # fmt: skip
        assert words in said


def test_the_draws_are_those_of_the_forecast(treated: ServedModel) -> None:
    """A course is the forecast, moved: were the draws of somebody else, nothing would show it."""
    bundle = treated.bundle
    observations = msgspec.convert([SCORE, *THERAPIES], list[Observation])
    for dose in (10.0, 50.0, 200.0):
        record = [
            msgspec.structs.replace(each, value=dose) if each.code == THERAPY else each
            for each in observations
        ]
        batch = record_batch(10, record, bundle.task, bundle.layout)
        present_BM = present_modalities(batch, bundle.manifest.modalities)
        raw_HQ = run_head(bundle, embed(bundle, batch), present_BM)[0]
        ahead = np.array(bundle.layout.horizon_days_H) - int(batch.origin_day_B[0])
        at = np.flatnonzero(ahead > 0)
        someone = twin_of(bundle, batch, ahead[at].astype(float))
        levels_NHI = someone.person.levels(doses_of([someone.now]))
        drawn_HI = points(someone.person.scores(levels_NHI)[0], bundle.task.target)
        drawn_HQ = np.quantile(drawn_HI, QUANTILE_LEVELS, axis=-1).T
        # 512 draws, and strata of curves that the network sums up by mean and variance.
        assert np.abs(drawn_HQ - raw_HQ[at])[:, 1:-1].max() < 2.5
        assert np.abs(drawn_HQ - raw_HQ[at]).mean() < 0.6
