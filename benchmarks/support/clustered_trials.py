"""SIMULATED people of hospitals who are alike, and how often intervals hold their true value.

Letters: N people, C hospitals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.bounds import Limit, difference_bounds, mean_bounds
from audits.measure.clustered.clusters import Clusters
from audits.measure.disparity import Direction, Statistic, estimates
from audits.measure.groups import Grouping
from audits.measure.intervals import bootstrap, percentile_interval, widest_interval
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric
from audits.measure.people import RowSums, people_of_groups
from contracts.predictions import CLUSTER, HORIZON, SUBJECT, TRUTH

SPREAD = 6.0
LIMIT = Limit(direction=Direction.WITHIN, value=4.25, confidence=0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A simulated cohort.

    Parameters
    ----------
    hospitals, people
        How many.
    correlation
        Intraclass correlation of people of a hospital.
    group
        `everyone`; `hospitals`: half of the hospitals with all of their people; `mixed`: one in
        ten people of half of the hospitals, six in ten of the others.
    is_even
        Whether hospitals are about equally large, or as uneven as a flat Dirichlet draw.
    """

    hospitals: int
    people: int = 300
    correlation: float = 0.1
    group: str = "everyone"
    is_even: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often an interval held the true value, of people and of clusters, and how wide it was.

    Parameters
    ----------
    wider
        Width of the one over that of the other.
    """

    of_people: float
    of_clusters: float
    wider: float


def coverage_of_bounds(setting: Setting, trials: int, seed: int = 0) -> Coverage:
    """Return it of the bounds that binding rules are decided by."""
    rng = np.random.default_rng(seed)
    held, width = np.zeros(2), np.zeros(2)
    for _ in range(trials):
        hospital_N, value_N, grouping = _drawn(setting, rng)
        numbers = pd.factorize(hospital_N)[0][None].astype(np.intp)
        for which, clusters in enumerate((None, Clusters(names=("hospital",), number_KS=numbers))):
            sums = RowSums(
                subject_N=np.arange(len(value_N)), numerator_N=value_N,
                denominator_N=np.ones(len(value_N)), clusters=clusters,
            )  # fmt: skip
            bounds_of = mean_bounds if grouping.is_constant else difference_bounds
            bounds = bounds_of(people_of_groups(sums, grouping), LIMIT)
            low, high = bounds.low_G[-1], bounds.high_G[-1]
            held[which] += low <= 0 <= high
            width[which] += high - low
    return _coverage(held, width, trials)


def coverage_of_bootstrap(
    setting: Setting, trials: int, replicates: int = 400, seed: int = 0
) -> Coverage:
    """Return it of reported intervals: the percentiles of people, and the widest."""
    rng = np.random.default_rng(seed)
    held, width = np.zeros(2), np.zeros(2)
    for trial in range(trials):
        hospital_N, value_N, grouping = _drawn(setting, rng)
        table = pd.DataFrame(
            {SUBJECT: np.arange(len(value_N)), TRUTH: 0.0, "q50": value_N, HORIZON: 84}
        ).assign(**{CLUSTER + "hospital": hospital_N.astype(str)})
        measured = (Measure(metric=Metric.SIGNED_ERROR),)
        (scores,) = bootstrap(
            table, [grouping], measured, replicates=replicates, seed=trial,
            thresholds=MetricThresholds(),
        )  # fmt: skip
        groups = len(grouping.labels_G)
        statistic = Statistic.VALUE if grouping.is_constant else Statistic.DIFFERENCE
        (*_, last) = estimates(scores, 0, statistic, np.ones(groups, dtype=np.bool_))
        people = percentile_interval(last.replicate_R[:replicates], confidence=0.95)
        widest = widest_interval(
            last.replicate_R, confidence=0.95, draws=scores.draws, group=last.group
        )
        for which, interval in enumerate((people, widest)):
            if interval is not None:
                held[which] += interval.low <= 0 <= interval.high
                width[which] += interval.high - interval.low
    return _coverage(held, width, trials)


def _coverage(held: NDArray[np.float64], width: NDArray[np.float64], trials: int) -> Coverage:
    of_people, of_clusters = (held / trials).tolist()
    return Coverage(of_people=of_people, of_clusters=of_clusters, wider=float(width[1] / width[0]))


def _drawn(
    setting: Setting, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64], Grouping]:
    """Return hospital and error of each person, whose true mean is 0, and the groups."""
    hospitals, people = setting.hospitals, setting.people
    share_C = rng.dirichlet(np.ones(hospitals)) if not setting.is_even else None
    hospital_N = rng.choice(hospitals, people, p=share_C)
    effect_C = np.sqrt(setting.correlation) * rng.normal(size=hospitals)
    own_N = np.sqrt(1 - setting.correlation) * rng.normal(size=people)
    chance_N = {
        "everyone": np.zeros(people),
        "hospitals": (hospital_N % 2 == 0).astype(np.float64),
        "mixed": np.where(hospital_N % 2 == 0, 0.1, 0.6),
    }[setting.group]
    labels: Sequence[str] = ("everyone",) if setting.group == "everyone" else ("others", "group")
    grouping = Grouping(
        axis="made up", attributes=("made up",), labels_G=tuple(labels),
        group_N=(rng.random(people) < chance_N).astype(np.intp),
    )  # fmt: skip
    return hospital_N, SPREAD * (effect_C[hospital_N] + own_N), grouping
