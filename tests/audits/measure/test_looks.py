"""Auditing until it passes does not pay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t

from audits.measure.looks import LATER, confidence_at, look_at
from contracts.scope import Scope, ScopeAttribute

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


def scope(*inside: str) -> Scope:
    return Scope(attributes=(ScopeAttribute(attribute="sex", inside=inside),), share_inside=0.5)


BOTH, WOMEN = scope("female", "male"), scope("female")


@pytest.mark.parametrize(
    ("earlier", "everyone", "women", "men"),
    [
        ((), 1, 1, 1),
        (((BOTH,), (BOTH, BOTH)), 1, 1, 1),
        (((WOMEN,), (BOTH,), (WOMEN,)), 1, 1, 3),
        (((None,), (WOMEN,)), 2, 2, 3),
        # A policy that asks less does not undo an attempt that failed.
        (((None, BOTH), (BOTH, None)), 3, 3, 3),
    ],
)
def test_only_attempts_that_did_not_pass_for_a_group_count_against_it(
    earlier: tuple[tuple[Scope | None, ...], ...], everyone: int, women: int, men: int
) -> None:
    found = [look_at(earlier, "everyone", "everyone")]
    found += [look_at(earlier, "sex", label) for label in ("female", "male")]
    assert found == [everyone, women, men]
    # Never inside anything: a new attribute, a new label, a pair.
    for axis, label in (("age", "old"), ("sex", "other"), ("sex & age", "female & old")):
        assert look_at(earlier, axis, label) == 1 + len(earlier)


def test_a_group_at_its_limit_in_every_second_version_passes_in_3_percent_of_lines_too() -> None:
    """The versions between are good for it and pass, which costs them nothing and gains nothing."""
    data = np.random.default_rng(19).standard_normal((LINES, LOOKS // 2))
    bound = [t.isf((1 - confidence_at(k, 0.95)) / 2, 1e6) for k in range(1, 1 + LOOKS // 2)]
    earlier: list[tuple[Scope | None, ...]] = []
    looks = []
    for version in range(LOOKS):
        if version % 2:
            looks.append(look_at(earlier, "sex", "male"))
            earlier.append((WOMEN,))
        else:
            assert look_at(earlier, "sex", "female") == 1
            earlier.append((BOTH,))
    assert looks == [1, 2, 3, 4, 5]
    assert float((data < -np.array(bound)).any(axis=1).mean()) <= 0.03
