"""An external cohort and the questions of a ward count in the verdict, as findings of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from audits.judging.further.external import ExternalTable, FurtherEvidence
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from contracts.predictions import ASKED, FOLD, MODEL, ORIGIN, REFUSAL, REFUSED, SUBJECT
from contracts.verdict import ExternalValidation, Finding, Outcome, Verdict
from tests.audits.judging.test_patterns import COURSE, with_courses, with_rule

TableOf = Callable[..., pd.DataFrame]
ELSEWHERE = ExternalValidation(
    predictions_digest="e", bundle_digest="b", cohort_name="elsewhere", data_digest="x",
    simulated=True, made_at="2026-11-01T00:00:00+00:00", made_by="mia", people=0, overlap=0, new=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def policy(quick_policy: Policy) -> Policy:
    """The rules that bind, and that on refusals, here binding too."""
    rules = [
        rule.model_copy(update={"binding": True}) if rule.metric == "refusal rate" else rule
        for rule in quick_policy.rules
    ]
    kept = tuple(rule for rule in rules if rule.binding)
    return quick_policy.model_copy(update={"rules": kept})


@pytest.fixture(scope="module")
def own(table_of: TableOf) -> pd.DataFrame:
    """A fair model's forecasts of its own cohort: it passes."""
    return table_of(500, horizons=(84,)).assign(**{REFUSED: False})


def external(forecasts: pd.DataFrame, questions: pd.DataFrame | None = None) -> FurtherEvidence:
    people = forecasts[SUBJECT].nunique()
    return FurtherEvidence(
        external=ExternalTable(
            validation=ELSEWHERE.model_copy(update={"people": people}),
            forecasts=forecasts.drop(columns=FOLD),
            questions=forecasts.iloc[:0] if questions is None else questions,
        )
    )


def questions_of(
    table: pd.DataFrame, refused: Callable[[pd.DataFrame], pd.Series[bool]]
) -> pd.DataFrame:
    asked = table.drop_duplicates(SUBJECT).assign(**{MODEL: ASKED, ORIGIN: 80})
    is_refused = refused(asked)
    return asked.assign(**{REFUSED: is_refused, REFUSAL: is_refused.map({True: "x", False: ""})})


def of(verdict: Verdict, evidence: str) -> list[Finding]:
    return [f for f in verdict.findings if f.evidence == evidence]


def test_a_fair_model_passes_with_what_a_second_cohort_shows_and_is_bound_to_it(
    table_of: TableOf, own: pd.DataFrame, policy: Policy, inputs: AuditInputs
) -> None:
    alone = judge(own, policy, inputs)
    both = judge(own, policy, inputs, external(table_of(400, seed=5, horizons=(84,))))
    assert alone.outcome is both.outcome is Outcome.PASS
    assert alone.external is None
    assert both.external is not None
    assert (both.external.cohort_name, both.external.people) == ("elsewhere", 400)
    found = of(both, "external")
    assert {f.axis for f in found} == {"everyone", "sex"}
    assert {f.rule for f in found if f.outcome is Outcome.PASS and f.binding} >= {
        "honest intervals", "no group forecast less accurately",
        "better than the published recovery rule",
    }  # fmt: skip
    assert all(f.reason.startswith("External cohort: ") for f in found)
    assert Verdict.model_validate_json(both.model_dump_json()) == both


def test_harm_that_shows_elsewhere_only_blocks(
    table_of: TableOf, own: pd.DataFrame, policy: Policy, inputs: AuditInputs
) -> None:
    harmed = table_of(400, seed=5, horizons=(84,), extra_error={("sex", "female"): 12.0})
    verdict = judge(own, policy, inputs, external(harmed))
    assert verdict.outcome is Outcome.BLOCKED
    blocked = {(f.metric, f.group) for f in of(verdict, "external") if f.outcome is Outcome.BLOCKED}
    assert ("signed error", "female") in blocked
    assert not any(f.outcome is Outcome.BLOCKED for f in of(verdict, "internal"))


def test_a_group_in_doubt_elsewhere_is_out_of_scope(
    table_of: TableOf, policy: Policy, inputs: AuditInputs
) -> None:
    groups = {"hospital": ("a", "b", "c")}
    here = table_of(600, horizons=(84,), groups=groups).assign(**{REFUSED: False})
    elsewhere = table_of(
        60, seed=2, horizons=(84,), groups=groups, extra_error={("hospital", "a"): 5.0}
    )
    verdict = judge(here, policy, inputs, external(elsewhere))
    doubtful = {f.group for f in of(verdict, "external")
                if f.binding and f.axis == "hospital" and f.outcome is Outcome.REVIEW}  # fmt: skip
    assert doubtful == {"a"}
    assert verdict.outcome is Outcome.REVIEW


@pytest.mark.parametrize("people", [3, 9, 25])
def test_few_people_elsewhere_hold_nothing_back_and_say_so(
    table_of: TableOf, own: pd.DataFrame, policy: Policy, inputs: AuditInputs, people: int
) -> None:
    """Without them nothing would have been shown either: nobody is punished for looking."""
    verdict = judge(own, policy, inputs, external(table_of(people, seed=7, horizons=(84,))))
    found = of(verdict, "external")
    assert any(f.outcome is Outcome.INSUFFICIENT for f in found)
    assert not any(f.binding for f in found if f.outcome is Outcome.INSUFFICIENT)
    assert verdict.outcome in {Outcome.PASS, Outcome.REVIEW}
    if verdict.outcome is Outcome.REVIEW:
        assert any(f.outcome is Outcome.REVIEW for f in found)


def test_a_cohort_of_nobody_new_shows_nothing(
    own: pd.DataFrame, policy: Policy, inputs: AuditInputs
) -> None:
    verdict = judge(own, policy, inputs, external(own.iloc[:0]))
    assert verdict.outcome is Outcome.PASS
    found = of(verdict, "external")
    assert found
    assert not any(f.binding and f.outcome is not Outcome.PASS for f in found)


def test_refusals_are_judged_on_the_questions_that_are_asked(
    own: pd.DataFrame, policy: Policy, inputs: AuditInputs
) -> None:
    """At the landmarks one in a hundred is refused; today, half of the women."""
    at_landmarks = own.assign(**{REFUSED: own[SUBJECT] % 100 == 0})
    today = questions_of(
        own, lambda asked: (asked["group:sex"] == "female") & (asked[SUBJECT] % 2 == 0)
    )
    before = judge(at_landmarks, policy, inputs)
    assert not any(f.metric == "refusal rate" and f.outcome is not Outcome.PASS
                   for f in before.findings)  # fmt: skip
    verdict = judge(at_landmarks, policy, inputs, FurtherEvidence(questions=today))
    found = [f for f in verdict.findings if f.metric == "refusal rate"]
    assert {f.evidence for f in found} == {"questions"}
    women = next(f for f in found if f.group == "female")
    assert women.outcome is Outcome.BLOCKED
    assert women.subjects == (today["group:sex"] == "female").sum()
    assert verdict.outcome is Outcome.BLOCKED


def test_refusals_bind_only_where_the_policy_says(
    own: pd.DataFrame, policy: Policy, inputs: AuditInputs
) -> None:
    reported = policy.model_copy(update={"rules": tuple(
        rule.model_copy(update={"binding": rule.metric != "refusal rate"}) for rule in policy.rules
    )})  # fmt: skip
    today = questions_of(own, lambda asked: asked["group:sex"] == "female")
    verdict = judge(own, reported, inputs, FurtherEvidence(questions=today))
    assert verdict.outcome is Outcome.PASS
    assert any(f.outcome is Outcome.BLOCKED for f in of(verdict, "questions"))


def test_people_without_an_outcome_count_among_those_asked(
    own: pd.DataFrame, policy: Policy, inputs: AuditInputs
) -> None:
    today = questions_of(own, lambda asked: asked[SUBJECT] < 0)
    more = today.assign(**{SUBJECT: today[SUBJECT] + 10_000, REFUSED: True, REFUSAL: "x"})
    asked = pd.concat([today, more[more["group:sex"] == "male"]], ignore_index=True)
    verdict = judge(own, policy, inputs, replace(FurtherEvidence(), questions=asked))
    men = next(f for f in of(verdict, "questions") if f.group == "male")
    assert men.subjects == (asked["group:sex"] == "male").sum()
    assert men.outcome is Outcome.BLOCKED


@pytest.mark.parametrize(("shift", "expected"), [(0.0, Outcome.PASS), (6.0, Outcome.BLOCKED)])
def test_a_pattern_on_which_ranges_fail_elsewhere_blocks_here(
    table_of: TableOf, own: pd.DataFrame, policy: Policy, inputs: AuditInputs,
    shift: float, expected: Outcome,
) -> None:  # fmt: skip
    """Patterns of an external cohort were not judged at all, and nothing said so."""
    coverage = [rule for rule in policy.rules if rule.metric == "coverage of the 80 % interval"]
    asked = with_rule(policy.model_copy(update={"rules": tuple(coverage)}), binding=True)
    elsewhere = with_courses(table_of(1_000, seed=5, horizons=(84,)), 60, shift)
    verdict = judge(with_courses(own, 250), asked, inputs, external(elsewhere))
    found = {f.group: f.outcome for f in of(verdict, "external") if f.axis == COURSE}
    assert set(found) == {"became worse", "about as before"}
    assert (found["became worse"] is Outcome.BLOCKED) == (expected is Outcome.BLOCKED)
    assert (verdict.outcome is Outcome.BLOCKED) == (expected is Outcome.BLOCKED)
