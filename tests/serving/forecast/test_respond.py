from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from contracts.observation import Observation
from contracts.scope import HeldBack, OutsideGroup, OutsidePair, Scope, ScopeAttribute
from contracts.sequences import SequenceBatch
from contracts.verdict import Outcome
from inference.out_of_distribution import distance_p_values
from serving.faults import Fault
from serving.forecast.audit_status import Coverage, ServedModel, group_coverage
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.cds.cards import cards
from serving.formats.plain_text import as_plain_text
from serving.schemas import ForecastAnswer

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SCORE = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
AGE = {"code": "REHABCAST//AGE", "value": 70.0}
STEPS = {"code": "LOINC//41950-7", "day_since_onset": 9, "value": 1200.0}


def question(*observations: dict[str, Any], **changes: Any) -> Question:
    record = {"subject": "P-1", "enrolment_day": 10, **changes}
    return Question(observations=msgspec.convert(list(observations), list[Observation]), **record)


def answer(served: ServedModel, *observations: dict[str, Any], **changes: Any) -> ForecastAnswer:
    return respond(question(*observations, **changes), served, now=NOW)


def without_limit(served: ServedModel) -> ServedModel:
    """The same model, for which nothing is out of distribution and nobody without people alike."""
    bundle = served.bundle
    reference = replace(bundle.reference, limit=0.0)
    count_DSKH = np.full((26, *bundle.calibration.seen.count_DSKH.shape[1:]), 1_000, np.int32)
    seen = replace(bundle.calibration.seen, count_DSKH=count_DSKH, first_place=0)
    calibration = replace(bundle.calibration, seen=seen)
    return replace(served, bundle=replace(bundle, reference=reference, calibration=calibration))


def test_one_score_is_enough_for_a_forecast_with_reasons(served: ServedModel) -> None:
    given_ = answer(served, SCORE)
    assert given_.status == "forecast"
    assert [horizon.weeks for horizon in given_.horizons] == [3, 5, 6, 12, 26, 52]
    assert given_.last_score == 20
    assert given_.reasons is not None
    assert given_.reasons.horizon_weeks == 12
    assert given_.reasons.additivity_gap <= 1e-4
    assert given_.rests_on is not None
    assert given_.rests_on.assessments == 1
    assert given_.rests_on.days_with_wearable == 0
    days = [{**STEPS, "day_since_onset": day} for day in (8, 9)]
    more = answer(without_limit(served), SCORE, AGE, *days)
    assert more.rests_on is not None
    assert (more.rests_on.assessments, more.rests_on.days_with_wearable) == (1, 2)
    assert {"gait", "wear", "person"} <= set(given_.rests_on.missing_modalities)
    assert given_.model.bundle_digest == served.bundle.digest
    assert any("not a medical device" in limit.lower() for limit in given_.limits)
    assert any("SIMULATED" in limit for limit in given_.limits)


@settings(max_examples=25, deadline=None)
@given(score=st.integers(0, 66), age=st.integers(18, 110), day=st.sampled_from([7, 10, 31]))
def test_every_number_has_its_range_and_reasons_add_up(
    served: ServedModel, score: int, age: int, day: int
) -> None:
    given_ = answer(
        without_limit(served),
        {**SCORE, "value": score, "day_since_onset": day},
        {**AGE, "value": age},
        {**STEPS, "day_since_onset": 10},
    )
    for horizon in given_.horizons:
        values = list(horizon.quantiles.values())
        assert values == sorted(values)
        assert 0 <= horizon.low_80 <= horizon.median <= horizon.high_80 <= 66
        assert all(0 <= chance <= 1 for chance in horizon.milestones.values())
    reasons = given_.reasons
    assert reasons is not None
    total = reasons.base + sum(contribution.points for contribution in reasons.contributions)
    assert total == pytest.approx(reasons.forecast, abs=1e-4)
    explained = next(h for h in given_.horizons if h.weeks == reasons.horizon_weeks)
    assert reasons.forecast == pytest.approx(explained.median)


def test_a_later_record_moves_the_origin_and_drops_the_past_horizons(served: ServedModel) -> None:
    later = answer(served, SCORE, {**SCORE, "day_since_onset": 31, "value": 30.0})
    assert later.origin_day == 21
    assert later.last_score == 30
    assert [horizon.weeks for horizon in later.horizons] == [5, 6, 12, 26, 52]
    assert not any("audit assessed" in limit for limit in later.limits)


@pytest.mark.parametrize(("day", "origin"), [(13, 3), (50, 40), (94, 84)])
def test_a_forecast_starts_on_any_day_and_says_which_the_audit_assessed(
    served: ServedModel, day: int, origin: int
) -> None:
    later = [{**SCORE, "day_since_onset": scored} for scored in (day - 16, day) if scored > 0]
    given_ = answer(without_limit(served), *later, {**STEPS, "day_since_onset": day})
    assert given_.origin_day == origin
    limit = f"on day 0, 21 after enrolment; this one was made on day {origin}."
    assert limit in given_.limits[0]


@pytest.mark.parametrize(
    ("observations", "reason", "what_to_do"),
    [
        ([STEPS, {**STEPS, "day_since_onset": 12}], "no Fugl-Meyer", "assess the patient"),
        ([{**SCORE, "value": 67.0}], "impossible", "check the entry"),
        ([{**SCORE, "value": None}], "no number, expected", "missing value"),
        ([{**SCORE, "code": "X//Y"}], "not in the vocabulary", "send a code of the vocabulary"),
        ([SCORE, SCORE], "already has one", "keep one"),
        ([SCORE, {"code": "REHABCAST//SEX", "label": "F"}], "female, male", "no row"),
        ([SCORE, {**AGE, "day_since_onset": 3}], "has a time", "leave the time empty"),
        ([{**SCORE, "day_since_onset": None}], "no time", "say when"),
    ],
)
def test_what_can_not_be_trusted_gives_no_forecast_and_what_to_do(
    served: ServedModel, observations: list[dict[str, Any]], reason: str, what_to_do: str
) -> None:
    refused = answer(served, *observations)
    assert refused.status == "no forecast"
    assert refused.horizons == []
    assert refused.reasons is None
    sentence = f"{refused.reason}: {refused.what_to_do}"
    assert reason in sentence
    assert what_to_do in sentence


def test_a_withdrawn_model_gives_no_forecast_and_says_why(served: ServedModel) -> None:
    refused = respond(question(SCORE), served, now=NOW, withdrawn=Fault("wrong units", "roll back"))
    assert refused.status == "no forecast"
    assert "withdrawn (wrong units)" in refused.reason
    assert "roll back" not in refused.reason
    assert refused.horizons == []


def test_an_expired_audit_gives_no_forecast(served: ServedModel) -> None:
    audit_status = replace(served.audit_status, valid_until=NOW)
    refused = answer(replace(served, audit_status=audit_status), SCORE)
    assert refused.status == "no forecast"
    assert "expired" in refused.reason


def test_a_horizon_that_is_not_ahead_can_not_be_explained(served: ServedModel) -> None:
    refused = answer(served, SCORE, weeks=7)
    assert "week 7 is not a horizon ahead" in refused.reason
    assert answer(served, SCORE, weeks=26).reasons.horizon_weeks == 26  # type: ignore[union-attr]


def test_an_override_stands_on_the_answer(served: ServedModel) -> None:
    audit_status = replace(
        served.audit_status, outcome=Outcome.INSUFFICIENT, approver="Dr A", reason="pilot ward only"
    )
    model = answer(replace(served, audit_status=audit_status), SCORE).model
    assert model.override is not None
    assert (model.override.approver, model.override.reason) == ("Dr A", "pilot ward only")
    assert model.audit_outcome == "insufficient evidence"


def test_codes_that_the_model_was_not_trained_on_are_named(served: ServedModel) -> None:
    sleep = {"code": "REHABCAST//SLEEP", "day_since_onset": 9, "value": 8.0}
    given_ = answer(served, SCORE, sleep)
    assert given_.rests_on is not None
    assert given_.rests_on.ignored_codes == ["REHABCAST//SLEEP"]


def test_the_same_request_gets_the_same_answer(served: ServedModel) -> None:
    first, again = (msgspec.json.encode(answer(served, SCORE, AGE, STEPS)) for _ in range(2))
    assert first == again
    assert np.isfinite(answer(served, SCORE).horizons[0].median)


def test_a_record_in_an_impossible_combination_is_out_of_distribution(served: ServedModel) -> None:
    """Each value is plausible alone; nobody in training walked 50,000 steps with a score of 2."""
    steps = [{**STEPS, "day_since_onset": day, "value": 50_000.0} for day in range(1, 11)]
    refused = answer(served, {**SCORE, "value": 2.0}, *steps)
    assert refused.status == "no forecast"
    assert "unlike those that the model was trained on" in refused.reason
    assert "steps" in refused.reason
    assert "check the device, its side and the unit" in refused.what_to_do


def test_few_people_of_the_training_cohort_are_out_of_distribution(
    served: ServedModel, batch: SequenceBatch
) -> None:
    p_value_B, _ = distance_p_values(served.bundle.reference, batch)
    assert (p_value_B < served.bundle.reference.limit).mean() <= 0.01


def audited(served: ServedModel, *groups: tuple[str, str]) -> ServedModel:
    coverage = Coverage(value=0.81, low=0.7, high=0.9, people=40)
    return replace(
        served, audit_status=replace(served.audit_status, coverage=dict.fromkeys(groups, coverage))
    )


def test_a_group_that_the_audit_never_saw_gets_no_forecast(served: ServedModel) -> None:
    known = audited(
        served, ("hospital", "A"), ("hospital", "B"), ("wear band", "90% and over"), ("sex", "male")
    )
    site = {"code": "REHABCAST//SITE", "label": "A"}
    assert answer(known, SCORE, site).status == "forecast"
    assert answer(known, SCORE).status == "forecast"
    refused = answer(known, SCORE, {**site, "label": "Z"})
    assert refused.status == "no forecast"
    assert "nobody in the audit" in refused.reason
    assert "ask for an audit" in refused.what_to_do


def test_the_coverage_of_a_subjects_own_groups_is_given(served: ServedModel) -> None:
    known = audited(served, ("hospital", "A"))
    groups = {
        group.attribute: group
        for group in answer(known, SCORE, {"code": "REHABCAST//SITE", "label": "A"}).groups
    }
    assert groups["hospital"].coverage == 0.81
    assert "held in 81% (95 % interval 70% to 90%)" in groups["hospital"].statement
    assert groups["sex"].coverage is None
    assert "too few people" in groups["sex"].statement


def test_a_milestone_can_be_explained_instead_of_the_score(served: ServedModel) -> None:
    given_ = answer(served, SCORE, AGE, output="FM-UE 50 or more", weeks=26)
    assert given_.reasons is not None
    assert given_.reasons.unit == "chance"
    horizon = next(horizon for horizon in given_.horizons if horizon.weeks == 26)
    points = (contribution.points for contribution in given_.reasons.contributions)
    total = given_.reasons.base + sum(points)
    assert total == pytest.approx(horizon.milestones["FM-UE 50 or more"], abs=1e-4)
    refused = answer(served, SCORE, output="flying")
    assert "that output is not forecast" in refused.reason


def test_forecast_alone_has_no_reasons_and_the_same_numbers(served: ServedModel) -> None:
    alone, explained = answer(served, SCORE, explain=False), answer(served, SCORE)
    assert alone.reasons is None
    assert alone.horizons == explained.horizons


def test_the_comparator_stands_beside_each_horizon(served: ServedModel) -> None:
    assert {horizon.last_observation for horizon in answer(served, SCORE).horizons} == {20.0}


def test_a_recovery_rule_stands_beside_the_instrument_alone_that_it_was_published_of(
    served: ServedModel, served_walking: ServedModel
) -> None:
    arm = answer(served, SCORE).horizons
    assert {horizon.proportional_recovery for horizon in arm} == {20 + 0.7 * (66 - 20)}
    speed = {**SCORE, "code": served_walking.bundle.task.target.code, "value": 0.6}
    walking = answer(served_walking, speed).horizons
    assert walking
    assert {horizon.proportional_recovery for horizon in walking} == {None}


def scoped(served: ServedModel, *inside: str, pairs: tuple[OutsidePair, ...] = ()) -> ServedModel:
    """The same model, passed for some hospitals and both sexes, whoever they are."""
    anyone = ("female", "male", "not recorded")
    hospitals = ScopeAttribute(
        attribute="hospital",
        inside=inside,
        outside=(OutsideGroup(label="C", rules=("no group forecast less accurately",)),),
    )
    scope = Scope(
        attributes=(hospitals, ScopeAttribute(attribute="sex", inside=anyone)),
        pairs=pairs,
        share_inside=0.9,
    )
    return replace(served, audit_status=replace(served.audit_status, scope=scope))


def site(label: str) -> dict[str, Any]:
    return {"code": "REHABCAST//SITE", "label": label}


def test_those_inside_the_scope_get_a_forecast_and_the_answer_says_for_whom(
    served: ServedModel,
) -> None:
    given_ = answer(scoped(served, "A", "B"), SCORE, site("A"))
    assert given_.status == "forecast"
    assert given_.model.scope is not None
    assert given_.model.scope.outside == {"hospital": ["C"]}
    assert given_.model.scope.inside["hospital"] == ["A", "B"]
    assert not given_.model.scope.everyone


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ((SCORE, site("C")), "(hospital: C) that it keeps “no group forecast less accurately”"),
        ((SCORE, site("D")), "nobody in the audit belonged to this subject's group (hospital: D)"),
        ((SCORE,), "nobody in the audit belonged to this subject's group (hospital: not recorded)"),
    ],
)
def test_those_outside_get_no_forecast_and_hear_which_group_and_rule(
    served: ServedModel, record: tuple[dict[str, Any], ...], reason: str
) -> None:
    given_ = answer(scoped(served, "A", "B"), *record)
    assert given_.status == "no forecast"
    assert reason in given_.reason
    assert not given_.horizons
    assert "of more people like this one or of a model that is better for them" in given_.what_to_do
    assert given_.model.scope is not None


def test_a_pair_outside_gets_no_forecast_although_each_of_its_groups_does(
    served: ServedModel,
) -> None:
    pair = OutsidePair(
        attributes=("hospital", "sex"), labels=("A", "female"), rules=("no pair in doubt",)
    )
    known = scoped(served, "A", "B", pairs=(pair,))
    sex = {"code": "REHABCAST//SEX", "label": "female"}
    assert answer(known, SCORE, site("B"), sex).status == "forecast"
    assert answer(known, SCORE, site("A")).status == "forecast"
    refused = answer(known, SCORE, site("A"), sex)
    assert refused.status == "no forecast"
    assert "hospital: A and sex: female" in refused.reason


def test_a_scale_on_which_less_is_better_says_so(served: ServedModel) -> None:
    assert answer(served, SCORE).instrument == "Fugl-Meyer upper extremity"
    task = served.bundle.task
    target = task.target.model_copy(update={"better": "lower"})
    changed = replace(served.bundle, task=task.model_copy(update={"target": target}))
    withdrawn = respond(
        question(SCORE), replace(served, bundle=changed), now=NOW, withdrawn=Fault("x", "y")
    )
    assert withdrawn.instrument == "Fugl-Meyer upper extremity, lower is better"


def test_a_group_of_too_few_people_has_no_number(served: ServedModel) -> None:
    few = Coverage(value=None, low=None, high=None, people=4)
    status = replace(served.audit_status, coverage={("sex", "female"): few})
    shown = group_coverage(replace(served, audit_status=status), {"sex": "female", "site": "A"})
    assert [(g.attribute, g.group, g.coverage, g.low, g.high, g.people) for g in shown] == [
        ("sex", "female", None, None, None, 4), ("site", "A", None, None, None, None),
    ]  # fmt: skip
    enough = replace(few, value=0.8, low=0.7, high=0.9, people=40)
    status = replace(status, coverage={("sex", "female"): enough})
    (group,) = group_coverage(replace(served, audit_status=status), {"sex": "female"})
    assert (group.coverage, group.low, group.high, group.people) == (0.8, 0.7, 0.9, 40)


def test_a_forecast_starts_from_the_newest_score_of_the_day_asked_about(
    served: ServedModel,
) -> None:
    """22, 40 and 45 points on days 10, 50 and 200: none is passed over without a word."""
    scores = [
        {**SCORE, "day_since_onset": day, "value": value}
        for day, value in ((10, 22.0), (50, 40.0), (200, 45.0))
    ]
    free, onset = without_limit(served), date(2026, 1, 5)
    late = answer(free, *scores)
    assert late.status == "no forecast"
    assert "day 190" in late.reason
    assert "up to day 84" in late.reason
    then = answer(free, *scores, as_of_day=54, onset=onset)
    assert (then.origin_day, then.last_score, then.last_score_day) == (44, 40.0, 40)
    assert (then.as_of, then.last_score_date) == (date(2026, 2, 28), date(2026, 2, 24))
    assert [h.calendar_date for h in then.horizons] == [
        onset + timedelta(days=10 + h.day_after_enrolment) for h in then.horizons
    ]
    assert all(h.calendar_date is not None and h.calendar_date > date(2026, 2, 28)
               for h in then.horizons)  # fmt: skip
    assert "1 value is of a later day than 2026-02-28" in then.notes[0]
    old = answer(free, *scores[:2], as_of_day=93, onset=onset)
    assert old.status == "no forecast"
    assert "43 days old" in old.reason
    assert old.what_to_do == "assess the patient again"


def test_where_a_score_may_be_missing_an_old_one_is_not_passed_over_without_a_word(
    served: ServedModel,
) -> None:
    free = without_limit(served)
    target = free.bundle.task.target.model_copy(update={"assumed": 3.0})
    task = free.bundle.task.model_copy(update={"target": target})
    free = replace(free, bundle=replace(free.bundle, task=task))
    nobody_knows = answer(free, {**STEPS, "day_since_onset": 12}, as_of_day=12)
    assert (nobody_knows.status, nobody_knows.last_score) == ("forecast", None)
    assert nobody_knows.notes == []
    old = answer(free, {**SCORE, "day_since_onset": 12}, as_of_day=60)
    assert old.last_score is None
    assert "48 days old" in old.notes[0]
    assert "starts from 3" in old.notes[0]
    assert answer(free, {**SCORE, "day_since_onset": 12}, as_of_day=13).notes == []


def test_a_wear_band_that_the_audit_never_saw_refuses_nobody(served: ServedModel) -> None:
    known = audited(served, ("wear band", "no wearable"), ("sex", "male"))
    worn = [{"code": "REHABCAST//WEAR_TIME", "day_since_onset": d, "value": 15.0} for d in (8, 9)]
    therapy = {"code": "REHABCAST//THERAPY", "day_since_onset": 9, "value": 45.0}
    given_ = answer(without_limit(known), SCORE, *worn, therapy)
    assert given_.status == "forecast", given_.reason
    (wear,) = (group for group in given_.groups if group.attribute == "wear band")
    assert wear.coverage is None


@pytest.mark.parametrize("sex", ["female", "male"])
def test_whoever_the_audit_would_have_held_back_is_told_so_under_an_override(
    served: ServedModel, sex: str
) -> None:
    """In JSON, text and on the card, which a patient of another group's are without."""
    outside = (OutsideGroup(label="female", rules=("honest intervals in every group",)),)
    attribute = ScopeAttribute(attribute="sex", inside=("male",), outside=outside)
    on_course = (OutsideGroup(label="one score only", rules=("ranges hold on every course",)),)
    course = ScopeAttribute(attribute="pattern:course", inside=("improved",), outside=on_course)
    status = replace(
        served.audit_status, outcome=Outcome.REVIEW, approver="Dr A", reason="pilot " * 40,
        restricted_use="ward 3",
        not_shown=HeldBack(
            everyone=("ethnicity is recorded",),
            groups=Scope(attributes=(attribute, course), share_inside=0.5),
        ),
    )  # fmt: skip
    model = replace(without_limit(served), audit_status=status)
    given_ = answer(model, SCORE, AGE, {"code": "REHABCAST//SEX", "label": sex})
    given_ = msgspec.structs.replace(given_, forecast_id="ab" * 16)
    assert given_.status == "forecast"
    is_told = sex == "female"
    assert given_.held_back == ["sex: female"] * is_told + ["course: one score only"]
    assert "not shown for anyone that it keeps “ethnicity is recorded”" in given_.banner
    shown = io.StringIO()
    Console(width=2_000, file=shown).print(as_plain_text(given_))
    team = cards(given_, "")["cards"][0]["detail"]
    told = "audit has not shown for this subject's group (sex: female)"
    of_course = "audit has not shown for this subject's group (course: one score only)"
    assert of_course in given_.banner
    for text in (given_.banner, shown.getvalue()):
        assert (told in text) == is_told
        assert "OVERRIDE" in text
    assert ("NOT shown right for sex: female" in team) == is_told
    assert "OVERRIDE" in team


def test_a_pattern_of_which_the_audit_leaves_open_how_ranges_hold_is_told_to_those_who_show_it(
    served: ServedModel,
) -> None:
    asked = {
        label: answer(
            without_limit(
                replace(
                    served,
                    audit_status=replace(
                        served.audit_status, in_doubt=frozenset({("pattern:course", label)})
                    ),
                )
            ),
            SCORE,
        )
        for label in ("one score only", "became worse")
    }
    told = "leaves open how often the 80 % range holds for such people (course: one score only)"
    assert [told in each for each in asked["one score only"].limits].count(True) == 1
    assert not any("leaves open" in each for each in asked["became worse"].limits)


@pytest.mark.parametrize("pairs", [5, 6, 34])
def test_of_many_groups_without_a_forecast_an_answer_gives_the_number(
    served: ServedModel, pairs: int
) -> None:
    """Of a trial in 34 countries each answer named them all."""
    outside = tuple(
        OutsidePair(attributes=("hospital", "sex"), labels=(f"H{n}", "male"), rules=("a rule",))
        for n in range(pairs)
    )
    given_ = answer(scoped(served, "A", pairs=outside), SCORE, site("C"))
    assert "(hospital: C)" in given_.reason
    shown = io.StringIO()
    Console(width=2_000, file=shown).print(as_plain_text(given_))
    is_named = "hospital: H4 with sex: male" in shown.getvalue()
    number = f"{pairs + 1} groups get no forecast; the page /about lists them."
    assert (is_named, number in shown.getvalue()) == (
        (True, False) if pairs == 5 else (False, True)
    )
