"""How arms of trials become contrasts by dose, on a made-up table with SCOAR's columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dose_prior import Pooled, joined, judged, linear, none, pooled, slopes

from support.scoar import EARLY, LATE, OUTCOMES, TABLE, read_table, trials_of

UPPER_LIMB, GAIT = OUTCOMES[0], OUTCOMES[2]


def arm(
    trial: str, group: str, hours: float, change: float, *, outcome: str = "fma-ue",
    start: float = 30, end_sd: object = 10, part: str = "lohse", days: float = 30,
) -> dict[str, object]:  # fmt: skip
    return {
        "id": trial, "group": group, "group_desc": "", "outcome_name": outcome, "base_n": 20,
        "SCOAR_outcome": part, "base_m": start, "base_sd": 10, "term_n": 16, "days_ps": days,
        "term_m": start + change, "term_sd": end_sd, "time_MIN": hours, "time_50": 99,
    }  # fmt: skip


def table_of(folder: Path, rows: list[dict[str, object]]) -> pd.DataFrame:
    pd.DataFrame(rows).to_csv(folder / TABLE, sep="\t", index=False)
    return read_table(folder)


def test_arms_are_compared_with_the_one_of_least_dose(tmp_path: Path) -> None:
    """Errors by hand: (100 + 100 - 160) / 16 = 2.5 an arm; the first arm's is in both."""
    rows = [arm("a", "exp", 30, 9), arm("a", "ctrl", 10, 3), arm("a", "exp", 15, 4, end_sd=None)]
    (trial,) = trials_of(table_of(tmp_path, rows), UPPER_LIMB)
    np.testing.assert_allclose(trial.difference_K, np.array([1, 6]) / 12)
    np.testing.assert_allclose(trial.covariance_KK, np.array([[5, 2.5], [2.5, 5]]) / 144)
    np.testing.assert_allclose(trial.design_KP, [[1, 0.5], [1, 2]])


def test_of_equal_doses_the_control_is_the_other_kind_and_like_arms_say_nothing(
    tmp_path: Path,
) -> None:
    rows = [
        arm("a", "exp", 10, 7), arm("a", "ctrl", 10, 3),
        arm("b", "exp", 10, 7), arm("b", "exp", 10, 3),
        arm("c", "exp", 10, 7), arm("c", "ctrl", float("nan"), 3),
    ]  # fmt: skip
    (trial,) = trials_of(table_of(tmp_path, rows), UPPER_LIMB)
    assert trial.name == "a"
    np.testing.assert_allclose(trial.difference_K, [4 / 12])


def test_other_units_and_rows_known_to_be_wrong_are_left_out(tmp_path: Path) -> None:
    pairs = [
        ("feys1998", {}), ("duncan2003", {}), ("rodgers2003", {}), ("fine", {}),
        ("duncan2003", {"part": "USU"}),
        ("seconds", {"outcome": "10mwt", "start": 14.0}),
        ("metres", {"outcome": "10mwt", "start": 0.5}),
    ]  # fmt: skip
    rows = [
        arm(trial, group, hours, hours / 100, **kind)
        for trial, kind in pairs
        for group, hours in (("ctrl", 5), ("exp", 20))
    ]
    table = table_of(tmp_path, rows)
    assert [t.name for t in trials_of(table, UPPER_LIMB)] == ["duncan2003", "fine"]
    assert len(trials_of(table, UPPER_LIMB)[0].difference_K) == 1
    assert [t.name for t in trials_of(table, GAIT)] == ["metres"]


def test_a_slope_that_was_planted_is_found_and_forecasts_better(tmp_path: Path) -> None:
    """SIMULATED: 20 trials, half of them late, 2 points per 10 hours, 3 of another kind."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(20):
        hours, days = rng.uniform(5, 60), 30 if i % 2 else 800
        gain = 3 + 0.2 * hours + rng.normal()
        rows += [
            arm(str(i), "ctrl", 0, 2, days=days),
            arm(str(i), "exp", hours, 2 + gain, days=days),
        ]
    table = table_of(tmp_path, rows)
    found = slopes(table).set_index(["outcome", "stroke"]).loc[UPPER_LIMB.name]
    assert found.loc[["all", EARLY, LATE], "trials"].tolist() == [20, 10, 10]
    assert (np.abs(found["per 10 h"] - 2) < 3 * found["sd"]).all()
    groups = {UPPER_LIMB.name: trials_of(table, UPPER_LIMB)}
    assert joined(list(groups.values()), none)[0].design_KP[0].tolist() == [1, 0]
    with_dose, without = (
        np.mean([j.crps for j in judged(groups, worth, 0.1)]) for worth in (linear, none)
    )
    assert with_dose < 0.8 * without


def test_slopes_that_agree_are_pooled_by_precision_and_others_spread() -> None:
    alike = pooled(np.array([0.1, 0.1]), np.array([0.03, 0.04]))
    assert alike.mean == pytest.approx(0.1)
    assert alike.standard_error == pytest.approx((1 / 0.0009 + 1 / 0.0016) ** -0.5)
    assert alike.between == 0
    # By hand: Q = (.2^2 + .2^2)/.01 = 8, (8 - 1) / (200 - 20000 / 200) = .07
    assert pooled(np.array([-0.2, 0.2]), np.array([0.1, 0.1])).between == pytest.approx(0.07**0.5)
    assert Pooled(0, 0.3, 0.4).sd_of_next == pytest.approx(0.5)
