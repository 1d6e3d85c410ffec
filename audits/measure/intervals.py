"""How certain a score is: bootstrap by subject, of group values and of the disparity itself.

All rows of a subject enter together, as often as the subject is drawn. All replicates are computed
at once: the sums of each subject in each cell of the attributes, times how often each replicate
draws the subject. MetricFrame's own bootstrap draws rows instead of people, and loops in Python.

Letters: N rows, S subjects, C cells, G groups, M measures, K sums, R replicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.measure.cell_sums import Cells, CellSums, of_groups
from audits.measure.clustered.clusters import Clusters
from audits.measure.clustered.draws import Draws, draws_of
from audits.measure.groups import Grouping
from audits.measure.metric_definitions import MetricThresholds
from audits.measure.metrics import Measure, Metric, auroc_inputs
from audits.measure.people import person_weights
from audits.measure.ranking import Chances, auroc, auroc_in_group_and_rest
from contracts.predictions import SUBJECT

Array = NDArray[np.float64]

WEIGHTS_AT_ONCE = 4_000_000
"""Weights held in memory at once (32 MB); more subjects mean fewer replicates a chunk."""

UNDEFINED_AT_MOST = 0.05
"""Share of replicates without a value that an interval may leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Measures in the groups of a grouping, with bootstrap replicates; NaN where undefined.

    Parameters
    ----------
    grouping, measured
        Which groups, and what was measured.
    value_GM, rest_GM, overall_GM
        The measure in the group, in everyone else, and in everyone (the same for each group).
    value_RGM, rest_RGM, overall_RGM
        The same in each replicate.
    draws
        How the replicates were drawn.
    """

    grouping: Grouping
    measured: tuple[Measure, ...]
    value_GM: Array
    rest_GM: Array
    overall_GM: Array
    value_RGM: Array
    rest_RGM: Array
    overall_RGM: Array
    draws: Draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two-sided confidence interval, both ends included."""

    low: float
    high: float


def bootstrap(
    table: pd.DataFrame,
    groupings: Sequence[Grouping],
    measured: tuple[Measure, ...],
    *,
    replicates: int,
    seed: int,
    thresholds: MetricThresholds,
    ranks_rest: bool = True,
    weights_at_once: int = WEIGHTS_AT_ONCE,
) -> list[Scores]:
    """Measure every group of the groupings, with replicates drawn by subject.

    Where the table says what people are clustered by, as many replicates again follow for each
    clustering, of which whole clusters are drawn, each with all of its people (Field and Welsh
    2007).

    The same seed draws the same subjects for every table of the same people, whatever the chunks,
    so that two models are compared replicate by replicate.

    Parameters
    ----------
    table
        Rows of one model (`contracts.predictions`), at least one.
    groupings
        The groups; a subject's rows may be in several.
    measured
        What to measure, at least one.
    replicates, seed
        Number of replicates, and the seed of the draws.
    thresholds
        Thresholds of the policy that metrics use.
    ranks_rest
        Whether the AUROC of a group's rest is wanted, most of the time of ranking; else NaN.
    weights_at_once
        Bound on memory.

    Raises
    ------
    ContractError
        A forecast or a truth is missing.
    """
    _, subject_N = np.unique(table[SUBJECT].to_numpy(), return_inverse=True)
    cells = Cells.of(subject_N, groupings)
    clusters = Clusters.of(table, subject_N)
    summed_M = [m for m, measure in enumerate(measured) if measure.metric is not Metric.AUROC]
    sums = CellSums.of(table, [measured[m] for m in summed_M], cells, thresholds)
    auroc_rows = {m: auroc_inputs(table, m) for m in measured if m.metric is Metric.AUROC}
    auroc_weights = {m: person_weights(table, m, thresholds) for m in auroc_rows}
    ways = [
        (sums, subject_N),
        *(
            (sums.by_cluster(number_S), number_S[subject_N])
            for number_S in (() if clusters is None else clusters.number_KS)
        ),
    ]
    shape = (len(ways) * replicates + 1, len(measured))
    results = [np.empty((3, shape[0], len(g.labels_G), shape[1])) for g in groupings]
    for way, (sums_of_way, drawn_N) in enumerate(ways):
        units = int(drawn_N.max()) + 1
        # A replicate needs its weights, and the sums of each cell.
        drawn = len(table) if auroc_rows else units
        per_replicate = max(drawn, len(cells.group_PC[0]) * len(sums.sums_KE))
        width = max(1, weights_at_once // per_replicate)
        for start, weight_RU in _weights(units, replicates, seed, width):
            if way and start == 0:
                # What everyone counts once for is there already.
                continue
            rows = slice(way * replicates + start, way * replicates + start + len(weight_RU))
            sums_CKR = sums_of_way.weighted(weight_RU)
            weight_NR = weight_RU.T[drawn_N] if auroc_rows else np.empty((0, 0))
            weights = {m: weight_N[:, None] * weight_NR for m, weight_N in auroc_weights.items()}
            overall = {m: _overall_auroc(*auroc_rows[m], weights[m]) for m in auroc_rows}
            for grouping, group_C, out in zip(groupings, cells.group_PC, results, strict=True):
                values_3MGR = of_groups(sums_CKR, group_C, grouping, sums_of_way)
                out[:, rows, :, summed_M] = values_3MGR.transpose(0, 3, 2, 1)
                for column, measure in enumerate(measured):
                    if measure in auroc_rows:
                        inputs = (
                            *auroc_rows[measure],
                            grouping,
                            weights[measure],
                            overall[measure],
                        )
                        triple = _group_aurocs(*inputs, ranks_rest)
                        out[:, rows, :, column] = np.stack(triple).swapaxes(1, 2)
    return [
        Scores(
            grouping=grouping, measured=measured,
            value_GM=out[0, 0], rest_GM=out[1, 0], overall_GM=out[2, 0],
            value_RGM=out[0, 1:], rest_RGM=out[1, 1:], overall_RGM=out[2, 1:],
            draws=draws_of(grouping, subject_N, clusters, replicates),
        )
        for grouping, out in zip(groupings, results, strict=True)
    ]  # fmt: skip


def percentile_interval(replicate_R: Array, *, confidence: float) -> Interval | None:
    """Return the percentile interval, or None where too many replicates are undefined.

    Two-sided: (1 - confidence) / 2 lies beyond either end, so that one bound alone holds with a
    confidence of (1 + confidence) / 2.
    """
    defined_R = replicate_R[np.isfinite(replicate_R)]
    if len(defined_R) < (1 - UNDEFINED_AT_MOST) * len(replicate_R):
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined_R, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high))


def widest_interval(
    replicate_R: Array, *, confidence: float, draws: Draws, group: int | None
) -> Interval | None:
    """Return the percentile interval that holds however replicates were drawn, or None.

    The clusters of a group are fewer than its people, so the percentiles of their replicates lie as
    much farther out as t and the variance of few clusters ask (the expanded percentiles of
    Hesterberg 2015, compared with those of the people). Clusters that are too few are not drawn.

    Parameters
    ----------
    group
        Whose statistic it is; None of one over all groups.
    """
    first, *others = draws.blocks(replicate_R)
    found = percentile_interval(first, confidence=confidence)
    for block_R, wider in zip(others, draws.confidences(confidence, group), strict=True):
        other = None if wider is None else percentile_interval(block_R, confidence=wider)
        if found is not None and other is not None:
            found = Interval(low=min(found.low, other.low), high=max(found.high, other.high))
    return found


def _overall_auroc(
    chance_N: Array, reached_N: NDArray[np.bool_], counted_N: NDArray[np.bool_], weight_NR: Array
) -> Array:
    """Return the AUROC over everyone, (1, R)."""
    one_group_N = np.zeros(int(counted_N.sum()), dtype=np.intp)
    return auroc(
        Chances(
            chance_N=chance_N[counted_N], reached_N=reached_N[counted_N],
            group_N=one_group_N, groups=1, weight_NR=weight_NR[counted_N],
        )
    )  # fmt: skip


def _group_aurocs(
    chance_N: Array,
    reached_N: NDArray[np.bool_],
    counted_N: NDArray[np.bool_],
    grouping: Grouping,
    weight_NR: Array,
    overall_1R: Array,
    ranks_rest: bool,
) -> tuple[Array, Array, Array]:
    """Return the AUROC in the group, in the rest and in everyone, each (G, R)."""
    chances = Chances(
        chance_N=chance_N[counted_N], reached_N=reached_N[counted_N],
        group_N=grouping.group_N[counted_N], groups=len(grouping.labels_G),
        weight_NR=weight_NR[counted_N],
    )  # fmt: skip
    if ranks_rest and len(grouping.attributes) == 1:
        value_GR, rest_GR = auroc_in_group_and_rest(chances)
    else:
        # The rest of an intersection's group is not ranked: no rule needs it.
        value_GR = auroc(chances)
        rest_GR = np.full(value_GR.shape, np.nan)
    return value_GR, rest_GR, np.broadcast_to(overall_1R, value_GR.shape)


def _weights(subjects: int, replicates: int, seed: int, width: int) -> Iterator[tuple[int, Array]]:
    """Yield weights (R, S) in chunks: everyone once, then how often each replicate draws each."""
    yield 0, np.ones((1, subjects))
    generator = np.random.default_rng(seed)
    for start in range(0, replicates, width):
        count = min(width, replicates - start)
        # Counting draws gives the multinomial distribution, several times faster than sampling it.
        # One replicate after the other, as with a million subjects only one fits into a cache.
        drawn_RS = generator.integers(subjects, size=(count, subjects))
        drawn_RS += subjects * np.arange(count)[:, None]
        weights = np.bincount(drawn_RS.ravel(), minlength=subjects * count)
        yield start + 1, weights.reshape(count, subjects).astype(np.float64)
