"""Whole clusters are drawn: which replicates count, and that nothing gets narrower."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.measure.groups import by_attribute, everyone
from audits.measure.intervals import Scores, bootstrap, percentile_interval, widest_interval
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric
from support.clustered_trials import Setting, coverage_of_bootstrap

MEASURED = (
    Measure(metric=Metric.MEAN_ABSOLUTE_ERROR),
    Measure(metric=Metric.AUROC, milestone="important gain"),
)


def drawn(table: pd.DataFrame, replicates: int = 60) -> list[Scores]:
    return bootstrap(
        table, [everyone(table), *by_attribute(table)], MEASURED, replicates=replicates, seed=4,
        thresholds=MetricThresholds(),
    )  # fmt: skip


def clustered(table: pd.DataFrame, clusters: int, seed: int = 0) -> pd.DataFrame:
    label_S = np.random.default_rng(seed).integers(clusters, size=table["subject_id"].max() + 1)
    return table.assign(**{"cluster:site": label_S[table["subject_id"]].astype(str)})


def test_where_everybody_is_a_cluster_the_same_people_are_drawn(candidate: pd.DataFrame) -> None:
    names = np.random.default_rng(1).permutation(candidate["subject_id"].max() + 1)
    alone = candidate.assign(**{"cluster:site": names[candidate["subject_id"]].astype(str)})
    for plain, found in zip(drawn(candidate), drawn(alone), strict=True):
        for way in (slice(0, 60), slice(60, 120)):
            np.testing.assert_array_equal(found.value_RGM[way], plain.value_RGM)
            np.testing.assert_array_equal(found.rest_RGM[way], plain.rest_RGM)
        for group in range(len(plain.grouping.labels_G)):
            both = (
                widest_interval(
                    s.value_RGM[:, group, 0], confidence=0.95, draws=s.draws, group=group
                )
                for s in (plain, found)
            )
            assert len(set(both)) == 1


def test_without_clusters_the_widest_interval_is_that_of_percentiles(
    candidate: pd.DataFrame,
) -> None:
    for scores in drawn(candidate):
        replicate_R = scores.value_RGM[:, 0, 0]
        assert widest_interval(
            replicate_R, confidence=0.9, draws=scores.draws, group=0
        ) == percentile_interval(replicate_R, confidence=0.9)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 9, 40]))
def test_neither_labels_nor_the_order_of_rows_matter_and_nothing_gets_narrower(
    candidate: pd.DataFrame, seed: int, clusters: int
) -> None:
    table = clustered(candidate, clusters, seed)
    other = table.assign(**{"cluster:site": "x" + table["cluster:site"]})
    other = other.sample(frac=1, random_state=seed).reset_index(drop=True)
    for plain, found, same in zip(drawn(candidate), drawn(table), drawn(other), strict=True):
        np.testing.assert_allclose(same.value_RGM[:, :, 0], found.value_RGM[:, :, 0])
        for group in range(len(plain.grouping.labels_G)):
            before = percentile_interval(plain.value_RGM[:, group, 0], confidence=0.95)
            after = widest_interval(
                found.value_RGM[:, group, 0], confidence=0.95, draws=found.draws, group=group
            )
            assert before is not None
            assert after is not None
            assert after.low <= before.low
            assert after.high >= before.high
            if clusters < 3:
                # Too few to be drawn.
                assert after == before


@pytest.mark.parametrize(("hospitals", "plain_at_most"), [(8, 0.8), (20, 0.9)])
def test_reported_intervals_hold_where_people_of_a_hospital_are_alike(
    hospitals: int, plain_at_most: float
) -> None:
    found = coverage_of_bootstrap(Setting(hospitals=hospitals), trials=60)
    assert found.of_people <= plain_at_most
    assert 0.9 <= found.of_clusters <= 1.0


@pytest.mark.soak
def test_clusters_take_about_twice_as_long_at_most(table_of: Callable[..., pd.DataFrame]) -> None:
    table = table_of(800, models=("candidate",), groups={"a": tuple("abcdef"), "b": tuple("xyz")})

    def seconds(rows: pd.DataFrame) -> float:
        start = time.process_time()
        drawn(rows, replicates=300)
        return time.process_time() - start

    assert min(seconds(clustered(table, 60)) for _ in range(3)) < 2.5 * min(
        seconds(table) for _ in range(3)
    )
