from __future__ import annotations

import pytest

from audits.judging.policy import load_policy
from audits.judging.units import POINTS, in_unit, score_unit, without_unit
from audits.judging.wording import limit_in_words
from audits.measure.metrics import Metric

SPEED = "REHABCAST//WALK_TEST_SPEED"


def test_scores_of_the_shipped_policy_are_points() -> None:
    assert load_policy().score_unit == POINTS


def test_another_instrument_has_its_own_unit_with_decimals_that_show_its_differences() -> None:
    unit = score_unit(SPEED, 0.12)
    assert (unit.name, unit.rounded(-0.118)) == ("m/s", "0.12 m/s")
    assert in_unit(Metric.MEAN_ABSOLUTE_ERROR, unit, 0.1234) == "0.123 m/s"


def test_a_limit_carried_over_is_worded_in_the_instruments_unit() -> None:
    policy = load_policy().carried_over(SPEED, 0.12)
    rules = {rule.name: rule for rule in policy.rules}
    error = rules["no group forecast less accurately"]
    assert limit_in_words(error, policy.score_unit) == "at most 0.120 m/s"


@pytest.mark.parametrize(
    ("metric", "values", "words"),
    [
        (Metric.COVERAGE, (0.8, 0.912), "80 to 91 %"),
        (Metric.SIGNED_ERROR, (-0.001,), "0.00 points"),
        (Metric.AUROC, (0.75,), "0.750"),
        (Metric.WEAR_HOURS, (12.34,), "12.3 hours"),
    ],
)
def test_a_number_has_the_unit_of_its_metric(
    metric: Metric, values: tuple[float, ...], words: str
) -> None:
    assert in_unit(metric, POINTS, *values) == words
    assert words.startswith(without_unit(metric, POINTS, *values))
