from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from audits.measure.disparity import Scope
from audits.measure.looks import confidence_at
from contracts.scope import OutsideGroup, ScopeAttribute
from contracts.scope import Scope as Served
from contracts.verdict import GRAVITY, Finding, Outcome, Verdict

TableOf = Callable[..., pd.DataFrame]
HOSPITALS = ("a", "b", "c", "d", "e", "f")

few = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def binding(verdict: Verdict) -> list[Finding]:
    return [finding for finding in verdict.findings if finding.binding]


def test_600_people_without_a_planted_disparity_pass(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    ages = ("below 55", "55 to 75", "75 or more")
    table = table_of(600, groups={"sex": ("female", "male"), "age band": ages})
    verdict = judge(table, quick_policy, inputs)
    assert verdict.outcome is Outcome.PASS
    assert {finding.axis for finding in verdict.findings} == {
        "everyone",
        "sex",
        "age band",
        "sex & age band",
    }


def test_ten_points_of_error_for_one_hospital_of_a_hundred_fail(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(600, groups={"hospital": HOSPITALS}, extra_error={("hospital", "a"): 10.0})
    verdict = judge(table, quick_policy, inputs)
    assert verdict.outcome is Outcome.BLOCKED
    failed = {(f.metric, f.group) for f in binding(verdict) if f.outcome is Outcome.BLOCKED}
    assert {("mean absolute error", "a"), ("signed error", "a")} <= failed
    assert not any(f.outcome is Outcome.BLOCKED and f.group == "b" for f in verdict.findings)


def test_people_forecast_too_low_are_found_by_the_recovery_that_is_overlooked(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(400, extra_error={("sex", "female"): -9.0})
    (found,) = (
        f
        for f in judge(table, quick_policy, inputs).findings
        if f.metric == "false-negative rate: important gain" and f.group == "female"
    )
    assert found.outcome is Outcome.BLOCKED
    assert found.events is not None
    assert 100 < found.events < found.subjects


def test_a_disparity_inside_two_fair_looking_averages_shows_in_the_pair_and_does_not_bind(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(400, groups={"sex": ("f", "m"), "age": ("old", "young")})
    is_odd = (table["group:sex"] == "f") ^ (table["group:age"] == "old")
    shifted = table["model"].eq("candidate") & is_odd
    quantiles = [name for name in table.columns if name.startswith("q")]
    table.loc[shifted, quantiles] += 9.0
    verdict = judge(table, quick_policy, inputs)
    error = [f for f in verdict.findings if f.metric == "signed error"]
    assert all(f.outcome is not Outcome.BLOCKED for f in error if f.binding)
    assert any(f.outcome is Outcome.BLOCKED for f in error if not f.binding)


def test_a_verdict_names_what_it_is_bound_to(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    verdict = judge(table_of(60), quick_policy, inputs)
    assert verdict.policy_digest == quick_policy.digest
    assert verdict.model_version == inputs.model_version
    assert verdict.bundle_digest == inputs.bundle_digest
    assert verdict.simulated
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_the_same_evidence_gets_the_same_verdict_in_any_order_of_rows(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(80)
    mixed = table.sample(frac=1, random_state=3)
    one, other = (judge(rows, quick_policy, inputs) for rows in (table, mixed))
    assert [(f.rule, f.group, f.outcome) for f in one.findings] == [
        (f.rule, f.group, f.outcome) for f in other.findings
    ]
    for first, second in zip(one.findings, other.findings, strict=True):
        assert first.high == pytest.approx(second.high)


@few
@given(
    people=st.integers(10, 90),
    groups=st.integers(1, 4),
    spread=st.floats(0, 12),
    seed=st.integers(0, 1000),
)
def test_a_pass_means_that_every_binding_group_had_enough_people(
    table_of: TableOf,
    quick_policy: Policy,
    inputs: AuditInputs,
    people: int,
    groups: int,
    spread: float,
    seed: int,
) -> None:
    table = table_of(
        people,
        seed=seed,
        horizons=(84,),
        groups={"hospital": HOSPITALS[:groups]},
        extra_error={("hospital", "a"): spread},
    )
    verdict = judge(table, quick_policy, inputs)
    rules = {rule.name: rule for rule in quick_policy.rules}
    if verdict.outcome is Outcome.PASS:
        judged = [found for found in binding(verdict) if found.rule in rules]
        assert any(rules[f.rule].scope is Scope.AXES for f in judged)
        for found in judged:
            assert found.subjects >= rules[found.rule].minimum_subjects
            assert found.high is not None
            assert np.isfinite(found.high)
    elif groups == 1:
        assert verdict.outcome is not Outcome.PASS


@few
@given(planted=st.floats(-6, 10), people=st.integers(60, 160), seed=st.integers(0, 1000))
def test_one_more_bad_group_never_softens_the_verdict(
    table_of: TableOf,
    quick_policy: Policy,
    inputs: AuditInputs,
    planted: float,
    people: int,
    seed: int,
) -> None:
    before = table_of(
        people,
        seed=seed,
        horizons=(84,),
        groups={"hospital": ("a", "b")},
        extra_error={("hospital", "a"): planted},
    )
    more = table_of(
        60,
        seed=seed + 1,
        horizons=(84,),
        groups={"hospital": ("c",)},
        extra_error={("hospital", "c"): 25.0},
    )
    after = pd.concat([before, more.assign(subject_id=more["subject_id"] + 10_000)])
    one, other = (judge(table, quick_policy, inputs).outcome for table in (before, after))
    assert GRAVITY[other] >= GRAVITY[one]


def test_a_small_group_is_insufficient_evidence_and_never_dropped(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(300)
    table["group:sex"] = table["group:sex"].mask(table["subject_id"] < 5, "not recorded")
    verdict = judge(table, quick_policy, inputs)
    assert verdict.outcome is Outcome.WITHIN_SCOPE
    held = [f for f in binding(verdict) if f.outcome is not Outcome.PASS]
    assert held
    assert {(f.group, f.subjects) for f in held} == {("not recorded", 5)}
    assert verdict.scope is not None
    assert not verdict.scope.outside({"sex": "female"})
    assert verdict.scope.outside({"sex": "not recorded"})


def test_an_attribute_that_is_the_same_for_everyone_is_one_finding_that_does_not_bind(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    groups = {"sex": ("female", "male"), "wear band": ("no wearable",)}
    verdict = judge(table_of(300, groups=groups), quick_policy, inputs)
    (wear,) = (f for f in verdict.findings if "wear band" in f.axis)
    assert (wear.outcome, wear.binding) == (Outcome.INSUFFICIENT, False)
    assert "nothing to compare" in wear.reason
    assert verdict.outcome is Outcome.PASS


def test_a_cohort_in_which_no_attribute_varies_cannot_pass(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    groups = {"sex": ("not recorded",), "wear band": ("no wearable",)}
    verdict = judge(table_of(300, groups=groups), quick_policy, inputs)
    assert verdict.outcome is Outcome.INSUFFICIENT
    assert any("no attribute varies" in f.reason for f in binding(verdict))


@pytest.mark.parametrize("lost", ["all", "one"])
def test_missing_comparator_rows_are_insufficient_evidence_and_bind(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs, lost: str
) -> None:
    table = table_of(300)
    comparator = np.flatnonzero(table["model"] == "last observation")
    table = table.drop(index=comparator if lost == "all" else comparator[:1])
    verdict = judge(table, quick_policy, inputs)
    (found,) = (f for f in verdict.findings if f.rule == "no worse than the last observation")
    assert (found.outcome, found.binding) == (Outcome.INSUFFICIENT, True)
    # How many is not said: of one person it would be one.
    assert "not every forecast has a counterpart" in found.reason
    assert verdict.outcome is Outcome.INSUFFICIENT


def test_comparators_are_paired_by_forecast_and_not_by_place(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(60)
    mixed = pd.concat(
        [
            rows.sample(frac=1, random_state=k)
            for k, (_, rows) in enumerate(table.groupby("model", sort=False))
        ]
    )
    both = (judge(rows, quick_policy, inputs).findings for rows in (table, mixed))
    for one, other in zip(*both, strict=True):
        if "comparator" not in one.statistic or one.value is None:
            continue
        assert one.value == pytest.approx(other.value)
        assert one.low == pytest.approx(other.low)


def test_a_model_worse_than_the_last_observation_fails(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    extra = {("sex", "female"): 14.0, ("sex", "male"): 14.0}
    verdict = judge(table_of(200, extra_error=extra), quick_policy, inputs)
    (found,) = (f for f in verdict.findings if f.rule == "no worse than the last observation")
    assert found.outcome is Outcome.BLOCKED


def test_without_forecasts_of_the_candidate_there_is_no_pass(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(60)
    verdict = judge(table[table["model"] != "candidate"], quick_policy, inputs)
    assert verdict.outcome is Outcome.INSUFFICIENT
    scored = [f for f in verdict.findings if not f.rule.startswith("check")]
    assert all(f.outcome is Outcome.INSUFFICIENT for f in scored)


def test_without_milestones_their_rule_is_not_passed(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(300).drop(columns=["chance:important gain", "reached:important gain"])
    verdict = judge(table, quick_policy, inputs)
    assert verdict.outcome is Outcome.INSUFFICIENT
    held = [f for f in binding(verdict) if f.outcome is not Outcome.PASS]
    assert {f.rule for f in held} == {"no group's recovery overlooked"}


def test_a_broken_table_is_blocked_before_anything_is_scored(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(60)
    verdict = judge(pd.concat([table, table[:1]]), quick_policy, inputs)
    (only,) = verdict.findings
    assert (verdict.outcome, only.outcome) == (Outcome.BLOCKED, Outcome.BLOCKED)
    assert "1 row(s) repeat an earlier one" in only.reason


def test_a_leak_blocks_whatever_the_rules_say_and_is_told_first(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(600)
    seen = table["model"] == "candidate"
    quantiles = [name for name in table.columns if name[0] == "q"]
    shift = (table["truth"] - table["q50"]).where(seen, 0)
    table[quantiles] = table[quantiles].add(shift, axis=0)
    verdict = judge(table, quick_policy, inputs)
    assert verdict.outcome is Outcome.BLOCKED
    assert verdict.findings[4].outcome is Outcome.BLOCKED
    assert "100% of the medians are the outcome itself" in verdict.findings[4].reason
    rest = [f.outcome for f in binding(verdict) if not f.rule.startswith("check")]
    assert Outcome.BLOCKED not in rest


def with_champion(table: pd.DataFrame, *, better_for: str, points: float) -> pd.DataFrame:
    """Add a champion like the candidate, but with smaller errors for one group."""
    champion = table[table["model"] == "candidate"].assign(model="champion")
    quantiles = [name for name in table.columns if name[0] == "q"]
    error = (champion["q50"] - champion["truth"]).where(champion["group:sex"] == better_for, 0)
    nearer = np.sign(error) * np.minimum(error.abs(), points)
    champion[quantiles] = champion[quantiles].sub(nearer, axis=0)
    return pd.concat([table, champion], ignore_index=True)


@pytest.mark.parametrize(("points", "outcome"), [(0.0, "pass"), (10.0, "blocked")])
def test_a_candidate_worse_than_the_champion_for_one_group_does_not_pass(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs, points: float, outcome: str
) -> None:
    table = with_champion(table_of(600), better_for="female", points=points)
    verdict = judge(table, quick_policy, replace(inputs, champion="arm/2"))
    outcomes = {f.group: f.outcome for f in verdict.findings if "champion" in f.rule}
    assert outcomes == {"female": outcome, "male": "pass"}
    assert verdict.outcome == outcome


def test_a_champion_without_forecasts_to_compare_with_is_insufficient_evidence(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    verdict = judge(table_of(600), quick_policy, replace(inputs, champion="arm/2"))
    (found,) = (f for f in verdict.findings if "champion" in f.rule)
    assert (found.outcome, found.binding) == (Outcome.INSUFFICIENT, True)
    assert verdict.outcome is Outcome.INSUFFICIENT


def test_a_gap_at_one_horizon_is_found_there(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(600, horizons=(21, 42, 84, 182, 364))
    quantiles = [name for name in table.columns if name[0] == "q"]
    affected = (
        (table["model"] == "candidate")
        & (table["group:sex"] == "female")
        & (table["horizon_day"] == 364)
    )
    table.loc[affected, quantiles] += 12.0
    verdict = judge(table, quick_policy, inputs)
    rule = "no group forecast less accurately at any horizon"
    outcomes = {(f.group, f.horizon_day): f.outcome for f in verdict.findings if f.rule == rule}
    assert len(outcomes) == 10
    assert {key for key, o in outcomes.items() if o is Outcome.BLOCKED} == {("female", 364)}


def test_a_refused_group_is_judged_by_how_often_it_is_refused(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(600)
    refused = (table["group:sex"] == "female") & (table["subject_id"] % 2 == 0)
    blank = [c for c in table.columns if c.startswith("chance:") or c[0] == "q"]
    table = table.assign(refused=refused, **{c: table[c].mask(refused) for c in blank})
    verdict = judge(table, quick_policy, inputs)
    refusals = {f.group: f for f in verdict.findings if f.metric == "refusal rate"}
    assert refusals["female"].outcome is Outcome.BLOCKED
    assert refusals["female"].value == pytest.approx(0.5, abs=0.1)
    assert refusals["male"].outcome is Outcome.PASS
    error = {f.group: f for f in verdict.findings if f.rule == "no group forecast less accurately"}
    assert error["female"].subjects < refusals["female"].subjects


def test_what_either_model_refused_counts_for_neither_where_they_are_compared(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    """Half of the comparator's errors vanish, and the candidate refuses just those people."""
    table = table_of(300)
    easy = (table["model"] == "last observation") & (table["subject_id"] % 2 == 0)
    table.loc[easy, "q50"] = table.loc[easy, "truth"]
    quantiles = [c for c in table.columns if c[0] == "q"]
    table[quantiles] = np.sort(table[quantiles].to_numpy(), axis=1)
    refused = (table["model"] == "candidate") & (table["subject_id"] % 2 == 0)
    findings = {}
    for name, these in (("all", table), ("refusing", table.assign(refused=refused))):
        (findings[name],) = (
            f
            for f in judge(these, quick_policy, inputs).findings
            if f.rule == "no worse than the last observation"
        )
    assert findings["all"].value is not None
    assert findings["refusing"].value is not None
    assert findings["refusing"].subjects == 150
    assert findings["refusing"].value < findings["all"].value - 0.5


def test_a_later_look_turns_passes_into_doubt_and_nothing_into_less_than_it_was(
    table_of: Callable[..., pd.DataFrame], quick_policy: Policy, inputs: AuditInputs
) -> None:
    for table in (table_of(120), table_of(120, extra_error={("sex", "female"): 12.0})):
        first = judge(table, quick_policy, inputs)
        later = judge(table, quick_policy, replace(inputs, earlier=((None,),) * 9))
        assert (first.look, later.look) == (1, 10)
        assert later.policy_digest == first.policy_digest
        for before, after in zip(first.findings, later.findings, strict=True):
            assert GRAVITY[after.outcome] >= GRAVITY[before.outcome]
            if before.outcome is not Outcome.PASS:
                assert after == before
    assert any(
        f.low is not None and g.low is not None and g.low < f.low
        for f, g in zip(first.findings, later.findings, strict=True)
    )


def test_only_a_group_that_earlier_versions_were_not_shown_to_serve_needs_more_certainty(
    table_of: Callable[..., pd.DataFrame], quick_policy: Policy, inputs: AuditInputs
) -> None:
    """A version after one that passed is not barred: it is judged as the first one was."""
    women_only = Served(
        attributes=(
            ScopeAttribute(
                attribute="sex", inside=("female",), outside=(OutsideGroup(label="male", rules=()),)
            ),
        ),
        share_inside=0.5,
    )
    table = table_of(120)
    first = judge(table, quick_policy, inputs)
    later = judge(table, quick_policy, replace(inputs, earlier=((women_only,), (women_only,))))
    width = {
        verdict.look: {
            f.group: f.high - f.low
            for f in verdict.findings
            if f.rule == "no group forecast less accurately" and f.low is not None and f.high
        }
        for verdict in (first, later)
    }
    assert width[3]["female"] == width[1]["female"]
    assert width[3]["male"] > 1.3 * width[1]["male"]
    said = {
        f.group: f.confidence
        for f in later.findings
        if f.rule == "no group forecast less accurately"
    }
    assert said["female"] is None
    assert said["male"] == pytest.approx(confidence_at(3, 0.95))
    assert '"confidence"' not in first.model_dump_json()
    assert Verdict.model_validate_json(later.model_dump_json()) == later
