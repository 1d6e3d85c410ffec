"""Conformalised quantiles: offsets that make the intervals as wide as they claim.

They do so for each group, and soon after onset, when people are harder to forecast, as long after
it (docs/decisions/0032).

Letters: B pairs, H horizons, G groups, L pairs of levels (a, 1 - a), Q quantile levels, N outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.forecast import MEDIAN, QUANTILE_LEVELS
from contracts.groups import MINIMUM_SHOWN, GroupName

MINIMUM_OUTCOMES = 100
"""Below this many outcomes a horizon shares the offsets of all horizons pooled."""

MINIMUM_GROUP = 200
"""From this many outcomes a group has offsets of its own: with 200, split-conformal coverage of
90 % lies within 0.864 to 0.933 in 9 of 10 draws (exact Beta law)."""

POOLING = 100
"""A group of n outcomes moves n / (n + this) of the way from everybody's offsets to its own."""

POOLING_OVER_TIME = 50
"""The same of n people who are early or late, whichever are fewer: outcomes of a person say much
the same, and a hundred of one horizon are of fifty people who are forecast on two days."""

OFTEN_SEEN = (10, 90)
"""Percentiles of the time since onset between which offsets change with it."""

LEAST_APART = 0.5
"""How late those seen late and early are apart at least, so that no offset differs by more than
twice what theirs do (`lateness`)."""

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
    onset_days
        Two times since onset, days.
    late_Q
        Added on top from the second of them on; before it in part (`lateness`).
    """

    offsets_HQ: Array
    groups_G: tuple[GroupName, ...]
    offsets_GHQ: Array
    onset_days: tuple[float, float]
    late_Q: Array

    def of_pairs(self, groups_B: pd.DataFrame, days_B: NDArray[Any]) -> Array:
        """Return the offsets of each pair, (B, H, Q), of its groups and its days since onset."""
        member_BG = memberships(groups_B, self.groups_G)
        late_B11 = lateness(days_B, self.onset_days)[:, None, None]
        own_BHQ = np.tensordot(member_BG, self.offsets_GHQ, axes=1)
        return np.asarray(self.offsets_HQ + own_BHQ + late_B11 * self.late_Q)


def lateness(days_B: NDArray[Any], onset_days: tuple[float, float]) -> Array:
    """Return where days since onset lie from the first to the second of two times, (B,), 0 to 1.

    In logarithms: recovery slows down, and a week means most in the first. Between twice the same
    time it is 0.
    """
    first, second = np.log(onset_days)
    if first == second:
        return np.zeros(len(days_B))
    passed_B = np.log(np.maximum(days_B, 1.0)) - first
    return np.asarray(np.clip(passed_B / (second - first), 0.0, 1.0))


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
    truth_BH: NDArray[np.float32],
    quantiles_BHQ: Array,
    groups_B: pd.DataFrame,
    days_B: NDArray[Any],
    subject_B: NDArray[Any],
) -> Offsets:
    """Learn the offsets from forecasts made without the subject.

    For each pair of levels the score of a forecast is max(q_a - y, y - q_{1-a}), and the offset
    for everybody its (1 - 2a)(1 + 1/n) quantile. Groups overlap (sex, age, wear), so theirs are
    the additive terms of a quantile regression of the score on membership, found by coordinate
    descent. So is that of the time since onset, of all horizons pooled: its slope is that between
    the quantiles of those seen early and of those seen late (the method of groups; Wald 1940).

    Source: Romano, Patterson and Candes 2019 (conformalised quantile regression); Gibbs, Cherian
    and Candes 2023 (regression of the score on overlapping groups and on covariates). We differ:
    horizons with few outcomes share pooled offsets, and what is added for groups and times is
    shrunk toward nothing.

    Parameters
    ----------
    days_B, subject_B
        Days since onset on which each forecast was made, and whose it is.
    """
    observed_BH = ~np.isnan(truth_BH)
    score_BHL = _scores(truth_BH, quantiles_BHQ)
    days_BH = np.broadcast_to(days_B[:, None], observed_BH.shape)
    onset_days = _onset_days(days_BH[observed_BH])
    late_B = lateness(days_B, onset_days)
    left_BHL = score_BHL - _everybody(score_BHL, observed_BH)
    late_N, subject_N = (
        np.broadcast_to(of_B[:, None], observed_BH.shape)[observed_BH]
        for of_B in (late_B, subject_B)
    )
    late_L = _of_time(left_BHL[observed_BH], late_N, subject_N)
    score_BHL = score_BHL - late_B[:, None, None] * late_L
    offset_HL = _everybody(score_BHL, observed_BH)
    groups_G = tuple(
        GroupName(attribute=str(name), label=label)
        for name in groups_B.columns
        for label in sorted(groups_B[name].unique())
    )
    member_BG = memberships(groups_B, groups_G) == 1
    offset_GHL = np.zeros((len(groups_G), *offset_HL.shape))
    for h, seen_B in enumerate(observed_BH.T):
        if seen_B.sum() >= MINIMUM_OUTCOMES:
            offset_GHL[:, h] = _of_groups(score_BHL[seen_B, h] - offset_HL[h], member_BG[seen_B])
    own = (offset_GHL != 0).any(axis=(1, 2))
    return Offsets(
        offsets_HQ=_outward(offset_HL),
        groups_G=tuple(group for group, kept in zip(groups_G, own, strict=True) if kept),
        offsets_GHQ=_outward(offset_GHL[own]),
        onset_days=onset_days,
        late_Q=_outward(late_L),
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


def _everybody(score_BHL: Array, observed_BH: NDArray[np.bool_]) -> Array:
    """Return the offsets of each horizon, (H, L), pooled where it has few outcomes."""
    offset_HL = np.tile(_quantiles(score_BHL[observed_BH]), (observed_BH.shape[1], 1))
    for h in np.flatnonzero(observed_BH.sum(axis=0) >= MINIMUM_OUTCOMES):
        offset_HL[h] = _quantiles(score_BHL[observed_BH[:, h], h])
    return offset_HL


def _onset_days(days_N: NDArray[Any]) -> tuple[float, float]:
    """Return the times since onset between which offsets change; twice the same where none do.

    None do where nearly all are seen within a factor of 2. Powers of 2 tell nobody's day.
    """
    if len(days_N) == 0:
        return 1.0, 1.0
    first, last = np.log2(np.maximum(np.percentile(days_N, OFTEN_SEEN), 1.0))
    return float(2 ** round(first)), float(2 ** round(last if last - first >= 1 else first))


def _of_time(left_NL: Array, late_N: Array, subject_N: NDArray[Any]) -> Array:
    """Return what is added late, (L,), to the offsets of everybody; 0 where few are early or late.

    Parameters
    ----------
    left_NL, late_N, subject_N
        What is left of the scores of outcomes, how late they are (`lateness`), and whose.
    """
    is_late_N = late_N > 0.5
    fewer = min(len(np.unique(subject_N[is_late_N])), len(np.unique(subject_N[~is_late_N])))
    if fewer < MINIMUM_SHOWN:
        return np.zeros(left_NL.shape[1])
    between_L = _quantiles(left_NL[is_late_N]) - _quantiles(left_NL[~is_late_N])
    apart = late_N[is_late_N].mean() - late_N[~is_late_N].mean()
    return np.asarray(fewer / (fewer + POOLING_OVER_TIME) * between_L / max(apart, LEAST_APART))


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
