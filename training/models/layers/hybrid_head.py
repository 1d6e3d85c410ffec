"""The hybrid's head: adds up the evidence, extends the curves to the horizons, returns quantiles.

Letters: B pairs, M modalities, D embedding width, P curves, R residual features, G groups,
S strata, H horizons, K + 1 grid points (or K coalitions), V views, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from contracts.forecast import QUANTILE_LEVELS
from contracts.priors import GROUPS
from contracts.therapy import REFERENCE_DOSE_MIN, SATURATION_MIN
from training.models.layers.bounded_distribution import (
    crps,
    median,
    mixture_cdf,
    quantiles,
    to_score_points,
)
from training.models.layers.input_columns import InputColumns
from training.models.layers.modality_evidence import RESIDUALS
from training.models.layers.network import ModalityHead
from training.models.layers.recovery_curves import (
    RecoveryCurves,
    level_at_horizons,
    precision,
)

CONTEXT = 3
"""Last entries of an embedding, plain numbers: days since onset, origin, daily dose."""
ONSET, ORIGIN, DOSE = range(CONTEXT)

LOG_NOISE_RANGE = (-7.0, 1.0)
"""The spread of one score can be a thousandth of the scale to more than all of it."""


class HybridHead(ModalityHead):
    """Adds up the evidence, extends the curves to the horizons, and returns quantiles."""

    has_curves = True
    level_Q: Tensor
    horizon_days_H: Tensor
    stratum_PS: Tensor

    def __init__(
        self,
        inputs: InputColumns,
        curves: RecoveryCurves,
        horizon_days: Sequence[int],
        hidden: int,
        noise_share: float,
    ) -> None:
        super().__init__()
        self.worst, self.best, self.cells = inputs.worst, inputs.best, inputs.cells
        self.dose_modality = inputs.dose_modality
        self.curves = curves
        self.register_buffer("level_Q", torch.tensor(QUANTILE_LEVELS))
        self.register_buffer("horizon_days_H", torch.tensor(horizon_days, dtype=torch.float32))
        self.register_buffer("stratum_PS", curves.strata())
        horizons = len(horizon_days)
        self.absent_MR = nn.Parameter(torch.zeros(inputs.modalities, RESIDUALS))
        self.absent_onset = nn.Parameter(torch.tensor(3.0))
        width = inputs.modalities * RESIDUALS + 1
        last = nn.Linear(hidden, 2 * horizons)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.residual = nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), last)
        self.effect_G = nn.Parameter(torch.full((GROUPS,), -2.0))
        self.log_noise_H = nn.Parameter(torch.full((horizons,), noise_share).log())

    def forward(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) in score points if the recent daily dose continues."""
        dose_BH = self._recent_dose(embeddings_BMD, present_BM)
        return self.quantiles_under_plan(embeddings_BMD, present_BM, dose_BH)

    def mechanistic_parameters(self) -> list[nn.Parameter]:
        """Return the dose's effect, the default time since onset, and the noise per horizon."""
        return [self.effect_G, self.absent_onset, self.log_noise_H]

    def start_from(self, log_noise: Tensor) -> None:
        """Take the noise of a fitted population as that of every outcome.

        Not more than the range allows: beyond it no gradient leads back.
        """
        with torch.no_grad():
            self.log_noise_H.copy_(log_noise.clamp(*LOG_NOISE_RANGE).expand_as(self.log_noise_H))

    def losses(self, embeddings_BMD: Tensor, present_BM: Tensor, truth_BH: Tensor) -> Tensor:
        """Return the CRPS of each outcome, (B, H), in score points."""
        dose_BH = self._recent_dose(embeddings_BMD, present_BM)
        span = self.best - self.worst
        share_BH = (torch.nan_to_num(truth_BH, self.worst) - self.worst) / span
        cdf_BHK = self._distribution(embeddings_BMD, present_BM, dose_BH)
        return abs(span) * crps(cdf_BHK, share_BH)

    def _recent_dose(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        dose_B = embeddings_BMD[:, 0, -CONTEXT + DOSE]
        if self.dose_modality is not None:
            known_B = present_BM[:, self.dose_modality]
            dose_B = known_B * dose_B + (1 - known_B) * REFERENCE_DOSE_MIN
        return dose_B[:, None].expand(-1, len(self.horizon_days_H))

    def quantiles_under_plan(
        self, embeddings_BMD: Tensor, present_BM: Tensor, dose_BH: Tensor
    ) -> Tensor:
        """Return quantiles (B, H, Q) in score points under a therapy plan.

        Parameters
        ----------
        dose_BH
            Minutes of therapy per day from the previous horizon (or the origin) to this one.
        """
        cdf_BHK = self._distribution(embeddings_BMD, present_BM, dose_BH)
        return to_score_points(quantiles(cdf_BHK, self.level_Q), self.worst, self.best)

    def _distribution(self, embeddings_BMD: Tensor, present_BM: Tensor, dose_BH: Tensor) -> Tensor:
        """Return the distribution function on the grid of the scale, (B, H, K + 1)."""
        evidence_BMP = embeddings_BMD[..., : len(self.stratum_PS)]
        # A product of matrices, so that many coalitions of one pair share its embeddings.
        digits = precision(self)
        evidence_BP = (present_BM[:, None].to(digits) @ evidence_BMP.to(digits)).squeeze(1)
        weight_BP = self._weights(evidence_BP)
        onset_B, origin_B = self._times(embeddings_BMD, present_BM)
        feature_BMR = self._residual_features(embeddings_BMD) * present_BM[..., None]
        shift_BH, spread_BH = self._residual(feature_BMR, present_BM, origin_B)
        ahead_BHG = self._effective_days(origin_B, dose_BH)
        level_BHP = self._levels(onset_B, ahead_BHG)
        sums = self._strata(weight_BP, level_BHP)
        return mixture_cdf(*components(*sums, shift_BH, spread_BH), self.cells)

    def medians(self, embeddings_VMD: Tensor, mask_KVM: Tensor, horizon_1: Tensor) -> Tensor:
        """Return the median of every coalition of one pair at one horizon, (K, 1), in score points.

        The curves' levels are computed once: they depend on the time since onset and the dose,
        which have no windows.
        """
        mask_KJ, present_KM = mask_KVM.flatten(1), mask_KVM.sum(dim=1)
        first = slice(0, 1)
        onset_1, origin_1 = self._times(embeddings_VMD[first], present_KM[first])
        dose_1H = self._recent_dose(embeddings_VMD[first], present_KM[first])
        ahead_1HG = self._effective_days(origin_1, dose_1H)
        level_1HP = self._levels(onset_1, ahead_1HG)
        evidence_JP = embeddings_VMD[..., : len(self.stratum_PS)].flatten(0, 1)
        digits = precision(self)
        weight_KP = self._weights(mask_KJ.to(digits) @ evidence_JP.to(digits))
        feature_MVR = self._residual_features(embeddings_VMD).transpose(0, 1)
        feature_KMR = (mask_KVM.permute(2, 0, 1) @ feature_MVR).transpose(0, 1)
        shift_KH, spread_KH = self._residual(feature_KMR, present_KM, origin_1)
        shift_K1, spread_K1 = (x.index_select(1, horizon_1) for x in (shift_KH, spread_KH))
        sums = self._strata_of_one_pair(weight_KP, level_1HP[0].index_select(0, horizon_1))
        median_K1 = median(*components(*sums, shift_K1, spread_K1), self.cells)
        return self.worst + (self.best - self.worst) * median_K1

    def curves_of(self, embeddings_BMD: Tensor, present_BM: Tensor) -> tuple[Tensor, ...]:
        """Return what a forecast consists of, to be put together under another plan of therapy.

        Returns
        -------
        Weight of each curve (B, P), days since onset (B,), the shift of the level and the spread of
        a score (B, H); and of everybody: logit start, logit rate, log time constant, gain after
        enrolment and the log of its time constant of each curve (P, 5), the part by which as much
        therapy as can be given speeds its group up (P,).
        """
        digits = precision(self)
        evidence_BMP = embeddings_BMD[..., : len(self.stratum_PS)].to(digits)
        weight_BP = self._weights((present_BM[:, None].to(digits) @ evidence_BMP).squeeze(1))
        onset_B, origin_B = self._times(embeddings_BMD, present_BM)
        feature_BMR = self._residual_features(embeddings_BMD) * present_BM[..., None]
        shift_BH, spread_BH = self._residual(feature_BMR, present_BM, origin_B)
        effect_P = self.curves.expand_groups(nn.functional.softplus(self.effect_G))
        gain_P = self.curves.gain()
        gain_P2 = torch.stack([gain_P, self.curves.log_gain_days.expand_as(gain_P)], dim=1)
        latent_P5 = torch.cat([self.curves.latent(), gain_P2], dim=1)
        return weight_BP.float(), onset_B, shift_BH, spread_BH, latent_P5, effect_P

    def _weights(self, evidence_BP: Tensor) -> Tensor:
        """Return each curve's weight, (B, P), from the sum of the evidence for it."""
        log_weight_BP = evidence_BP + self.curves.log_weight()
        centred_BP = (log_weight_BP - log_weight_BP.amax(dim=-1, keepdim=True)).float()
        return torch.softmax(centred_BP, dim=-1).to(log_weight_BP.dtype)

    def _times(self, embeddings_BMD: Tensor, present_BM: Tensor) -> tuple[Tensor, Tensor]:
        """Return days since onset and the origin, (B,)."""
        # Every modality carries the context; it is read from the first, the time since onset.
        known_B = present_BM[:, 0]
        onset_B = (
            known_B * embeddings_BMD[:, 0, -CONTEXT + ONSET]
            + (1 - known_B) * self.absent_onset.exp()
        )
        return onset_B, embeddings_BMD[:, 0, -CONTEXT + ORIGIN].expand_as(known_B)

    def _residual_features(self, embeddings_BMD: Tensor) -> Tensor:
        first = len(self.stratum_PS)
        return embeddings_BMD[..., first : first + RESIDUALS]

    def _residual(
        self, feature_BMR: Tensor, present_BM: Tensor, origin_B: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the shift of the level and the spread of a score, (B, H), on the scale's share.

        Parameters
        ----------
        feature_BMR
            Residual features, 0 where the modality is absent.
        """
        filled_BMR = feature_BMR + self.absent_MR * (1 - present_BM[..., None])
        origin_B1 = origin_B.expand_as(present_BM[:, 0])[:, None] / 21
        joined = torch.cat([filled_BMR.flatten(1), origin_B1], dim=-1)
        raw_B2H = self.residual(joined).unflatten(1, (2, len(self.horizon_days_H)))
        spread_BH = (self.log_noise_H + raw_B2H[:, 1]).clamp(*LOG_NOISE_RANGE).exp()
        return torch.tanh(raw_B2H[:, 0]), spread_BH

    def _effective_days(self, origin_B: Tensor, dose_BH: Tensor) -> Tensor:
        """Return the days ahead multiplied by the dose's factor, per group, (B, H, G).

        The rate is multiplied by (1 + effect · saturation(dose)), divided by its value at the
        reference dose; the effect is positive, so more therapy never slows recovery down.
        """
        end_BH = (self.horizon_days_H - origin_B[:, None]).clamp(min=0)
        length_BH = end_BH - torch.cat([torch.zeros_like(end_BH[:, :1]), end_BH[:, :-1]], dim=1)
        effect_G = nn.functional.softplus(self.effect_G)
        saturated_BH1 = 1 - torch.exp(-dose_BH[..., None] / SATURATION_MIN)
        reference = 1 - torch.exp(torch.tensor(-REFERENCE_DOSE_MIN / SATURATION_MIN))
        factor_BHG = (1 + effect_G * saturated_BH1) / (1 + effect_G * reference)
        return (length_BH[..., None] * factor_BHG).cumsum(dim=1)

    def _levels(self, onset_B: Tensor, ahead_BHG: Tensor) -> Tensor:
        """Return each curve's level at the horizons, (B, H, P)."""
        ahead_BHP = self.curves.expand_groups(ahead_BHG)
        level_BHP = level_at_horizons(self.curves.latent(), onset_B, ahead_BHP)
        return self.curves.after_enrolment(level_BHP, self.horizon_days_H[:, None])

    def _strata(self, weight_BP: Tensor, level_BHP: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sums over the curves of each stratum that `components` needs."""
        level_BHP, stratum_PS = (x.to(weight_BP.dtype) for x in (level_BHP, self.stratum_PS))
        return (
            weight_BP @ stratum_PS,
            (weight_BP[:, None] * level_BHP) @ stratum_PS,
            (weight_BP[:, None] * level_BHP**2) @ stratum_PS,
        )

    def _strata_of_one_pair(
        self, weight_KP: Tensor, level_HP: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same as `_strata` for many weights of one pair, by one matrix product."""
        horizons, strata = level_HP.shape[0], self.stratum_PS.shape[1]
        level_HP, stratum_PS = (x.to(weight_KP.dtype) for x in (level_HP, self.stratum_PS))
        power_2HP = torch.stack([level_HP, level_HP**2])
        moment_PX = (power_2HP[..., None] * stratum_PS).permute(2, 0, 1, 3).flatten(1)
        sum_K2HS = (weight_KP @ moment_PX).reshape(-1, 2, horizons, strata)
        return weight_KP @ stratum_PS, sum_K2HS[:, 0], sum_K2HS[:, 1]


def components(
    weight_BS: Tensor, first_BHS: Tensor, second_BHS: Tensor, shift_BH: Tensor, spread_BH: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return weight, mean and spread of each stratum's normal component, (B, H, S) each.

    Parameters
    ----------
    weight_BS, first_BHS, second_BHS
        Sums over a stratum's curves of the weight, and of weight times level and level squared.
    shift_BH, spread_BH
        Shift that is added to every level, and the spread of one score.
    """
    safe_B1S = (weight_BS + 1e-9)[:, None]
    mean_BHS = first_BHS / safe_B1S
    # A small difference of two large numbers, in the precision of the sums.
    variance_BHS = (second_BHS / safe_B1S - mean_BHS**2).clamp(min=0)
    return (
        weight_BS[:, None].expand_as(mean_BHS).float(),
        (mean_BHS + shift_BH[..., None]).float(),
        (variance_BHS + spread_BH[..., None] ** 2).sqrt().float(),
    )
