"""What nobody published of a population of recovery curves, fitted to the people trained on.

Empirical Bayes (Robbins 1956): the population under which their scores, past ones and outcomes, are
most likely together. Of a published one that is what is gained after enrolment, from none; of one
in which every course is as likely as any other, all of it. Without it a network would have to
unlearn, by some tens of small batches, that people regain half of what they miss.

A score alone cannot tell a course from noise. Of people with a yes or no each all of it was called
noise, more than a network could unlearn, so it is fitted only where enough have two scores.

Letters: B pairs, W windows of past days and horizons, H horizons, P curves, N scores that
are there, U different ones among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from contracts.sequences import SequenceBatch
from training.models.layers.recovery_curves import (
    RATE,
    START,
    RecoveryCurves,
    level,
    log_censored,
    log_density,
)

STEPS, STEPS_FROM_PEOPLE = 150, 75
"""Of the gain, and of a population that was moved to where people are: there more would fit the
curves to these few people, and leave too little to noise."""

PACE = 0.05
"""Of Adam: by so much a logit or a logarithm may change in a step."""

PULL = 0.5
"""Weight of staying where it starts, as if each parameter had been seen once with an SD of 1: what
few people say nothing about stays as it was."""

FEWEST_COURSES = 10
"""With fewer pairs that have two scores nothing is fitted."""

NOT_AT_AN_END = (0.02, 0.98)
"""A mean share of the scale, or of what is missing, whose logit is no more than four SD away."""

MOST_PAIRS = 512
"""Some hundred people tell five groups; more would only take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of people, (B, W) each.

    Parameters
    ----------
    share, count
        Mean score on the share of the scale, and number of scores, 0 for none.
    onset, enrolled
        Days since onset and since enrolment.
    """

    share: Tensor
    count: Tensor
    onset: Tensor
    enrolled: Tensor

    def beside(self, later: Scores) -> Scores:
        """Return them with later ones of the same people, without columns in which nobody has one.

        Of many people some, spread over all of them.
        """
        both = {name: torch.cat([getattr(self, name), getattr(later, name)], 1) for name in NAMES}
        chosen = torch.from_numpy(_spread_out(len(both["count"])))
        seen_W = both["count"][chosen].sum(dim=0) > 0
        return Scores(**{name: both[name][chosen][:, seen_W] for name in NAMES})


NAMES = tuple(each.name for each in fields(Scores))


@dataclass(frozen=True, slots=True, kw_only=True)
class Different:
    """Scores that differ, and whose they are.

    Most windows are empty, and pairs of one person share outcomes: each curve's level is asked for
    a tenth as often.

    Parameters
    ----------
    share, count, onset, enrolled
        As of `Scores`, (U, 1) each, rising by share: those at the low end of the scale come first,
        those at the high end last.
    pair_N, score_N
        Which pair has which of them.
    """

    share: Tensor
    count: Tensor
    onset: Tensor
    enrolled: Tensor
    pair_N: Tensor
    score_N: Tensor

    def log_likelihood(self, level_UP: Tensor, log_noise: Tensor) -> Tensor:
        """Return that of each score given each curve (`score_log_likelihood`), (U, P).

        Only scores at an end of the scale are asked for the probability of one, which takes longer
        than all else of it.
        """
        lows, highs = int((self.share <= 0).sum()), int((self.share >= 1).sum())
        parts = [lows, len(self.share) - lows - highs, highs]
        spread_U1 = log_noise.exp() / self.count.sqrt()
        z_UP = (self.share - level_UP) / spread_U1
        low_UP, inside_UP, high_UP = torch.split(z_UP, parts)
        spread_I1 = torch.split(spread_U1, parts)[1]
        return torch.cat(
            [log_censored(low_UP), log_density(inside_UP, spread_I1), log_censored(-high_UP)]
        )

    def beside(self, known_BP: Tensor, level_UP: Tensor, log_noise: Tensor) -> Tensor:
        """Return known log evidence of each pair for each curve with that of its scores, (B, P)."""
        evidence_UP = self.log_likelihood(level_UP, log_noise)
        return known_BP.index_add(0, self.pair_N, evidence_UP.index_select(0, self.score_N))

    @classmethod
    def among(cls, scores: Scores, seen_BW: Tensor) -> Different:
        """Return the different ones among some scores."""
        pair_N, _ = seen_BW.nonzero(as_tuple=True)
        every_N4 = torch.stack([getattr(scores, name)[seen_BW] for name in NAMES], dim=1)
        score_U4, score_N = torch.unique(every_N4, dim=0, return_inverse=True)
        columns = zip(NAMES, score_U4.split(1, dim=1), strict=True)
        return cls(**dict(columns), pair_N=pair_N, score_N=score_N)


def fit_population(curves: RecoveryCurves, log_noise: nn.Parameter, scores: Scores) -> None:
    """Set groups, shares and noise so that the scores of people are as likely as they can be.

    First the groups move to the part of the scale where people are. From all over the scale most
    curves would be left where nobody is: of walking speed, whose scale ends at three times what
    patients reach, nine tenths of the share came to the one group that regains least, a fifth of
    the curves.

    Parameters
    ----------
    curves, log_noise
        What is fitted, from where it stands.
    scores
        Before each origin and after it. With fewer than `FEWEST_COURSES` nothing is fitted.
    """
    if _tells_no_course(scores):
        return
    _move_to_people(curves, scores)
    groups = [curves.mean_G3, curves.log_spread_G3, curves.share_logit_G, log_noise]
    different = Different.among(scores, scores.count > 0)
    nothing_BP = torch.zeros(len(scores.count), len(curves.group_P))

    def log_likelihood() -> Tensor:
        own_UP = level(curves.latent(), different.onset)
        level_UP = curves.after_enrolment(own_UP, different.enrolled)
        evidence_BP = different.beside(nothing_BP, level_UP, log_noise)
        return _log_likelihood(evidence_BP, curves.log_weight())

    _ascend(groups, log_likelihood, scores, STEPS_FROM_PEOPLE)


def _move_to_people(curves: RecoveryCurves, scores: Scores) -> None:
    """Move all groups alike to the mean start, and mean share regained, of pairs seen twice.

    Of a flat population both are half, a logit of 0. The start is taken where they were first seen.
    """
    twice_B = _seen_twice(scores)
    share_BW, onset_BW, seen_BW = (
        x[twice_B] for x in (scores.share, scores.onset, scores.count > 0)
    )
    first_B1 = onset_BW.masked_fill(~seen_BW, torch.inf).argmin(dim=1, keepdim=True)
    last_B1 = onset_BW.masked_fill(~seen_BW, -torch.inf).argmax(dim=1, keepdim=True)
    start, end = (
        share_BW.gather(1, at_B1).mean().clamp(*NOT_AT_AN_END) for at_B1 in (first_B1, last_B1)
    )
    regained = ((end - start) / (1 - start)).clamp(*NOT_AT_AN_END)
    with torch.no_grad():
        curves.mean_G3[:, START] += torch.logit(start)
        curves.mean_G3[:, RATE] += torch.logit(regained)


def fit_gain(curves: RecoveryCurves, log_noise: nn.Parameter, scores: Scores) -> None:
    """Set what is gained after enrolment so that the scores of people are as likely as can be.

    It comes after the population where that is fitted too: both at once would share among
    themselves what clocks of onset and of enrolment explain alike.

    Parameters
    ----------
    curves, log_noise, scores
        As of `fit_population`; groups and noise stay.
    """
    if _tells_no_course(scores):
        return
    # What stays is computed once, and no gradient of it is asked for: above all scores before
    # enrolment, which no gain moves.
    seen_BW, later_BW = scores.count > 0, scores.enrolled > 0
    earlier = Different.among(scores, seen_BW & ~later_BW)
    later = Different.among(scores, seen_BW & later_BW)
    log_share_P, noise = curves.log_weight().detach(), log_noise.detach()
    with torch.no_grad():
        earlier_UP, later_UP = (level(curves.latent(), some.onset) for some in (earlier, later))
        nothing_BP = torch.zeros(len(scores.count), len(curves.group_P))
        known_BP = earlier.beside(nothing_BP, earlier_UP, noise)
        before_UP = torch.logit(later_UP)

    def log_likelihood() -> Tensor:
        # As `RecoveryCurves.after_enrolment`, of what is in logits already.
        level_UP = torch.sigmoid(before_UP + curves.gained(later.enrolled))
        return _log_likelihood(later.beside(known_BP, level_UP, noise), log_share_P)

    _ascend(curves.gain_parameters(), log_likelihood, scores, STEPS)


def _log_likelihood(evidence_BP: Tensor, log_share_P: Tensor) -> Tensor:
    """Return how likely all scores are together."""
    return torch.logsumexp(evidence_BP + torch.log_softmax(log_share_P, dim=-1), dim=-1).sum()


def _ascend(
    fitted: list[nn.Parameter],
    log_likelihood: Callable[[], Tensor],
    scores: Scores,
    steps: int,
) -> None:
    """Move some parameters to where the scores are most likely."""
    before = [parameter.detach().clone() for parameter in fitted]
    adam = torch.optim.Adam(fitted, lr=PACE)
    with torch.enable_grad():
        for _ in range(steps):
            adam.zero_grad()
            pulled = sum(
                ((parameter - start) ** 2).sum()
                for parameter, start in zip(fitted, before, strict=True)
            )
            loss = PULL * pulled - log_likelihood()
            (loss / len(scores.share)).backward(inputs=fitted)  # type: ignore[no-untyped-call]
            adam.step()
    adam.zero_grad()


def _tells_no_course(scores: Scores) -> bool:
    """Say whether too few pairs have two scores for a course to be told from noise."""
    return bool(_seen_twice(scores).sum() < FEWEST_COURSES)


def _seen_twice(scores: Scores) -> Tensor:
    """Say which pairs have scores at two times, (B,)."""
    return (scores.count > 0).sum(dim=1) > 1


def outcome_scores(train: SequenceBatch, worst: float, best: float) -> Scores:
    """Return the outcomes of pairs, (B, H)."""
    truth_BH = torch.from_numpy(train.truth_BH).float()
    known_BH = (~torch.isnan(truth_BH)).float()
    share_BH = torch.nan_to_num((truth_BH - worst) / (best - worst)) * known_BH
    horizon_H = torch.tensor(train.layout.horizon_days_H, dtype=torch.float32)
    origin_B = torch.from_numpy(train.origin_day_B).float()
    onset_B = torch.from_numpy(train.days_since_onset_BT[:, -1]).float().clamp(min=0)
    ahead_BH = (horizon_H - origin_B[:, None]).clamp(min=0)
    return Scores(
        share=share_BH,
        count=known_BH,
        onset=(onset_B[:, None] + ahead_BH) * known_BH,
        enrolled=horizon_H.expand_as(share_BH),
    )


def _spread_out(pairs: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the numbers of at most `MOST_PAIRS` pairs, spread over all."""
    return np.unique(np.linspace(0, pairs - 1, min(pairs, MOST_PAIRS)).round().astype(np.int64))
