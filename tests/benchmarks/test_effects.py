"""Effects in SIMULATED cohorts, and differences of real arms, on numbers that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.simulate.scenario import Scenario
from support.simulated_effects import answer, draw_cohort, with_therapy
from support.specs_arms import contrasts, regressed


def test_a_cohort_knows_what_each_plan_would_have_given() -> None:
    none, some = (
        draw_cohort(with_therapy(Scenario(), truth, 0), seed=1, shards=1)
        for truth in ("none", "saturating")
    )
    assert not none.effect_N.any()
    assert 0.2 < some.effect_N.mean() < 2
    assert (some.effect_N > -1e-9).all()
    assert 0.1 < some.asked_N.mean() < 0.5
    assert none.score_N.std() > 5


def test_confounding_by_severity_is_seen_and_adjusted_for() -> None:
    """Without an effect, and with twice the strongest confounding that is shipped."""
    found = [
        answer(draw_cohort(with_therapy(Scenario(), "none", 8), seed, 4), seed) for seed in range(4)
    ]
    assert all(a.truth == 0 == a.pehe_of_none for a in found)
    naive = np.mean([a.naive for a in found])
    adjusted = np.mean([a.adjusted.value for a in found])
    error = np.mean([a.adjusted.standard_error for a in found]) / 2**0.5
    assert abs(naive) > 2
    assert abs(adjusted) < 3 * error
    assert {a.held for a in found} <= {True, False}
    assert all(a.held != a.claims_sign for a in found)
    assert all(a.hidden >= 1 for a in found)


def test_a_difference_is_that_of_means_and_of_what_they_began_with() -> None:
    """Changes 1, 3 against 0, 2: 1; where they are 2 more by a first score 1 higher, nothing."""
    arm = np.array([True, True, False, False])
    assert regressed(np.array([1.0, 3, 0, 2]), arm, None).value == pytest.approx(1)
    first = np.array([5.0, 7, 4, 6])
    assert regressed(first * 2, arm, first).value == pytest.approx(0)
    # HC3 of two means by hand: each person is missed by 1, over 1 - 1/2 it is 2: (4 + 4) / 4 each.
    assert regressed(np.array([1.0, 3, 0, 2]), arm, None).standard_error == pytest.approx(2)


def test_arms_of_real_tables_are_compared_within_their_study(tmp_path: Path) -> None:
    rows = [
        {"patientID": i, "study": study, "treatment": arm, "eval_time": when,
         "fuglmeyer": 20 + (when == "w12") * (gain + i % 2)}
        for i, (study, arm, gain) in enumerate(
            [("atHome", "rgs3w", 9)] * 4 + [("atHome", "c3w", 4)] * 4 + [("acute", "rgs3w", 1)] * 4
        )
        for when in ("baseline", "w12")
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "Clinical_Scales.csv", index=False)
    (only,) = contrasts(tmp_path)
    assert only["study"] == "atHome"
    assert only["people"] == only["their people"] == 4
    assert str(only["raw change"]).startswith("+5.0")
    assert only["enough to ask"] is False
