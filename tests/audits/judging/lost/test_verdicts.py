"""Whoever vanishes never helps: verdicts with outcomes lost, traced, or of people who died."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits.judging.further.external import FurtherEvidence
from audits.judging.judge import AuditInputs, judge
from audits.judging.lost.facts import lost_outcomes
from audits.judging.lost.findings import RULE, RULE_OF_ALL
from audits.judging.policy import Policy, load_policy
from contracts.verdict import Finding, Outcome, Verdict

TableOf = Callable[..., pd.DataFrame]
FollowUpOf = Callable[..., pd.DataFrame]
LIMIT = 4.25
few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@pytest.fixture(scope="module")
def policy(quick_policy: Policy) -> Policy:
    """The binding rules, and what may be lost."""
    rules = tuple(rule for rule in quick_policy.rules if rule.binding)
    return quick_policy.model_copy(update={"rules": rules, "lost": load_policy().lost})


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its comparison with MetricFrame takes seconds, and has tests of its own.
    monkeypatch.setattr("audits.judging.judge.check_against_metric_frame", lambda *_: 0.0)


def without_the_worst(
    table: pd.DataFrame, label: str, share: float, *, axis: str = "sex"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take those people of a group away who are promised too much by most."""
    candidate = table[table["model"] == "candidate"]
    mine = candidate[candidate[f"group:{axis}"] == label]
    error = (mine["q50"] - mine["truth"]).groupby(mine["subject_id"]).mean()
    worst = error.nlargest(round(share * len(error))).index
    is_gone = table["subject_id"].isin(worst)
    return table[~is_gone].reset_index(drop=True), table[is_gone].reset_index(drop=True)


def verdict_of(
    table: pd.DataFrame, policy: Policy, inputs: AuditInputs, follow_up: pd.DataFrame | None
) -> Verdict:
    return judge(table, policy, inputs, FurtherEvidence(follow_up=follow_up))


def served(verdict: Verdict, label: str, axis: str = "sex") -> bool:
    return verdict.scope is not None and not verdict.scope.outside({axis: label})


def on_losses(verdict: Verdict) -> list[Finding]:
    return [f for f in verdict.findings if f.rule in {RULE, RULE_OF_ALL}]


def test_a_complete_follow_up_changes_nothing(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(600, horizons=(84,))
    before = judge(table, policy.model_copy(update={"lost": None}), inputs)
    after = verdict_of(table, policy, inputs, follow_up_of(table))
    assert before.outcome is after.outcome is Outcome.PASS
    assert {f.group for f in on_losses(after)} == {"everyone", "female", "male"}
    assert all(f.binding and f.outcome is Outcome.PASS for f in on_losses(after))
    rest = [f for f in after.findings if f.rule not in {RULE, RULE_OF_ALL}]
    assert rest == list(before.findings)


@pytest.mark.parametrize("fault", ["none", "column", "repeated", "not forecast", "chance"])
def test_without_a_sound_follow_up_table_nobody_passes_where_the_policy_asks(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs, fault: str
) -> None:
    table = table_of(600, horizons=(84,))
    rows = follow_up_of(table)
    faulty = {
        "none": None,
        "column": rows.drop(columns="status"),
        "repeated": pd.concat([rows, rows[:1]], ignore_index=True),
        "not forecast": rows.assign(status=["lost", *(["observed"] * (len(rows) - 1))]),
        "chance": rows.assign(status=["traced", *(["observed"] * (len(rows) - 1))]),
    }[fault]
    verdict = verdict_of(table, policy, inputs, faulty)
    assert verdict.outcome is Outcome.INSUFFICIENT
    (found,) = on_losses(verdict)
    assert (found.outcome, found.binding) == (Outcome.INSUFFICIENT, True)


@pytest.mark.parametrize("seed", range(4))
def test_losing_the_worst_outcomes_of_the_harmed_turned_a_block_into_a_pass_and_no_longer_does(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs, seed: int
) -> None:
    groups = {"sex": ("female", "male"), "hospital": ("a", "b", "c", "d", "e")}
    table = table_of(600, seed=seed, groups=groups, horizons=(84,),
                     extra_error={("hospital", "a"): 6.5})  # fmt: skip
    kept, gone = without_the_worst(table, "a", 0.7, axis="hospital")
    blind = policy.model_copy(update={"lost": None})
    assert judge(table, blind, inputs).outcome is Outcome.BLOCKED
    assert judge(kept, blind, inputs).outcome.is_pass
    verdict = verdict_of(kept, policy, inputs, follow_up_of(kept, gone))
    (lost,) = (f for f in on_losses(verdict) if f.group == "a")
    assert lost.outcome is Outcome.REVIEW
    assert not served(verdict, "a", "hospital")


@few
@given(
    shift=st.floats(3.0, 9.0), share=st.floats(0.0, 0.9), seed=st.integers(0, 500),
    people=st.integers(150, 700),
)  # fmt: skip
def test_removing_outcomes_of_a_harmed_group_never_turns_a_block_into_a_pass(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs,
    shift: float, share: float, seed: int, people: int,
) -> None:  # fmt: skip
    groups = {"hospital": ("a", "b", "c")}
    table = table_of(people, seed=seed, groups=groups, horizons=(84,),
                     extra_error={("hospital", "a"): shift})  # fmt: skip
    before = verdict_of(table, policy, inputs, follow_up_of(table))
    kept, gone = without_the_worst(table, "a", share, axis="hospital")
    after = verdict_of(kept, policy, inputs, follow_up_of(kept, gone))
    if before.outcome is Outcome.BLOCKED:
        assert not served(after, "a", "hospital")
    if before.outcome is not Outcome.PASS:
        assert after.outcome is not Outcome.PASS


@few
@given(shift=st.floats(4.0, 9.0), share=st.floats(0.0, 0.9), seed=st.integers(0, 500))
def test_missed_visits_of_a_harmed_group_never_turn_a_block_into_a_pass(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs,
    shift: float, share: float, seed: int,
) -> None:  # fmt: skip
    """People miss the earlier of two visits, those with the largest errors of all."""
    table = table_of(400, seed=seed, groups={"hospital": ("a", "b", "c")},
                     extra_error={("hospital", "a"): shift})  # fmt: skip
    before = verdict_of(table, policy, inputs, follow_up_of(table))
    early = table["horizon_day"] == 42
    _, gone = without_the_worst(table[early], "a", share, axis="hospital")
    is_gone = early & table["subject_id"].isin(gone["subject_id"])
    kept = table[~is_gone].reset_index(drop=True)
    after = verdict_of(kept, policy, inputs, follow_up_of(kept, gone, "missed"))
    assert {f.outcome for f in on_losses(after)} == {Outcome.PASS}
    if before.outcome is Outcome.BLOCKED:
        assert not served(after, "a", "hospital")


def test_a_group_whose_every_outcome_was_lost_is_outside_and_others_are_served(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(600, horizons=(84,))
    table["group:sex"] = table["group:sex"].mask(table["subject_id"] < 15, "other")
    kept, gone = without_the_worst(table, "other", 1.0)
    assert "other" not in set(kept["group:sex"])
    verdict = verdict_of(kept, policy, inputs, follow_up_of(kept, gone))
    assert verdict.outcome is Outcome.WITHIN_SCOPE
    assert served(verdict, "female")
    assert verdict.scope is not None
    (why,) = verdict.scope.outside({"sex": "other"})
    assert why.rules == (RULE,)


def test_death_is_no_lost_outcome_and_withdrawal_is(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(600, horizons=(84,))
    kept, gone = without_the_worst(table, "female", 0.35)
    found = {
        status: verdict_of(kept, policy, inputs, follow_up_of(kept, gone, status))
        for status in ("died", "withdrew", "lost")
    }
    assert found["died"].outcome is Outcome.PASS
    assert not served(found["withdrew"], "female")
    assert on_losses(found["withdrew"]) == on_losses(found["lost"])


def traced(kept: pd.DataFrame, gone: pd.DataFrame, follow_up: pd.DataFrame, share: float,
           seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Draw a share of the lost, and get their outcomes."""
    lost = follow_up.loc[follow_up["status"] == "lost", "subject_id"].unique()
    rng = np.random.default_rng(seed)
    drawn = set(lost[rng.random(len(lost)) < share].tolist())
    back = gone[gone["subject_id"].isin(drawn)]
    is_drawn = follow_up["subject_id"].isin(drawn)
    followed = follow_up.assign(
        status=follow_up["status"].mask(is_drawn, "traced"), drawn=is_drawn,
        tracing_chance=np.where(follow_up["subject_id"].isin(lost), share, np.nan),
    )  # fmt: skip
    return pd.concat([kept, back], ignore_index=True), followed


def test_tracing_a_part_of_the_lost_shows_the_harm_again(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(700, horizons=(84,), groups={"hospital": ("a", "b", "c")},
                     extra_error={("hospital", "a"): 12.0})  # fmt: skip
    kept, gone = without_the_worst(table, "a", 0.33, axis="hospital")
    follow_up = follow_up_of(kept, gone)
    rows, followed = traced(kept, gone, follow_up, 0.5, seed=1)
    verdict = verdict_of(rows, policy, inputs, followed)
    assert verdict.outcome is Outcome.BLOCKED
    (lost,) = (f for f in on_losses(verdict) if f.group == "a")
    assert lost.outcome is Outcome.PASS
    (signed,) = (f for f in verdict.findings if (f.metric, f.group) == ("signed error", "a"))
    (whole,) = (
        f
        for f in verdict_of(table, policy, inputs, follow_up_of(table)).findings
        if (f.metric, f.group) == ("signed error", "a")
    )
    assert signed.value == pytest.approx(whole.value, abs=1.0)
    # Evidence are the people whose outcome is known, whomever they stand for.
    assert signed.subjects == rows.loc[rows["group:hospital"] == "a", "subject_id"].nunique()


def test_tracing_is_a_way_back_for_a_fair_group_that_lost_more_than_others(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(700, horizons=(84,), groups={"hospital": ("a", "b", "c")})
    candidate = table[table["group:hospital"] == "a"]["subject_id"].unique()
    is_gone = table["subject_id"].isin(candidate[::4])
    kept, gone = table[~is_gone].reset_index(drop=True), table[is_gone].reset_index(drop=True)
    follow_up = follow_up_of(kept, gone)
    assert not served(verdict_of(kept, policy, inputs, follow_up), "a", "hospital")
    rows, followed = traced(kept, gone, follow_up, 0.4, seed=1)
    assert verdict_of(rows, policy, inputs, followed).outcome is Outcome.PASS


def test_a_passing_bound_must_bear_the_outcomes_lost_beyond_others(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs
) -> None:
    """Within the gate: 9 % of a large group vanish, its worst, and nobody else."""
    table = table_of(2400, horizons=(84,), extra_error={("sex", "female"): 4.4})
    kept, gone = without_the_worst(table, "female", 0.09)
    verdict = verdict_of(kept, policy, inputs, follow_up_of(kept, gone))
    (lost,) = (f for f in on_losses(verdict) if f.group == "female")
    assert lost.outcome is Outcome.PASS
    (signed,) = (f for f in verdict.findings if (f.metric, f.group) == ("signed error", "female"))
    blind = judge(kept, policy.model_copy(update={"lost": None}), inputs)
    (before,) = (f for f in blind.findings if (f.metric, f.group) == ("signed error", "female"))
    assert before.outcome is Outcome.PASS
    assert signed.outcome is Outcome.INSUFFICIENT
    assert "were its worst" in signed.reason


def test_where_no_window_is_over_nobody_passes_and_the_audit_says_why(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(300, horizons=(84,))
    verdict = verdict_of(table, policy, inputs, follow_up_of(table)[:0])
    assert verdict.outcome is Outcome.INSUFFICIENT
    (found,) = on_losses(verdict)
    assert "for nobody is the time over" in found.reason
    assert "followed for longer" in found.reason


@pytest.mark.parametrize("due", [0, 1, 7, 8])
def test_a_group_whose_windows_are_not_over_does_not_pass_by_its_early_outcomes(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy, inputs: AuditInputs, due: int
) -> None:
    """A new hospital: its outcomes that came early say nothing of those that may never come."""
    table = table_of(600, horizons=(84,), groups={"hospital": ("a", "b", "new")})
    rows = follow_up_of(table)
    of_new = rows["group:hospital"] == "new"
    kept = rows[~of_new | (of_new.cumsum() <= due)].reset_index(drop=True)
    verdict = verdict_of(table, policy, inputs, kept)
    assert served(verdict, "a", "hospital")
    assert served(verdict, "new", "hospital") == (due == 8)


def test_a_group_that_lost_by_withdrawal_only_has_a_tipping_point(
    table_of: TableOf, follow_up_of: FollowUpOf, policy: Policy
) -> None:
    table = table_of(400, horizons=(84,), models=("candidate",))
    kept, gone = without_the_worst(table, "female", 0.1)
    facts = {
        status: {
            row.group: row
            for row in lost_outcomes(kept, follow_up_of(kept, gone, status), policy, (0.0, 66.0))
        }
        for status in ("withdrew", "lost")
    }
    withdrew, lost = (facts[status]["female"] for status in ("withdrew", "lost"))
    assert withdrew.not_stood_for == lost.not_stood_for == pytest.approx(0.1, abs=0.01)
    assert withdrew.room == lost.room
    assert withdrew.room is not None
