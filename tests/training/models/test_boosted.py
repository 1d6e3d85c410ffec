from __future__ import annotations

from typing import Any

import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_info

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import boosted
from training.models.boosted import boosted_quantiles


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
