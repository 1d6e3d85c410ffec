"""The benchmark of shifts computes what the product computes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from audits.sequential.plan import load_plan
from audits.sequential.shift import shifts, week_of_arrivals
from contracts.evidence.arrivals import Arrivals
from support import arriving, monthly_shift
from support.arriving import FIRST_WEEK, GROUPS, QUANTITIES, Setting


class Middle(np.random.Generator):
    """Decides between equals by their middle, so that two orders of drawing are the same."""

    def random(self, size: Any = None, *_: Any, **__: Any) -> Any:
        return np.full(size, 0.5)


def test_evidence_of_many_deployments_is_that_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "WEEKS", 30)
    setting = Setting(site="second site", shift=2.0, from_week=15)
    weeks = list(arriving.weeks_of(setting, 2, seed=1))
    drawn = np.random.default_rng
    monkeypatch.setattr(
        np.random,
        "default_rng",
        lambda seed: Middle(np.random.PCG64(seed)) if seed == 2 else drawn(seed),
    )
    mean_WD = arriving.means(setting, 2, seed=1)
    monkeypatch.undo()
    for d in range(2):
        seen: dict[str, Any] = {}
        kept = []
        for week, (level_NDQ, group) in enumerate(weeks, start=FIRST_WEEK):
            people = Arrivals(
                quantities=QUANTITIES,
                level_NQ=level_NDQ[:, d],
                groups={
                    name: np.array(list(labels), dtype=object)[group[name][:, d]]
                    for name, labels in GROUPS.items()
                },
            )
            found = week_of_arrivals(people, week, seen, Middle(np.random.PCG64()))
            seen |= found.seen
            kept.append((week, asdict(found)))
        product = shifts(FIRST_WEEK, kept, QUANTITIES, tuple(GROUPS), load_plan())
        # The budget of groups follows the order in which they came: that of the benchmark.
        for name, labels in GROUPS.items():
            tests = [t for t in product.tests if (t.attribute, t.quantity) == (name, "no forecast")]
            assert [test.group for test in tests] == list(labels)
        assert mean_WD[-1, d] == pytest.approx(product.mean)


def test_the_rival_finds_a_plain_shift_and_nothing_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (arriving, monthly_shift):
        monkeypatch.setattr(module, "WEEKS", 60)
    shifted, _ = monthly_shift.warned(Setting(shift=2.0, from_week=30), 2, seed=5)
    assert ((shifted >= 30) & (shifted < 45)).all()
    before, seasonal = monthly_shift.warned(Setting(), 2, seed=6)
    assert np.isnan(before).all()
    assert np.isnan(seasonal).all()
