from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audits.measures import Measure, Metric, measures, terms
from contracts.errors import ContractError

TABLE = pd.DataFrame(
    {
        "truth": [10.0, 20.0, 30.0],
        "q10": [8.0, 21.0, 20.0],
        "q50": [11.0, 25.0, 28.0],
        "q90": [15.0, 30.0, 30.0],
        "chance:walks": [0.5, 0.49, 0.1],
        "reached:walks": [True, True, False],
    }
)


def test_a_metric_of_milestones_is_measured_once_per_milestone() -> None:
    (missed,) = measures(TABLE, Metric.MISSED)
    assert missed.name == "false-negative rate: walks"
    assert [measure.name for measure in measures(TABLE, Metric.ERROR)] == ["mean absolute error"]


def test_terms_can_be_checked_by_hand() -> None:
    measured = (
        Measure(metric=Metric.ERROR),
        Measure(metric=Metric.SIGNED),
        Measure(metric=Metric.COVERAGE),
        Measure(metric=Metric.MISSED, milestone="walks"),
    )
    told = terms(TABLE, measured)
    np.testing.assert_array_equal(
        told.numerator_NM, [[1, 1, 1, 0], [5, 5, 0, 1], [2, -2, 1, 0]], strict=False
    )
    np.testing.assert_array_equal(
        told.denominator_NM, [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0]], strict=False
    )


@pytest.mark.parametrize("column", ["truth", "q50"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_number_is_refused_and_never_skipped(column: str, value: float) -> None:
    broken = TABLE.assign(**{column: [value, *TABLE[column][1:]]})
    with pytest.raises(ContractError, match=rf"{column}: 1 row\(s\) are not finite"):
        terms(broken, (Measure(metric=Metric.ERROR),))
