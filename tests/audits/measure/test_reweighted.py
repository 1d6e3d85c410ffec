"""Weights, traced people and worst cases, against closed forms and a SIMULATED truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.measure.groups import Grouping
from audits.measure.people import RowSums, people_of_groups
from audits.measure.reweighted import (
    chance_of_outcome,
    recovered,
    traced_values,
    weighted_mean,
    worst_cases,
)


def test_without_an_early_error_the_chance_is_the_share_of_each_group() -> None:
    member = np.arange(200) < 80
    observed = np.concatenate([np.arange(80) < 40, np.arange(120) < 90])
    chance = chance_of_outcome(member, np.full(200, np.nan), observed)
    assert chance[member] == pytest.approx(0.5, abs=1e-4)
    assert chance[~member] == pytest.approx(0.75, abs=1e-4)


def test_with_two_early_errors_the_mean_is_that_of_the_cells_each_at_its_full_size() -> None:
    early = np.where(np.arange(200) % 2 == 0, -1.0, 1.0)
    member = np.ones(200, dtype=np.bool_)
    # Of the people with the low early error 80 are observed, of those with the high one 50.
    observed = np.where(early < 0, np.arange(200) < 160, np.arange(200) < 100)
    value = np.where(early < 0, 2.0, 10.0)
    chance = chance_of_outcome(member, early, observed)
    assert chance[0] == pytest.approx(0.8, abs=1e-3)
    assert chance[1] == pytest.approx(0.5, abs=1e-3)
    found = weighted_mean(value, chance, observed, member)
    assert found.mean == pytest.approx(6.0, abs=0.02)
    assert value[observed].mean() < 5.1
    assert found.effective < observed.sum()
    assert found.smallest_chance == pytest.approx(0.5, abs=1e-3)


def test_weights_have_a_floor_and_a_cap() -> None:
    chance = np.array([1e-9] + 99 * [0.5])
    value = np.array([100.0] + 99 * [0.0])
    everyone = np.ones(100, dtype=np.bool_)
    found = weighted_mean(value, chance, everyone, everyone)
    assert found.mean == pytest.approx(100 * 2 / 200)
    assert found.smallest_chance == 1e-9


def test_nothing_observed_gives_no_mean() -> None:
    nobody = np.zeros(5, dtype=np.bool_)
    found = weighted_mean(
        np.zeros(5), chance_of_outcome(~nobody, np.zeros(5), nobody), nobody, ~nobody
    )
    assert np.isnan(found.mean)


def test_the_worst_cases_are_a_mixture_with_the_ends() -> None:
    assert worst_cases(2.0, 0.25, -66, 66) == (1.5 - 16.5, 1.5 + 16.5)


@given(seed=st.integers(0, 1000), slope=st.floats(-3, 3))
def test_a_proxy_that_says_it_all_gives_the_mean_of_all_the_lost(seed: int, slope: float) -> None:
    rng = np.random.default_rng(seed)
    proxy = rng.normal(size=60)
    truth = 5 + slope * proxy
    traced = rng.permutation(60) < 20
    group = np.zeros(60, dtype=np.intp)
    found = traced_values(np.where(traced, truth, 0), proxy, group, traced, np.full(60, 1 / 3))
    assert found.mean() == pytest.approx(truth.mean(), abs=1e-9)


def test_without_a_proxy_the_mean_is_that_of_the_traced() -> None:
    value = np.concatenate([np.arange(10.0), np.zeros(20)])
    traced = np.arange(30) < 10
    found = traced_values(
        value, np.full(30, np.nan), np.zeros(30, dtype=np.intp), traced, np.full(30, 1 / 3)
    )
    assert found.mean() == pytest.approx(4.5)


def lossy(seed: int, share: float) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """200 people (SIMULATED) who are promised 8.5 points too much; the worst third vanish."""
    rng = np.random.default_rng(seed)
    error = 8.5 + 6 * rng.normal(size=200)
    early = 0.8 * (error - 8.5) + 3.6 * rng.normal(size=200)
    lost = np.argsort(np.argsort(-error)) < 66
    drawn = lost & (rng.random(200) < share)
    seen = ~lost | drawn
    people = pd.DataFrame({"subject_id": range(200), "origin_day": 0, "horizon_day": 84})
    status = np.select([drawn, lost], ["traced", "lost"], "observed")
    followed = people.assign(
        **{
            "status": status, "tracing_chance": np.where(lost, share, np.nan), "drawn": drawn,
            "early_error": early, "group:sex": "f",
        }
    )  # fmt: skip
    return people[seen].assign(error=error[seen]).reset_index(drop=True), followed, error.mean()


@pytest.mark.parametrize(("share", "covered_in"), [(0.3, 0.88), (0.5, 0.9)])
def test_tracing_a_random_part_of_the_lost_removes_the_bias(
    share: float, covered_in: float
) -> None:
    differences, complete, covered = [], [], []
    for seed in range(150):
        table, followed, truth = lossy(seed, share)
        only = Grouping(
            axis="sex", attributes=("sex",), labels_G=("f",),
            group_N=np.zeros(len(table), dtype=np.intp),
        )  # fmt: skip
        sums = RowSums(
            subject_N=np.arange(len(table)), numerator_N=table["error"].to_numpy(),
            denominator_N=np.ones(len(table)),
        )  # fmt: skip
        found = recovered(table, sums, only, followed, 0.3, signed=True)
        inside = people_of_groups(found.sums, found.grouping).inside
        error = np.sqrt(inside.variance_G[0] / inside.effective_G[0])
        differences.append(inside.mean_G[0] - truth)
        # Against the population's mean, as a bound is.
        covered.append(abs(inside.mean_G[0] - 8.5) <= 1.96 * error)
        kept = followed["status"].to_numpy() == "observed"
        complete.append(table.loc[table["subject_id"].isin(np.flatnonzero(kept)), "error"].mean())
    assert np.mean(complete) < 8.5 - 3
    assert abs(np.mean(differences)) < 3 * np.std(differences) / np.sqrt(150)
    assert np.mean(covered) >= covered_in


def test_where_no_draw_was_made_nothing_changes() -> None:
    table, followed, _ = lossy(0, 0.3)
    only = Grouping(
        axis="sex", attributes=("sex",), labels_G=("f",),
        group_N=np.zeros(len(table), dtype=np.intp),
    )  # fmt: skip
    sums = RowSums(
        subject_N=np.arange(len(table)), numerator_N=np.ones(len(table)),
        denominator_N=np.ones(len(table)),
    )  # fmt: skip
    found = recovered(table, sums, only, followed.assign(tracing_chance=np.nan), 0.3, signed=True)
    assert found.sums is sums
