"""Auditing until it passes does not pay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t

from audits.measure.looks import LATER, confidence_at

LOOKS, ADDED, LINES = 10, 40, 20_000


def passed_at_any_look(confidence_of: Callable[[int], float]) -> float:
    """Return how often a group at its limit passes at any of ten looks on growing data."""
    people = np.random.default_rng(18).standard_normal((LINES, LOOKS * ADDED))
    passed = np.zeros(LINES, dtype=np.bool_)
    for look in range(1, LOOKS + 1):
        seen = people[:, : look * ADDED]
        error = seen.std(axis=1, ddof=1) / np.sqrt(seen.shape[1])
        level = (1 + confidence_of(look)) / 2
        passed |= seen.mean(axis=1) + t.ppf(level, seen.shape[1] - 1) * error <= 0
    return float(passed.mean())


def test_ten_looks_pass_a_group_at_its_limit_in_3_percent_and_not_in_10() -> None:
    assert 0.09 < passed_at_any_look(lambda _: 0.95) < 0.11
    assert passed_at_any_look(lambda look: confidence_at(look, 0.95)) <= 0.03


def test_ten_independent_samples_do_too() -> None:
    kept = np.prod([1 - (1 - confidence_at(look, 0.95)) / 2 for look in range(1, LOOKS + 1)])
    assert 1 - kept <= 0.03


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_error_of_all_looks_is_bounded_however_many_follow(confidence: float) -> None:
    spent = sum(1 - confidence_at(look, confidence) for look in range(1, 2_000))
    assert spent <= (1 + LATER) * (1 - confidence) + 1e-9
    each = [confidence_at(look, confidence) for look in range(1, 20)]
    assert each == sorted(each)
    assert each[0] == confidence
