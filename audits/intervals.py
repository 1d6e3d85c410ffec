"""How sure a score is: bootstrap by subject, of group values and of the disparity itself.

All rows of a subject enter together, as often as the subject is drawn. Replicates are computed at
once from each subject's sums, which takes the place of MetricFrame's own bootstrap: that one draws
rows, not people, and loops in Python. Letters: N rows, S subjects, G groups, M measures,
R replicates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audits.measures import Terms
from audits.partitions import Partition

WEIGHTS_AT_ONCE = 2_000_000
"""Subject weights held in memory at once (16 MB); more subjects mean fewer replicates a chunk."""

UNDEFINED_AT_MOST = 0.05
"""Share of replicates without the group that an interval may leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicates:
    """Bootstrap replicates of measures in groups; NaN where a replicate has no denominator.

    Parameters
    ----------
    value_RGM
        The measure in the group.
    rest_RGM
        The measure in everyone else on the axis.
    """

    value_RGM: NDArray[np.float64]
    rest_RGM: NDArray[np.float64]

    @property
    def difference_RGM(self) -> NDArray[np.float64]:
        """Group minus everyone else."""
        return self.value_RGM - self.rest_RGM


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Two-sided confidence interval, both ends included."""

    low: float
    high: float


def bootstrap(
    row_terms: Terms,
    subject_N: NDArray[np.int64],
    partition: Partition,
    *,
    replicates: int,
    seed: int,
    weights_at_once: int = WEIGHTS_AT_ONCE,
) -> Replicates:
    """Bootstrap measures in every group of a partition by subject.

    The same seed draws the same subjects for every partition of a table, and whatever the chunks.

    Parameters
    ----------
    row_terms
        Numerators and denominators of the rows.
    subject_N
        Whose row it is.
    partition
        The groups; a subject's rows may lie in several.
    replicates, seed
        How many draws, and from where.
    weights_at_once
        Bound on memory: replicates x subjects of one chunk.
    """
    _, index_N = np.unique(subject_N, return_inverse=True)
    subjects, groups = int(index_N.max()) + 1, len(partition.labels_G)
    cell_N = index_N * groups + partition.group_N
    # (S, 2 G M): each subject's sums of numerators and denominators in each group.
    sums_SK = np.concatenate(
        [
            np.bincount(cell_N, weights=term_N, minlength=subjects * groups).reshape(subjects, -1)
            for term_N in (*row_terms.numerator_NM.T, *row_terms.denominator_NM.T)
        ],
        axis=1,
    )
    sums_RK = _resampled(sums_SK, replicates, seed, max(1, weights_at_once // subjects))
    numerator_RMG, denominator_RMG = np.split(sums_RK.reshape(replicates, -1, groups), 2, axis=1)
    return Replicates(
        value_RGM=_ratio(numerator_RMG, denominator_RMG).swapaxes(1, 2),
        rest_RGM=_ratio(_others(numerator_RMG), _others(denominator_RMG)).swapaxes(1, 2),
    )


def percentile_interval(replicate_R: NDArray[np.float64], *, confidence: float) -> Interval | None:
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


def _resampled(
    sums_SK: NDArray[np.float64], replicates: int, seed: int, chunk: int
) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    sums_RK = np.empty((replicates, sums_SK.shape[1]))
    for start in range(0, replicates, chunk):
        stop = min(start + chunk, replicates)
        sums_RK[start:stop] = _weights(generator, stop - start, len(sums_SK)) @ sums_SK
    return sums_RK


def _weights(generator: np.random.Generator, replicates: int, subjects: int) -> NDArray[np.float64]:
    """Return multinomial weights (R, S): how often each replicate draws each subject."""
    # Counting draws is the multinomial distribution, and several times faster than asking for it.
    drawn_RS = generator.integers(subjects, size=(replicates, subjects))
    cell_RS = drawn_RS + subjects * np.arange(replicates)[:, None]
    counts = np.bincount(cell_RS.ravel(), minlength=replicates * subjects)
    return counts.reshape(replicates, subjects).astype(np.float64)


def _others(sums_RMG: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums_RMG.sum(axis=-1, keepdims=True) - sums_RMG)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.full(above.shape, np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio
