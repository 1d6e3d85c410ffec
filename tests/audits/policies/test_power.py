from __future__ import annotations

from math import isclose, sqrt

import pytest
from scipy.stats import binom, t

from audits.judging.policy import load_policy
from audits.policies.power import worst_that_passes

POLICY = load_policy()
RULES = {rule.name: rule for rule in POLICY.rules}


@pytest.mark.parametrize("people", [30, 100, 200])
def test_a_difference_of_means_follows_its_closed_form(people: int) -> None:
    rule = RULES["no group forecast less accurately"]
    half = people // 2
    margin = t.ppf(0.975, half - 1) * 4.25 * sqrt(2 / half)
    found = worst_that_passes(rule, POLICY, people)
    assert found is not None
    assert isclose(found, 4.25 - margin, abs_tol=0.02)


@pytest.mark.parametrize("people", [60, 100, 200])
def test_a_share_passes_from_the_exact_binomial_number_on(people: int) -> None:
    rule = RULES["honest intervals in every group"]
    half = people // 2
    found = worst_that_passes(rule, POLICY, people)
    assert found is not None
    inside = round(found * half)
    assert binom.sf(inside - 1, half, rule.limit) <= 0.025 < binom.sf(inside - 2, half, rule.limit)


def test_too_few_people_show_nothing() -> None:
    assert all(worst_that_passes(rule, POLICY, 10) is None for rule in POLICY.rules
               if rule.scope != "overall")  # fmt: skip
