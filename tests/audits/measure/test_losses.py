"""Shares lost, what a bound must bear for them, and how bad the lost may be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from audits.measure.disparity import Direction
from audits.measure.groups import Grouping, by_attribute
from audits.measure.losses import (
    losses,
    lost_after_tracing,
    lost_rows,
    points_to_bear,
    share_to_bear,
)


def follow_up(statuses: dict[str, list[str]], **columns: object) -> pd.DataFrame:
    """One row a person, by group."""
    labels = [group for group, rows in statuses.items() for _ in rows]
    status = [one for rows in statuses.values() for one in rows]
    return pd.DataFrame(
        {
            "subject_id": range(len(status)), "origin_day": 0, "horizon_day": 84,
            "status": status, "tracing_chance": np.nan, "drawn": False, "early_error": np.nan,
            "group:sex": labels, **columns,
        }
    )  # fmt: skip


def sex(rows: pd.DataFrame) -> Grouping:
    (grouping,) = by_attribute(rows)
    return grouping


def test_shares_and_error_are_those_of_two_proportions_and_the_dead_are_not_lost() -> None:
    rows = follow_up({
        "f": 10 * ["lost"] + 5 * ["withdrew"] + 35 * ["observed"] + 50 * ["died"],
        "m": 20 * ["lost"] + 180 * ["observed"],
    })  # fmt: skip
    found = losses(rows, sex(rows), lost_rows(rows))
    assert found.people_G.tolist() == [50, 200]
    assert found.share_G == pytest.approx([0.3, 0.1])
    error = np.sqrt(0.3 * 0.7 / 49 + 0.1 * 0.9 / 199)
    assert found.error_G == pytest.approx([error, error])
    assert found.high_G(0.95)[0] == pytest.approx(0.2 + norm.ppf(0.95) * error)
    assert found.excess_G == pytest.approx([0.2, 0.0])


@given(cut=st.floats(0.001, 0.9), spread=st.floats(0.1, 20))
def test_what_is_borne_is_the_shift_of_a_mean_whose_top_was_cut_off(
    cut: float, spread: float
) -> None:
    shift = -spread * truncnorm.mean(-np.inf, norm.ppf(1 - cut))
    bear = points_to_bear(np.array([cut]), np.array([spread]), 0.0)
    assert bear[0] == pytest.approx(shift, rel=1e-6)
    at_least = points_to_bear(np.array([cut]), np.array([spread]), 100.0)
    assert at_least[0] == pytest.approx(max(shift, 100 * cut))


def test_who_lost_no_more_than_others_bears_nothing() -> None:
    assert points_to_bear(np.zeros(1), np.array([6.0]), 4.25).tolist() == [0.0]
    assert share_to_bear(np.zeros(1), np.array([0.8]), Direction.AT_LEAST).tolist() == [0.0]


@given(n=st.integers(10, 500), lost=st.integers(1, 9), bad=st.integers(0, 500))
def test_a_share_bears_that_all_who_are_missing_were_bad(n: int, lost: int, bad: int) -> None:
    bad = min(bad, n)
    observed = (n - bad) / n
    bear = share_to_bear(np.array([lost / (n + lost)]), np.array([observed]), Direction.AT_LEAST)
    assert observed - bear[0] == pytest.approx((n - bad) / (n + lost))


@pytest.mark.parametrize(
    ("reached", "chance", "share"), [(10, 0.5, 0.0), (9, 0.5, 2 / 60), (10, 0.2, 0.0), (4, 0.5, 16)]
)
def test_the_traced_stand_for_the_lost_and_who_was_not_reached_for_all_he_was_drawn_for(
    reached: int, chance: float, share: float
) -> None:
    """Of 20 lost among 60, ten were drawn; below five traced, or too small a chance, none count."""
    status = reached * ["traced"] + (20 - reached) * ["lost"] + 40 * ["observed"]
    frame = 20 * [chance] + 40 * [np.nan]
    rows = follow_up({"f": status, "m": 40 * ["observed"]})
    rows["tracing_chance"] = [*frame, *(40 * [np.nan])]
    rows["drawn"] = rows["subject_id"] < 10
    lost_N = lost_after_tracing(rows, sex(rows), 0.3)
    expected = share * 60 if share < 1 else share
    if chance < 0.3:
        expected = 20 - reached
    assert lost_N.sum() == pytest.approx(expected)


def test_people_traced_with_too_small_a_chance_open_no_door_for_the_others() -> None:
    """Five were traced from a draw that does not count, and one only from the draw that does."""
    chance = [0.02] * 5 + [0.5] * 8 + [np.nan] * 40
    rows = follow_up(
        {"f": 6 * ["traced"] + 7 * ["lost"], "m": 40 * ["observed"]},
        tracing_chance=chance, drawn=[True] * 6 + [False] * 47,
    )  # fmt: skip
    assert lost_after_tracing(rows, sex(rows), 0.1)[6:13].tolist() == [1.0] * 7
