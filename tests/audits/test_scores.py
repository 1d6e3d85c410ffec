from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from audits.measures import Measure, Metric, measures, terms
from audits.partitions import Partition, axes, everyone
from audits.scores import group_scores
from contracts.errors import ContractError

ALL = (
    Measure(metric=Metric.ERROR),
    Measure(metric=Metric.SIGNED),
    Measure(metric=Metric.COVERAGE),
    Measure(metric=Metric.MISSED, milestone="walks"),
)
TABLE = pd.DataFrame(
    {
        "subject_id": [1, 1, 2, 3],
        "truth": [10.0, 20.0, 30.0, 40.0],
        "q10": [8.0, 21.0, 20.0, 38.0],
        "q50": [11.0, 25.0, 28.0, 40.0],
        "q90": [15.0, 30.0, 30.0, 42.0],
        "chance:walks": [0.9, 0.2, 0.1, 0.0],
        "reached:walks": [True, True, False, False],
        "group:sex": ["f", "f", "f", "m"],
    }
)


def test_scores_can_be_checked_by_hand() -> None:
    scores = group_scores(TABLE, axes(TABLE)[0], ALL)
    women, men = scores[ALL[0]]
    assert (women.group, women.rows, women.subjects, women.events) == ("f", 3, 2, None)
    assert women.value == pytest.approx(8 / 3)
    assert (women.rest, men.value) == (0.0, 0.0)
    assert men.rest == pytest.approx(8 / 3)
    assert scores[ALL[1]][0].value == pytest.approx(4 / 3)
    assert scores[ALL[2]][0].value == pytest.approx(2 / 3)
    missed = scores[ALL[3]][0]
    assert (missed.value, missed.events) == (0.5, 1)


def test_a_group_in_which_nobody_reached_the_milestone_has_no_rate_instead_of_the_best() -> None:
    women, men = group_scores(TABLE, axes(TABLE)[0], ALL)[ALL[3]]
    assert np.isnan(men.value)
    assert men.events == 0
    assert men.rest == 0.5
    assert np.isnan(women.rest)


@pytest.mark.parametrize("column", ["q50", "q10", "truth", "chance:walks"])
def test_a_silent_group_stops_the_audit(column: str) -> None:
    silent = TABLE.assign(**{column: TABLE[column].where(TABLE["group:sex"] == "f")})
    with pytest.raises(ContractError, match="none are skipped"):
        group_scores(silent, axes(silent)[0], ALL)


def test_metric_frame_agrees_with_ratios_of_sums(candidate: pd.DataFrame) -> None:
    measured = tuple(measure for metric in Metric for measure in measures(candidate, metric))
    partition = axes(candidate)[0]
    told = terms(candidate, measured)
    scores = group_scores(candidate, partition, measured)
    for column, measure in enumerate(measured):
        for group, score in enumerate(scores[measure]):
            inside_N = partition.group_N == group
            for value, rows_N in ((score.value, inside_N), (score.rest, ~inside_N)):
                above = told.numerator_NM[rows_N, column].sum()
                assert value == pytest.approx(above / told.denominator_NM[rows_N, column].sum())


def test_the_order_of_rows_changes_nothing(table_of: Callable[..., pd.DataFrame]) -> None:
    table = table_of(40, models=("candidate",))
    mixed = table.sample(frac=1, random_state=1).reset_index(drop=True)
    one, other = (group_scores(rows, axes(rows)[0], ALL[:3]) for rows in (table, mixed))
    for measure in ALL[:3]:
        for first, second in zip(one[measure], other[measure], strict=True):
            assert (first.group, first.subjects) == (second.group, second.subjects)
            assert first.value == pytest.approx(second.value)


def test_everyone_has_no_rest() -> None:
    whole: Partition = everyone(TABLE)
    assert np.isnan(group_scores(TABLE, whole, ALL[:1])[ALL[0]][0].rest)
