"""Which comparators did better than a candidate, by tables whose answer is plain."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from contracts.forecast import QUANTILE_LEVELS
from contracts.predictions import CANDIDATE, QUANTILE_COLUMNS
from training.comparators import better_comparators, decimals_of, errors_of_models


def made_up(error_of: dict[str, float], people: int, refused: bool = False) -> pd.DataFrame:
    """Forecasts that miss the outcome, 0, by so many points at every level, and a little more."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "model": model,
            "subject_id": subject,
            "origin_day": 0,
            "horizon_day": 84,
            "truth": 0.0,
            "refused": refused,
            **dict.fromkeys(QUANTILE_COLUMNS, error + abs(generator.normal(0, 0.1))),
        }
        for model, error in error_of.items()
        for subject in range(people)
    ]
    return pd.DataFrame(rows)


def test_comparators_that_did_better_are_named_the_best_first() -> None:
    table = made_up({CANDIDATE: 5.0, "a": 4.0, "b": 3.0, "c": 6.0}, people=30)
    better = better_comparators(table)
    assert [one.model for one in better] == ["b", "a"]
    assert all(one.is_beyond_chance for one in better)
    # Of a point forecast the CRPS is the distance, and a difference is the candidate's minus theirs.
    assert better[0].difference.mean == pytest.approx(2.0, abs=0.1)
    assert better[0].candidate_crps == pytest.approx(5.0, abs=0.2)
    assert "beyond chance" in str(better[0])
    assert np.isclose(np.mean(QUANTILE_LEVELS), 0.5)


def test_errors_of_a_speed_are_told_apart() -> None:
    table = made_up({CANDIDATE: 0.0731, "a": 0.0702}, people=30)
    quantiles = list(QUANTILE_COLUMNS)
    error = table["model"].map({CANDIDATE: 0.0731, "a": 0.0702})
    table = table.assign(**dict.fromkeys(quantiles, error))
    (better,) = better_comparators(table)
    assert "0.0702 against 0.0731 (difference +0.0029" in str(better)


@given(st.lists(st.floats(1e-3, 60), min_size=1, max_size=5))
def test_errors_that_stand_together_have_the_same_decimals(errors: list[float]) -> None:
    """They had 2 above 1 and 4 below, number by number: 0.9950 stood beside 1.02."""
    decimals = decimals_of(errors)
    assert decimals == max(decimals_of([error]) for error in errors)
    assert decimals_of([*errors, 0.5]) == 4
    assert decimals_of([]) == 2


def test_the_sentence_says_both_errors_alike() -> None:
    table = made_up({CANDIDATE: 1.02, "a": 0.995}, people=30)
    error = table["model"].map({CANDIDATE: 1.02, "a": 0.995})
    (better,) = better_comparators(table.assign(**dict.fromkeys(QUANTILE_COLUMNS, error)))
    assert "0.9950 against 1.0200 (difference +0.0250" in str(better)


@given(
    errors=st.dictionaries(st.sampled_from("abc"), st.floats(0.01, 60), min_size=1),
    few=st.booleans(),
)
def test_each_models_errors_stand_together_the_best_first(
    errors: dict[str, float], few: bool
) -> None:
    table = made_up({CANDIDATE: 5.0, **errors}, people=10 if few else 11)
    found = errors_of_models(table)
    assert sorted(found.index) == ([] if few else sorted({CANDIDATE, *errors}))
    assert found["crps"].is_monotonic_increasing


def test_the_same_error_is_chance() -> None:
    table = made_up({CANDIDATE: 5.0, "a": 5.0}, people=30)
    assert not any(one.is_beyond_chance for one in better_comparators(table))


def test_nothing_is_said_of_few_people_or_of_refused_forecasts() -> None:
    errors = {CANDIDATE: 5.0, "a": 1.0}
    assert better_comparators(made_up(errors, people=10)) == ()
    assert better_comparators(made_up(errors, people=30, refused=True)) == ()
