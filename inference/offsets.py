"""Conformalised quantiles: offsets that make the intervals as wide as they claim, for each group.

Letters: B pairs, H horizons, G groups, L pairs of levels (a, 1 - a), Q quantile levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.forecast import MEDIAN, QUANTILE_LEVELS
from contracts.groups import GroupName

MINIMUM_OUTCOMES = 100
"""Below this many outcomes a horizon shares the offsets of all horizons pooled."""

MINIMUM_GROUP = 200
"""From this many outcomes a group has offsets of its own: with 200, split-conformal coverage of
90 % lies within 0.864 to 0.933 in 9 of 10 draws (exact Beta law)."""

POOLING = 100
"""A group of n outcomes moves n / (n + this) of the way from everybody's offsets to its own."""

ROUNDS = 5
"""Of the coordinate descent over groups; the offsets hardly move after three."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offsets:
    """What to add to the quantiles of a forecast, score points; 0 at the median.

    Parameters
    ----------
    offsets_HQ
        For everybody.
    groups_G
        Groups with offsets of their own.
    offsets_GHQ
        Added on top for each of them that a subject belongs to; 0 where a horizon has too few.
    """

    offsets_HQ: Array
    groups_G: tuple[GroupName, ...]
    offsets_GHQ: Array

    def of_groups(self, groups_B: pd.DataFrame) -> Array:
        """Return the offsets of each pair, (B, H, Q)."""
        member_BG = memberships(groups_B, self.groups_G)
        return self.offsets_HQ + np.tensordot(member_BG, self.offsets_GHQ, axes=1)


def memberships(groups_B: pd.DataFrame, groups_G: tuple[GroupName, ...]) -> Array:
    """Tell which groups each pair belongs to, (B, G); without the attribute, to none of its."""
    member_BG = np.zeros((len(groups_B), len(groups_G)))
    # Each column once: asking a table for one takes longer than all that is done with it.
    columns = {group.attribute for group in groups_G}.intersection(groups_B.columns)
    labels = {name: groups_B[name].to_numpy() for name in columns}
    for g, group in enumerate(groups_G):
        if group.attribute in labels:
            member_BG[:, g] = labels[group.attribute] == group.label
    return member_BG


def learn_offsets(
    truth_BH: NDArray[np.float32], quantiles_BHQ: Array, groups_B: pd.DataFrame
) -> Offsets:
    """Learn the offsets from forecasts made without the subject.

    For each pair of levels the score of a forecast is max(q_a - y, y - q_{1-a}), and the offset
    for everybody its (1 - 2a)(1 + 1/n) quantile. Groups overlap (sex, age, wear), so theirs are
    the additive terms of a quantile regression of the score on membership, found by coordinate
    descent.

    Source: Romano, Patterson and Candes 2019 (conformalised quantile regression); Gibbs, Cherian
    and Candes 2023 (regression of the score on overlapping groups). We differ: horizons with few
    outcomes share pooled offsets, and groups are shrunk toward everybody.
    """
    observed_BH = ~np.isnan(truth_BH)
    score_BHL = _scores(truth_BH, quantiles_BHQ)
    everybody_L = _quantiles(score_BHL[observed_BH])
    groups_G = tuple(
        GroupName(attribute=str(name), label=label)
        for name in groups_B.columns
        for label in sorted(groups_B[name].unique())
    )
    member_BG = memberships(groups_B, groups_G) == 1
    offset_HL = np.tile(everybody_L, (truth_BH.shape[1], 1))
    offset_GHL = np.zeros((len(groups_G), *offset_HL.shape))
    for h, seen_B in enumerate(observed_BH.T):
        if seen_B.sum() >= MINIMUM_OUTCOMES:
            offset_HL[h] = _quantiles(score_BHL[seen_B, h])
            offset_GHL[:, h] = _of_groups(score_BHL[seen_B, h] - offset_HL[h], member_BG[seen_B])
    own = (offset_GHL != 0).any(axis=(1, 2))
    return Offsets(
        offsets_HQ=_outward(offset_HL),
        groups_G=tuple(group for group, kept in zip(groups_G, own, strict=True) if kept),
        offsets_GHQ=_outward(offset_GHL[own]),
    )


def calibrate(quantiles_BHQ: Array, offsets: Array, low: float, high: float) -> Array:
    """Add the offsets; keep the quantiles rising (outward from the median) and inside the scale."""
    shifted = quantiles_BHQ + offsets
    upper = np.maximum.accumulate(shifted[..., MEDIAN:], axis=-1)
    lower = np.minimum.accumulate(shifted[..., MEDIAN::-1], axis=-1)[..., ::-1]
    joined = np.concatenate([lower[..., :-1], upper], axis=-1)
    return np.asarray(np.clip(joined, low, high), dtype=np.float64)


def _scores(truth_BH: NDArray[np.float32], quantiles_BHQ: Array) -> Array:
    lower_BHL = quantiles_BHQ[..., :MEDIAN] - truth_BH[..., None]
    upper_BHL = truth_BH[..., None] - quantiles_BHQ[..., :MEDIAN:-1]
    return np.maximum(lower_BHL, upper_BHL)


def _quantiles(score_NL: Array) -> Array:
    """Return the conformal quantile of each pair of levels, (L,); 0 without any outcome."""
    if len(score_NL) == 0:
        return np.zeros(MEDIAN)
    share_L = (1 - 2 * np.array(QUANTILE_LEVELS[:MEDIAN])) * (1 + 1 / len(score_NL))
    return np.array(
        [
            np.quantile(score_N, min(share, 1.0), method="higher")
            for score_N, share in zip(score_NL.T, share_L, strict=True)
        ]
    )


def _of_groups(left_NL: Array, member_NG: NDArray[np.bool_]) -> Array:
    """Return what each group adds to the offsets, (G, L); 0 for groups that are too small."""
    offset_GL = np.zeros((member_NG.shape[1], left_NL.shape[1]))
    size_G = member_NG.sum(axis=0)
    for _ in range(ROUNDS):
        for g in np.flatnonzero(size_G >= MINIMUM_GROUP):
            others_NL = left_NL - member_NG @ offset_GL + member_NG[:, [g]] * offset_GL[g]
            shrunk = size_G[g] / (size_G[g] + POOLING)
            offset_GL[g] = shrunk * _quantiles(others_NL[member_NG[:, g]])
    return offset_GL


def _outward(offset: Array) -> Array:
    """Turn widenings of pairs of levels (..., L) into offsets of quantiles (..., Q)."""
    middle = np.zeros((*offset.shape[:-1], 1))
    return np.concatenate([-offset, middle, offset[..., ::-1]], axis=-1)
