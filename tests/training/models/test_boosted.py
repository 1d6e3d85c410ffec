from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn._loss.loss import PinballLoss
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_info

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import boosted
from training.models.boosted import LeafQuantile, boosted_quantiles

NUMBERS = st.one_of(st.floats(-100, 100), st.integers(-3, 3).map(float))


def test_few_rows_are_fitted_by_one_thread(
    batch: SequenceBatch, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()

    class Watched(HistGradientBoostingRegressor):  # type: ignore[misc]
        def fit(self, *args: Any, **options: Any) -> Any:
            seen.update(p["num_threads"] for p in threadpool_info() if p["user_api"] == "openmp")
            return super().fit(*args, **options)

    monkeypatch.setattr(boosted, "HistGradientBoostingRegressor", Watched)
    before = [pool["num_threads"] for pool in threadpool_info()]
    boosted_quantiles(batch, task, seed=1)(batch)
    assert seen == {1}
    assert [pool["num_threads"] for pool in threadpool_info()] == before


@given(arrays(np.float64, st.integers(1, 30), elements=NUMBERS), st.sampled_from(QUANTILE_LEVELS))
def test_a_leaf_has_the_quantile_of_the_library_to_the_bit(
    change_N: np.ndarray[tuple[int], np.dtype[np.float64]], level: float
) -> None:
    ours, theirs = LeafQuantile(quantile=level), PinballLoss(quantile=level)
    assert ours.fit_intercept_only(change_N) == theirs.fit_intercept_only(change_N)
    weight_N = np.ones_like(change_N)
    assert ours.fit_intercept_only(change_N, weight_N) == theirs.fit_intercept_only(
        change_N, weight_N
    )


def test_the_library_fits_the_same_with_our_leaves(
    batch: SequenceBatch, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boosted, "QUANTILE_LEVELS", QUANTILE_LEVELS[1::8])
    ours = boosted_quantiles(batch, task, seed=1)(batch)
    monkeypatch.setattr(boosted, "LeafQuantile", PinballLoss)
    assert (boosted_quantiles(batch, task, seed=1)(batch) == ours).all()
