"""How the replicates of a bootstrap were drawn: people, then whole clusters.

Letters: N rows, S people, G groups, K clusterings, R replicates.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy
from numpy.typing import NDArray

from audits.measure.clustered.clusters import Clusters
from audits.measure.groups import Grouping

Array = NDArray[np.float64]

FEWEST_DRAWN = 3
"""Clusters that hold a group from which they are drawn: of fewer, too many replicates have none of
its people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """How the replicates of a grouping were drawn.

    Parameters
    ----------
    replicates
        Of people; then as many of each clustering.
    names, held_KG
        The clusterings, and how many clusters hold each group.
    people_G, clusters_KG
        People of each group or of its rest, whichever are fewer; and clusters, as many as would be
        as uneven if they were even (Kish 1965); NaN where they are too few to be drawn.
    """

    replicates: int
    people_G: Array
    clusters_KG: Array
    names: tuple[str, ...] = ()
    held_KG: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 0), np.int64))

    def blocks(self, replicate_R: Array) -> list[Array]:
        """Return the replicates of people, then those of each clustering."""
        return np.split(replicate_R, 1 + len(self.clusters_KG))

    def confidences(self, confidence: float, group: int | None) -> list[float | None]:
        """Return how far out the percentiles of each clustering lie; None of one not drawn."""
        level = (1 + confidence) / 2
        people = float(self.people_G.min() if group is None else self.people_G[group])
        found: list[float | None] = []
        for clusters_G in self.clusters_KG:
            clusters = float(clusters_G.min() if group is None else clusters_G[group])
            if np.isnan(clusters) or people < 2:
                found.append(None)
                continue
            ratio = _quantile(clusters, level) / _quantile(people, level)
            z = float(scipy.stats.norm.ppf(level)) * max(ratio, 1.0)
            # Equal numbers leave the confidence as it is, to the bit.
            found.append(
                confidence if ratio <= 1 + 1e-9 else float(2 * scipy.stats.norm.cdf(z) - 1)
            )
        return found

    def error(self, replicate_R: Array, group: int | None) -> float:
        """Return the largest standard error, of people or of clusters; NaN without replicates."""
        first, *others = self.blocks(replicate_R)
        drawn = [first] + [
            block_R
            for block_R, wider in zip(others, self.confidences(0.95, group), strict=True)
            if wider is not None
        ]
        defined = [block_R[np.isfinite(block_R)] for block_R in drawn]
        errors = [float(block_R.std(ddof=1)) for block_R in defined if len(block_R) > 1]
        return max(errors, default=float("nan"))


def _quantile(units: float, level: float) -> float:
    units = max(units, 1.5)
    return float(np.sqrt(units / (units - 1)) * scipy.stats.t.ppf(level, units - 1))


def draws_of(
    grouping: Grouping, subject_N: NDArray[np.intp], clusters: Clusters | None, replicates: int
) -> Draws:
    """Return how the replicates of a grouping were drawn."""
    groups = len(grouping.labels_G)
    people = int(subject_N.max()) + 1
    group_E, subject_E = np.divmod(np.unique(grouping.group_N * people + subject_N), people)
    inside_G = np.bincount(group_E, minlength=groups).astype(np.float64)
    sides = [inside_G] if groups == 1 else [inside_G, people - inside_G]
    people_G = np.min(sides, axis=0)
    if clusters is None:
        return Draws(replicates=replicates, people_G=people_G, clusters_KG=np.empty((0, groups)))
    found = [_clusters(group_E, subject_E, number_S, groups) for number_S in clusters.number_KS]
    return Draws(
        replicates=replicates,
        people_G=people_G,
        clusters_KG=np.stack([effective_G for effective_G, _ in found]),
        names=clusters.names,
        held_KG=np.stack([held_G for _, held_G in found]),
    )


def _clusters(
    group_E: NDArray[np.intp], subject_E: NDArray[np.intp], number_S: NDArray[np.intp], groups: int
) -> tuple[Array, NDArray[np.int64]]:
    """Return the effective number of clusters of each group or its rest, and how many hold it."""
    clusters = int(number_S.max()) + 1
    all_C = np.bincount(number_S, minlength=clusters)
    fewest_G, held_G = np.empty(groups), np.empty(groups, dtype=np.int64)
    for group in range(groups):
        inside_C = np.bincount(number_S[subject_E[group_E == group]], minlength=clusters)
        sides = [inside_C] if groups == 1 else [inside_C, all_C - inside_C]
        enough = all((side_C > 0).sum() >= FEWEST_DRAWN for side_C in sides)
        kish = [side_C.sum() ** 2 / max(int((side_C**2).sum()), 1) for side_C in sides]
        fewest_G[group] = min(kish) if enough else np.nan
        held_G[group] = (inside_C > 0).sum()
    return fewest_G, held_G
