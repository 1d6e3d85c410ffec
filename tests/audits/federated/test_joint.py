"""Sums over many sites are those of all people in one place, and judged as a site judges its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.federated.joint import judge_sums
from audits.federated.masks import masked, new_key, public_of, unmasked
from audits.federated.people import SitePeople
from audits.federated.sums import Ints, sums_of
from audits.judging.decision import gravest
from audits.judging.lost.missing import Missing
from audits.judging.policy import load_policy
from audits.judging.rules import apply_rules
from contracts.errors import IntegrityError
from contracts.verdict import Outcome
from tests.audits.federated.conftest import Tables, joint_of

ROUND = "0f" * 32


def added(sites: list[SitePeople], layout_of: list[SitePeople]) -> Ints:
    """Add the masked sums of sites, in the layout of those that made an agreement."""
    layout = joint_of(layout_of).layout
    private = {f"site {n}": new_key() for n in range(len(sites))}
    public = {name: public_of(key) for name, key in private.items()}
    return unmasked({
        name: masked(sums_of(site, layout), name, key, public, ROUND)
        for site, (name, key) in zip(sites, private.items(), strict=True)
    })  # fmt: skip


@pytest.fixture(scope="module")
def tables(tables_of: Callable[..., Tables]) -> Tables:
    return tables_of(1200, lost=150)


@pytest.fixture(scope="module")
def thirds(tables: Tables) -> list[SitePeople]:
    return tables.sites(np.arange(1200) % 3)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.sampled_from([1, 2, 7, 30]), st.integers(0, 2**32 - 1))
def test_every_number_is_that_of_all_people_in_one_place_however_they_are_divided(
    tables: Tables, thirds: list[SitePeople], sites: int, seed: int
) -> None:
    divided = tables.sites(np.random.default_rng(seed).integers(0, sites, 1200))
    joint = joint_of(thirds)
    whole_K = sums_of(tables.people(), joint.layout)
    total_K = added(divided, thirds)
    # Whole numbers: not about the same, but the same.
    assert (total_K == whole_K).all()
    assert judge_sums(total_K, joint, tables.policy) == judge_sums(whole_K, joint, tables.policy)


def test_findings_are_those_of_the_audit_of_one_table(
    tables: Tables, thirds: list[SitePeople]
) -> None:
    joint = joint_of(thirds)
    found = judge_sums(added(thirds, thirds), joint, tables.policy)
    assert tables.policy.lost is not None
    missing = Missing.of(tables.follow_up, tables.policy.lost)
    here = {
        (f.rule, f.metric, f.axis, f.group, f.horizon_day): f
        for f in apply_rules(
            tables.predictions, tables.policy.model_copy(update={"replicates": 200}),
            champion=None, missing=missing,
        ).findings
    }  # fmt: skip
    compared = 0
    for finding in found:
        own = here.get(
            (finding.rule, finding.metric, finding.axis, finding.group, finding.horizon_day)
        )
        if finding.value is None or own is None:
            continue
        compared += 1
        assert finding.outcome is own.outcome
        for name in ("value", "low", "high", "p_value"):
            assert getattr(finding, name) == pytest.approx(getattr(own, name), abs=1e-6)
    # On everyone, five groups and their losses.
    assert compared > 30


def test_what_harms_a_group_of_every_site_is_found_together(
    tables_of: Callable[..., Tables],
) -> None:
    harmed = tables_of(900, extra_error={("sex", "female"): 9.0})
    sites = harmed.sites(np.arange(900) % 3)
    found = judge_sums(added(sites, sites), joint_of(sites), harmed.policy)
    assert gravest(found) is Outcome.BLOCKED
    blocked = {(f.axis, f.group) for f in found if f.outcome is Outcome.BLOCKED}
    assert ("sex", "female") in blocked


def test_rules_that_sums_do_not_decide_are_not_passed(thirds: list[SitePeople]) -> None:
    joint = joint_of(thirds)
    policy = load_policy()
    bound = policy.model_copy(
        update={"rules": tuple(r.model_copy(update={"binding": True}) for r in policy.rules
                               if r.metric == "AUROC")}
    )  # fmt: skip
    found = judge_sums(added(thirds, thirds), joint, bound)
    assert gravest(found) is Outcome.INSUFFICIENT
    assert any("replicates" in finding.reason for finding in found if finding.binding)


def test_people_of_a_label_without_a_group_of_their_own_hold_a_pass_back(
    tables_of: Callable[..., Tables],
) -> None:
    tables = tables_of(600)
    rare = tables.predictions["subject_id"] < 6
    rows = tables.predictions.assign(
        **{"group:sex": tables.predictions["group:sex"].astype(str).mask(rare, "other")}
    )
    follow_up = tables.follow_up.assign(
        **{"group:sex": tables.follow_up["group:sex"].astype(str).mask(
            tables.follow_up["subject_id"] < 6, "other")}
    )  # fmt: skip
    sites = Tables(predictions=rows, follow_up=follow_up, policy=tables.policy).sites(
        np.arange(600) % 3
    )
    joint = joint_of(sites)
    axis = joint.layout.axis(("sex",))
    assert axis is None or "other" not in axis.labels_G
    found = judge_sums(added(sites, sites), joint, tables.policy)
    assert any(f.binding and f.outcome is Outcome.INSUFFICIENT and "sex" in f.reason for f in found)


def test_sums_of_different_rounds_and_impossible_ones_are_refused(
    tables: Tables, thirds: list[SitePeople]
) -> None:
    joint = joint_of(thirds)
    whole_K = sums_of(tables.people(), joint.layout)
    noise_K = whole_K + np.int64(2**40 + 1)
    lied_K = whole_K.copy()
    lied_K[-1] = -1  # the last group's squares
    for wrong_K in (noise_K, lied_K):
        with pytest.raises(IntegrityError, match="can't be sums over people"):
            judge_sums(wrong_K, joint, tables.policy)


def test_a_site_without_a_follow_up_table_leaves_losses_unjudged(tables: Tables) -> None:
    without = SitePeople.of(tables.predictions, None, tables.policy)
    joint = joint_of([without, without])
    found = judge_sums(2 * sums_of(without, joint.layout), joint, tables.policy)
    assert gravest(found) is Outcome.INSUFFICIENT
    assert any("outcomes that were due" in f.reason for f in found if f.binding)
    assert pd.notna([f.value for f in found if f.value is not None]).all()
