"""For whom a model passes: groups in and out, pairs in doubt, and what keeps everybody out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy, RequiredAttribute
from audits.judging.scope import within_scope
from contracts.scope import Scope
from contracts.verdict import Finding, Outcome, Verdict

TableOf = Callable[..., pd.DataFrame]
few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@pytest.fixture(scope="module")
def binding_policy(quick_policy: Policy) -> Policy:
    """Only the rules that bind or exclude: the others need a bootstrap and decide nothing."""
    rules = tuple(
        rule for rule in quick_policy.rules if rule.binding or rule.excludes_unless is not None
    )
    return quick_policy.model_copy(update={"rules": rules})


def shifted(table: pd.DataFrame, is_member: pd.Series[bool], points: float) -> pd.DataFrame:
    """Add points to the candidate's forecasts of some rows."""
    quantiles = [name for name in table.columns if name[0] == "q"]
    moved = table.copy()
    moved.loc[is_member & (moved["model"] == "candidate"), quantiles] += points
    return moved


def relabelled(table: pd.DataFrame, people: int, label: str, axis: str = "sex") -> pd.DataFrame:
    """Give the first people another label."""
    return table.assign(**{
        f"group:{axis}": table[f"group:{axis}"].mask(table["subject_id"] < people, label)
    })  # fmt: skip


def test_29_of_2000_who_are_promised_20_points_too_much_block(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs
) -> None:
    table = relabelled(table_of(2000, horizons=(84,)), 29, "other")
    harmed = shifted(table, table["group:sex"] == "other", 20.0)
    verdict = judge(harmed, binding_policy, inputs)
    assert verdict.outcome is Outcome.BLOCKED
    blocked = {(f.metric, f.group) for f in verdict.findings if f.outcome is Outcome.BLOCKED}
    assert ("signed error", "other") in blocked
    assert verdict.scope is None


@pytest.mark.parametrize(("people", "found"), [(3, "needs review"), (8, "blocked")])
def test_too_few_people_forbid_a_pass_and_never_a_suspicion_or_a_block(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs, people: int, found: str
) -> None:
    table = relabelled(table_of(400, horizons=(84,)), people, "other")
    harmed = shifted(table, table["group:sex"] == "other", 25.0)
    verdict = judge(harmed, binding_policy, inputs)
    (signed,) = (
        f
        for f in verdict.findings
        if (f.metric, f.axis, f.group) == ("signed error", "sex", "other")
    )
    assert signed.outcome == found


def test_a_small_group_is_outside_and_everyone_else_is_served(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs
) -> None:
    table = relabelled(table_of(600, horizons=(84,)), 6, "other")
    verdict = judge(table, binding_policy, inputs)
    assert verdict.outcome is Outcome.WITHIN_SCOPE
    scope = verdict.scope
    assert scope is not None
    assert scope.share_inside == 0.9
    assert scope.outside({"sex": "female"}) == ()
    (why,) = scope.outside({"sex": "other"})
    assert (why.attributes, why.labels) == (("sex",), ("other",))
    assert "honest intervals in every group" in why.rules
    (unseen,) = scope.outside({"sex": "never seen"})
    assert unseen.rules == ()
    assert scope.outside({})
    assert {f.group for f in verdict.scope_findings} == {"everyone", "female", "male"}


def test_a_pair_in_doubt_is_outside_although_each_of_its_groups_is_inside(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs
) -> None:
    groups = {"sex": ("f", "m"), "age": ("old", "young", "middle")}
    table = table_of(900, groups=groups, horizons=(84,))
    is_pair = (table["group:sex"] == "f") & (table["group:age"] == "old")
    chosen = is_pair & (table["subject_id"] % 5 == 0)
    table = table[~is_pair | chosen].reset_index(drop=True)
    is_pair = (table["group:sex"] == "f") & (table["group:age"] == "old")
    verdict = judge(shifted(table, is_pair, 7.0), binding_policy, inputs)
    assert verdict.outcome is Outcome.WITHIN_SCOPE
    assert verdict.scope is not None
    assert [pair.labels for pair in verdict.scope.pairs] == [("f", "old")]
    (why,) = verdict.scope.outside({"sex": "f", "age": "old"})
    assert why.labels == ("f", "old")
    assert not verdict.scope.outside({"sex": "f", "age": "young"})


def test_a_model_that_serves_too_few_passes_for_nobody(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs
) -> None:
    groups = {"ward": tuple(f"w{n}" for n in range(60))}
    verdict = judge(table_of(240, groups=groups, horizons=(84,)), binding_policy, inputs)
    assert verdict.outcome in {Outcome.INSUFFICIENT, Outcome.REVIEW}
    assert verdict.scope is None


def required(*names: str) -> tuple[RequiredAttribute, ...]:
    return tuple(
        RequiredAttribute(
            attribute=name, minimum_recorded=0.8, reason="without it harm cannot be seen"
        )
        for name in names
    )


@pytest.mark.parametrize(
    ("recorded", "passes"), [(1.0, True), (0.85, True), (0.7, False), (0.0, False), (None, False)]
)
def test_not_recording_a_required_attribute_never_pays(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs,
    recorded: float | None, passes: bool,
) -> None:  # fmt: skip
    groups = {"sex": ("f", "m"), "ethnicity": ("a", "b")}
    table = table_of(1000, groups=groups, horizons=(84,))
    if recorded is None:
        table = table.drop(columns="group:ethnicity")
    else:
        table = relabelled(table, round(1000 * (1 - recorded)), "not recorded", "ethnicity")
    policy = binding_policy.model_copy(update={"required": required("sex", "ethnicity")})
    verdict = judge(table, policy, inputs)
    assert verdict.outcome.is_pass is passes
    if not passes:
        assert any(f.binding and f.rule == "ethnicity is recorded" for f in verdict.findings)


def test_a_verdict_does_not_depend_on_the_seed_of_the_bootstrap(
    table_of: TableOf, quick_policy: Policy, inputs: AuditInputs
) -> None:
    table = relabelled(table_of(300, horizons=(84,)), 20, "other")
    verdicts = [
        judge(table, quick_policy.model_copy(update={"seed": seed}), inputs) for seed in range(4)
    ]
    binding = [[f for f in verdict.findings if f.binding] for verdict in verdicts]
    assert all(found == binding[0] for found in binding)
    assert len({(v.outcome, v.scope) for v in verdicts}) == 1


@few
@given(people=st.integers(8, 40), points=st.floats(0, 20), seed=st.integers(0, 99))
def test_whoever_is_inside_had_every_rule_shown_and_nobody_blocked_is_carved_out(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs,
    people: int, points: float, seed: int,
) -> None:  # fmt: skip
    table = relabelled(table_of(200, seed=seed, horizons=(84,)), people, "other")
    harmed = shifted(table, table["group:sex"] == "other", points)
    verdict = judge(harmed, binding_policy, inputs)
    check(verdict)


def check(verdict: Verdict) -> None:
    found = [f for f in verdict.findings if f.binding]
    if any(f.outcome is Outcome.BLOCKED for f in found):
        assert verdict.outcome is Outcome.BLOCKED
    if verdict.scope is None:
        assert not verdict.outcome.is_pass
        return
    for attribute in verdict.scope.attributes:
        for label in attribute.inside:
            assert {
                f.outcome for f in found if (f.axis, f.group) == (attribute.attribute, label)
            } <= {Outcome.PASS}
        assert all(group.rules for group in attribute.outside)


def test_scopes_are_compared_by_whom_they_let_in() -> None:
    def of(inside: tuple[str, ...], pairs: int = 0) -> Scope:
        return Scope.model_validate({
            "attributes": [{"attribute": "sex", "inside": inside}],
            "pairs": [
                {"attributes": ("sex", "age"), "labels": ("f", str(n)), "rules": ("rule",)}
                for n in range(pairs)
            ],
            "share_inside": 0.9,
        })  # fmt: skip

    assert of(("f", "m")).covers(of(("f",)))
    assert not of(("f",)).covers(of(("f", "m")))
    assert of(("f",)).covers(of(("f",), pairs=1))
    assert not of(("f",), pairs=1).covers(of(("f",)))
    unlimited = Scope(attributes=(), share_inside=1.0)
    assert unlimited.covers(of(("f",)))
    assert not of(("f",)).covers(unlimited)


def test_people_weigh_alike_however_many_forecasts_they_have(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs
) -> None:
    table = table_of(300, horizons=(21, 42, 84))
    often = table["subject_id"] % 2 == 0
    thinned = table[often | (table["horizon_day"] == 84)]
    error = thinned[thinned["model"] == "candidate"].eval("abs(q50 - truth)")
    rows = thinned[thinned["model"] == "candidate"].assign(error=error)
    women = rows[rows["group:sex"] == "female"].groupby("subject_id")["error"].mean().mean()
    men = rows[rows["group:sex"] == "male"].groupby("subject_id")["error"].mean().mean()
    (found,) = (
        f
        for f in judge(thinned, binding_policy, inputs).findings
        if (f.rule, f.group) == ("no group forecast less accurately", "female")
    )
    assert found.value == pytest.approx(women - men)
    assert np.isfinite(found.value)


@pytest.mark.parametrize("points", [0.0, 10.0])
def test_whom_a_verdict_without_a_scope_would_hold_back_are_the_groups_with_a_rule_not_shown(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs, points: float
) -> None:
    """For an override: whoever answers for everyone must hear of whom nothing was shown."""
    table = table_of(400, groups={"sex": ("f", "m")}, extra_error={("sex", "f"): points})
    verdict = judge(table, binding_policy, inputs)
    assert verdict.held_back is not None
    found = verdict.held_back.groups
    (sex,) = found.attributes
    in_doubt = {
        f.group
        for f in verdict.findings
        if f.axis == "sex" and f.binding and f.outcome is not Outcome.PASS
    }
    assert {group.label for group in sex.outside} == in_doubt
    assert {*sex.inside} == {"f", "m"} - in_doubt
    assert ("f" in in_doubt) == (points > 0)
    assert all(group.rules for group in sex.outside)
    told = found.outside({"sex": "f"})
    assert bool(told) == (points > 0)
    if verdict.scope is not None:
        assert found == verdict.scope


def test_under_an_override_a_pair_in_doubt_is_named_although_an_attribute_is_missing(
    table_of: TableOf, binding_policy: Policy, inputs: AuditInputs
) -> None:
    """What nobody recorded keeps everybody out, and must not hide who would be out in any case."""
    table = table_of(1_200, groups={"sex": ("f", "m"), "age": ("old", "young")}, horizons=(84,))
    is_pair = (table["group:sex"] == "f") & (table["group:age"] == "old")
    sixty = sorted(table.loc[is_pair, "subject_id"].unique())[:60]
    others = is_pair & ~table["subject_id"].isin(sixty)
    table = table.assign(**{"group:age": table["group:age"].mask(others, "young")})
    table = shifted(table, table["subject_id"].isin(sixty), 4.0)
    whole = judge(table, binding_policy, inputs)
    required = (
        RequiredAttribute(
            attribute="ethnicity", minimum_recorded=0.9, reason="the hospital asks for it by law"
        ),
    )
    lacking = judge(table, binding_policy.model_copy(update={"required": required}), inputs)
    assert lacking.outcome is Outcome.INSUFFICIENT
    assert whole.held_back is not None
    assert lacking.held_back is not None
    assert lacking.held_back.everyone
    assert lacking.held_back.groups.pairs == whole.held_back.groups.pairs
    person = {"sex": "f", "age": "old"}
    alone = whole.held_back.groups.outside(person)
    assert alone
    assert lacking.held_back.groups.outside(person) == alone


@pytest.mark.parametrize("outcome", [Outcome.INSUFFICIENT, Outcome.REVIEW])
def test_a_pattern_in_doubt_among_those_inside_lets_nothing_pass(
    outcome: Outcome, finding_of: Callable[..., Finding]
) -> None:
    """It passed over the whole table: five of its twelve people are inside, seven are not."""
    passes = finding_of(axis="everyone", group="everyone")
    pattern = finding_of(axis="pattern:course", group="became worse", outcome=outcome)
    assert within_scope([passes, pattern]) is outcome
    assert within_scope([passes, pattern.model_copy(update={"binding": False})]) is Outcome.PASS
