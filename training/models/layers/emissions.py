"""Emission model: the likelihood of every channel's daily values given a recovery curve.

A standardised value is a quadratic function of the level, plus a random intercept of the person,
plus what the channels of a modality gain together by themselves, plus daily noise. All of it is
normal, so a channel's log likelihood given a curve has a closed form with eight learned numbers,
where a network would need hundreds of subjects to learn the same.

Without a course of its own walking, which recovers beside the arm and not with it, would be taken
for the arm's course, and by three weeks of days for a certain one (docs/decisions/0029).

Letters: B pairs, T days, W windows, C channels, M modalities, P curves, V = 3 W and X = 8 W
products of levels and leads.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from contracts.sequences import SequenceBatch
from training.models.layers.channel_courses import COURSE_DAYS, leading_factor, slopes
from training.models.layers.recovery_curves import precision

WINDOW_DAYS = 3
"""Days whose mean counts as one measurement, at their middle."""

MINIMUM_PAIRS = 10
SMALLEST_VARIANCE = 1e-2


class Emissions(nn.Module):
    """The emission models of all channels.

    Parameters
    ----------
    channel_MC
        1 for the channels of each modality that have an emission model, else 0.
    target, target_modality
        Channel and modality of the score that is forecast.
    """

    channel_MC: Tensor

    def __init__(
        self, channel_MC: Tensor, target: int | None = None, target_modality: int | None = None
    ) -> None:
        super().__init__()
        channels = channel_MC.shape[1]
        self.target, self.target_modality = target, target_modality
        self.register_buffer("channel_MC", channel_MC)
        self.intercept_C = nn.Parameter(torch.zeros(channels))
        self.slope_C = nn.Parameter(torch.zeros(channels))
        self.curvature_C = nn.Parameter(torch.zeros(channels))
        self.lead_C = nn.Parameter(torch.zeros(channels))
        self.log_daily_noise_C = nn.Parameter(torch.zeros(channels))
        self.log_person_spread_C = nn.Parameter(torch.zeros(channels))
        self.loading_C = nn.Parameter(torch.zeros(channels))
        self.course_C = nn.Parameter(torch.zeros(channels))

    def window_days(self, days_BT: Tensor) -> Tensor:
        """Return the middle of each window in days since onset, (B, W)."""
        after_BT = (days_BT >= 0).to(days_BT)
        both_BT2 = torch.stack([days_BT * after_BT, after_BT], dim=-1)
        days_BW, after_BW = window_sums(both_BT2, WINDOW_DAYS).unbind(dim=-1)
        return days_BW / after_BW.clamp(min=1)

    def windows_kept(self, seen_BTC: Tensor) -> Tensor | slice:
        """Return which windows to evaluate: while learning those that anybody has, else all.

        A window without a value is no evidence of any curve. An exported graph takes all of them,
        as it is of one shape.
        """
        if not self.training:
            return slice(None)
        own_C = self.channel_MC.any(dim=0)
        kept_W = window_sums(seen_BTC * own_C, WINDOW_DAYS).any(dim=2).any(dim=0)
        kept_W[-1] = True
        return kept_W

    def forward(
        self,
        x_BTC: Tensor,
        seen_BTC: Tensor,
        level_BWP: Tensor,
        lead_BWP: Tensor,
        kept_W: Tensor | slice = slice(None),
    ) -> Tensor:
        """Return the log likelihood of each modality's days given each curve, (B, M, P).

        It leaves out terms that are the same for every curve. Squares of hundreds of
        thousands are subtracted here, of which a unit decides: see `recovery_curves.precision`.

        Parameters
        ----------
        x_BTC, seen_BTC
            Standardised values, 0 where not observed, and the mask of what was observed.
        level_BWP, lead_BWP
            `recovery_curves.level` and `recovery_curves.lead` in the middle of each window.
        kept_W
            Which windows these are (`windows_kept`).
        """
        digits = precision(self)
        sums_BWC = window_sums(torch.cat([seen_BTC, x_BTC], dim=-1).to(digits), WINDOW_DAYS)
        time_W = torch.arange(1 - sums_BWC.shape[1], 1, device=sums_BWC.device).to(digits)
        sums_BWC, time_W = sums_BWC[:, kept_W], time_W[kept_W]
        count_BCW, sum_BCW = sums_BWC.transpose(1, 2).chunk(2, dim=1)
        mean_BCW = sum_BCW / count_BCW.clamp(min=1)
        precision_BCW = count_BCW * torch.exp(-2 * self.log_daily_noise_C.to(digits))[:, None]
        residual_BCW = precision_BCW * (mean_BCW - self.intercept_C.to(digits)[:, None])
        slope_C1, curvature_C1, lead_C1 = (
            self.slope_C.to(digits)[:, None],
            self.curvature_C.to(digits)[:, None],
            self.lead_C.to(digits)[:, None],
        )
        centred_BWP, square_BWP = 2 * level_BWP - 1, (2 * level_BWP - 1) ** 2
        line_BVP = torch.cat([centred_BWP, square_BWP, lead_BWP], dim=1)
        power_BXP = torch.cat(
            [
                line_BVP,
                square_BWP * centred_BWP,
                square_BWP**2,
                centred_BWP * lead_BWP,
                square_BWP * lead_BWP,
                lead_BWP**2,
            ],
            dim=1,
        )
        # The random intercept of SD s integrated out, f = slope L + curvature L^2 + lead D of a
        # channel: -1/2 [sum p (r - f)^2 - (sum p (r - f))^2 / (sum p + 1 / s^2)]. All but the
        # square of sum p f is a polynomial in L and D, whose coefficients add up over channels.
        person_precision_C1 = torch.exp(-2 * self.log_person_spread_C.to(digits))[:, None]
        pooled_BC1 = 1 / (precision_BCW.sum(dim=-1, keepdim=True) + person_precision_C1)
        adjusted_BCW = residual_BCW - precision_BCW * (
            residual_BCW.sum(dim=-1, keepdim=True) * pooled_BC1
        )
        coefficient_BCX = torch.cat(
            [
                -2 * slope_C1 * adjusted_BCW,
                slope_C1**2 * precision_BCW - 2 * curvature_C1 * adjusted_BCW,
                -2 * lead_C1 * adjusted_BCW,
                2 * slope_C1 * curvature_C1 * precision_BCW,
                curvature_C1**2 * precision_BCW,
                2 * slope_C1 * lead_C1 * precision_BCW,
                2 * curvature_C1 * lead_C1 * precision_BCW,
                lead_C1**2 * precision_BCW,
            ],
            dim=-1,
        )
        line_BCV = torch.cat(
            [part_C1 * precision_BCW for part_C1 in (slope_C1, curvature_C1, lead_C1)], dim=-1
        )
        total_BCP = (pooled_BC1.sqrt() * line_BCV) @ line_BVP
        squares_BMP = (self.channel_MC.to(digits) @ coefficient_BCX) @ power_BXP
        # Expanded, because a product of 2-D and 3-D tensors would copy the largest tensor here.
        channel_BMC = self.channel_MC.to(digits).expand(total_BCP.shape[0], -1, -1)
        own_BMP = -0.5 * (squares_BMP - torch.bmm(channel_BMC, total_BCP**2))
        return own_BMP + self._shared(
            precision_BCW, residual_BCW, pooled_BC1, pooled_BC1 * person_precision_C1,
            line_BCV, line_BVP, time_W * (WINDOW_DAYS / COURSE_DAYS),
        )  # fmt: skip

    def _shared(
        self,
        precision_BCW: Tensor,
        residual_BCW: Tensor,
        pooled_BC1: Tensor,
        unexplained_BC1: Tensor,
        line_BCV: Tensor,
        line_BVP: Tensor,
        time_W: Tensor,
    ) -> Tensor:
        """Return the term of what the channels of each modality share, (B, M, P).

        They share two latent factors, standard normal numbers with a loading on each channel: an
        intercept, and a course that is linear in time. Integrated out, they are a term of rank two
        (Woodbury 1950), here two of rank one: of the intercept, and of the course without what the
        intercept explains of it (Cholesky).

        Parameters
        ----------
        unexplained_BC1
            Share of a channel's summed residual that its own intercept leaves unexplained.
        time_W
            When each window is, in units of `COURSE_DAYS`.
        """
        digits, windows = line_BCV.dtype, precision_BCW.shape[-1]
        channel_MC = self.channel_MC.to(digits)
        loading_C1, course_C1 = (
            each.to(digits)[:, None] for each in (self.loading_C, self.course_C)
        )
        # Seen through the precision that the channel's own intercept leaves.
        mean_BC1 = (precision_BCW * time_W).sum(dim=-1, keepdim=True) * pooled_BC1
        constant_BC1 = loading_C1 * unexplained_BC1
        course_BCW = course_C1 * (time_W - mean_BC1)
        course_BCV = course_BCW.repeat(1, 1, line_BCV.shape[-1] // windows)

        residual_BM1 = channel_MC @ (constant_BC1 * residual_BCW.sum(dim=-1, keepdim=True))
        line_BMV = channel_MC @ (constant_BC1 * line_BCV)
        seen_BC1 = precision_BCW.sum(dim=-1, keepdim=True)
        precision_BM1 = 1 + channel_MC @ (loading_C1 * constant_BC1 * seen_BC1)

        both_BM1 = channel_MC @ (
            loading_C1 * (course_BCW * precision_BCW).sum(dim=-1, keepdim=True)
        )
        own_BM1 = 1 + channel_MC @ (
            course_C1 * (course_BCW * precision_BCW * time_W).sum(dim=-1, keepdim=True)
        )
        explained_BM1 = both_BM1 / precision_BM1
        course_residual_BM1 = (
            channel_MC @ (course_BCW * residual_BCW).sum(dim=-1, keepdim=True)
            - explained_BM1 * residual_BM1
        )
        course_line_BMV = channel_MC @ (course_BCV * line_BCV) - explained_BM1 * line_BMV
        course_precision_BM1 = own_BM1 - explained_BM1 * both_BM1
        return 0.5 * (
            (residual_BM1 - line_BMV @ line_BVP) ** 2 / precision_BM1
            + (course_residual_BM1 - course_line_BMV @ line_BVP) ** 2 / course_precision_BM1
        )

    def learn(
        self, x_BTC: NDArray[np.float64], train: SequenceBatch, low: float, high: float
    ) -> None:
        """Initialise the emission models by regressions on the last score.

        Parameters
        ----------
        x_BTC
            Standardised values.
        """
        level_B = 2 * (train.last_score_B - low) / (high - low) - 1
        residual_BC = np.full((len(level_B), x_BTC.shape[2]), np.nan)
        for c in range(x_BTC.shape[2]):
            seen_BT = train.observed_BTC[:, :, c]
            count_B = seen_BT.sum(axis=1)
            known_B = (count_B > 0) & ~np.isnan(level_B)
            if known_B.sum() < MINIMUM_PAIRS:
                continue
            mean_B = (x_BTC[:, :, c] * seen_BT).sum(axis=1) / np.maximum(count_B, 1)
            design = np.column_stack([np.ones(known_B.sum()), level_B[known_B]])
            (intercept, slope), *_ = np.linalg.lstsq(design, mean_B[known_B], rcond=None)
            residual_BC[known_B, c] = mean_B[known_B] - design @ [intercept, slope]
            daily = ((x_BTC[:, :, c] - mean_B[:, None])[seen_BT] ** 2).mean()
            with torch.no_grad():
                self.intercept_C[c], self.slope_C[c] = float(intercept), float(slope)
                self.log_daily_noise_C[c] = 0.5 * float(np.log(max(daily, SMALLEST_VARIANCE)))
        for member_C in self.channel_MC.numpy() > 0:
            self._split_variance(residual_BC, np.flatnonzero(member_C))
        if self.target is not None:
            self._learn_courses(slopes(x_BTC, train.observed_BTC), self.target)

    def _learn_courses(self, slope_BC: NDArray[np.float64], target: int) -> None:
        """Set what several channels gain together beside what they gain with the score.

        One channel alone cannot tell both apart, and assessments made at the same visits as the
        score follow it: their courses stay 0.
        """
        for modality, member_C in enumerate(self.channel_MC.numpy() > 0):
            columns = np.flatnonzero(member_C)
            if len(columns) < 2 or modality == self.target_modality:
                continue
            known_B = np.isfinite(slope_BC[:, [target, *columns]]).all(axis=1)
            if known_B.sum() < MINIMUM_PAIRS:
                continue
            scored_B, slope_BK = slope_BC[known_B, target], slope_BC[np.ix_(known_B, columns)]
            with_score_K = (scored_B @ slope_BK) / max(float(scored_B @ scored_B), 1e-9)
            beside_BK = slope_BK - scored_B[:, None] * with_score_K
            course = leading_factor(beside_BK.T @ beside_BK / len(beside_BK))
            with torch.no_grad():
                self.course_C[columns] = torch.from_numpy(course).float()

    def _split_variance(self, residual_BC: NDArray[np.float64], columns: NDArray[np.intp]) -> None:
        """Split a modality's residual variance into the shared factor's and each channel's own."""
        known = [c for c in columns if np.isfinite(residual_BC[:, c]).any()]
        if not known:
            return
        covariance = np.atleast_2d(pd.DataFrame(residual_BC[:, known]).cov(min_periods=2).fillna(0))
        loading = leading_factor(covariance)
        own = np.maximum(np.diag(covariance) - loading**2, SMALLEST_VARIANCE)
        with torch.no_grad():
            self.loading_C[known] = torch.from_numpy(loading).float()
            self.log_person_spread_C[known] = torch.from_numpy(0.5 * np.log(own)).float()


def window_sums(x_BTC: Tensor, length: int) -> Tensor:
    """Sum the days of each window, (B, W, C); the last window ends with the last day."""
    # Plain numbers, so that only the number of pairs is dynamic in an exported graph.
    days, channels = int(x_BTC.shape[1]), int(x_BTC.shape[2])
    padded_BTC = nn.functional.pad(x_BTC, (0, 0, -days % length, 0))
    return padded_BTC.reshape(-1, -(-days // length), length, channels).sum(dim=2)
