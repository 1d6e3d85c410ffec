"""The hybrid mechanistic state space: recovery curves weighed by what each modality says of them.

Recovery is a level moving toward a patient's own capacity (`training.models.recovery`). The
population is a few hundred learned curves; a modality's embedding is its log evidence for each of
them, and the head adds the evidence of those that are present (a product of experts; Hinton 2002).
So a forecast starts from anything observed, and with nothing it is the population's. The target's
own past scores speak through their exact censored likelihood, everything else through a learned
tilt. A residual corrects the level from features that never include the therapy.

Letters: B pairs, T days, W windows, C channels of one modality, S person covariates, M modalities,
D embedding width, P curves, J features of a curve, R residual features, G groups, H horizons,
Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from training.models.emissions import Emissions, windows
from training.models.inputs import Inputs
from training.models.network import ModalityEncoder, ModalityHead
from training.models.normalisation import Normalisation
from training.models.recovery import (
    GROUPS,
    NOISE_SHARE,
    RATE,
    START,
    TIME,
    Curves,
    evidence,
    level,
    level_ahead,
)
from training.models.scale import crps, mixture_cdf, quantiles
from training.models.series import SUMMARIES, day_weights, summary

PER_GROUP = 64
RESIDUALS = 8
WINDOW_DAYS = 7
POPULATION_FEATURES = GROUPS + 5
MOMENT_FEATURES = 4
FACTS = 3
"""Places of an embedding that carry plain numbers: days since onset, origin, daily dose."""
ONSET, ORIGIN, DOSE = range(FACTS)

LOG_NOISE_RANGE = (-7.0, 1.0)
"""A thousandth of the scale to all of it: what the spread of one score can be."""

REFERENCE_DOSE_MIN = 60.0
"""Minutes of therapy a day at which the rate is the population's own."""
HALF_DOSE_MIN = 90.0
"""Scale of the saturation: 63 % of the largest effect is reached at this daily dose."""


class Opinion(nn.Module):
    """What a modality says: a tilt of the population, and features for the residual."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.bend = nn.Sequential(nn.Linear(width, hidden), nn.SiLU())
        self.tilt = nn.Linear(width + hidden, POPULATION_FEATURES + MOMENT_FEATURES)
        self.residual = nn.Linear(width, RESIDUALS)
        nn.init.zeros_(self.tilt.weight)
        nn.init.zeros_(self.tilt.bias)

    def forward(
        self, x_BF: Tensor, feature_PJ: Tensor, moment_BPJ: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return log evidence (B, P) and residual features (B, R)."""
        tilt_BJ = self.tilt(torch.cat([x_BF, self.bend(x_BF)], dim=-1))
        said_BP = tilt_BJ[:, :POPULATION_FEATURES] @ feature_PJ.T
        said_BP = said_BP + (moment_BPJ @ tilt_BJ[:, POPULATION_FEATURES:, None]).squeeze(-1)
        return said_BP, torch.tanh(self.residual(x_BF))


class WindowEncoder(nn.Module):
    """Encodes the days of one modality by weeks: a GRU over window means and counts.

    A GRU that steps over windows instead of days costs a seventh and forecasts no worse
    (docs/benchmarks.md). Beside its state stand the latest values and their change.
    """

    weight_T: Tensor

    def __init__(self, channels: int, days: int, hidden: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(2 * channels, hidden, batch_first=True)
        self.register_buffer("weight_T", day_weights(days))
        self.width = hidden + SUMMARIES * channels

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor, window_WT: Tensor) -> Tensor:
        """Return features (B, width); values are standardised and 0 where not seen."""
        count_BWC = window_WT @ seen_BTC
        mean_BWC = (window_WT @ (x_BTC * seen_BTC)) / count_BWC.clamp(min=1)
        tokens = torch.cat([mean_BWC, torch.log1p(count_BWC)], dim=-1)
        _, state_1BH = self.recurrent(tokens)
        return torch.cat([state_1BH[0], summary(x_BTC, seen_BTC, self.weight_T)], dim=-1)


class HybridEncoder(ModalityEncoder):
    """Log evidence and residual features of each modality, with the facts that the head needs."""

    window_WT: Tensor
    channel_MC: Tensor

    def __init__(self, inputs: Inputs, hidden: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.curves = Curves(PER_GROUP)
        self.log_noise = nn.Parameter(torch.tensor(NOISE_SHARE).log())
        self.normalisation = Normalisation(inputs.channels, inputs.person)
        self.emissions = Emissions(inputs.channels, inputs.days)
        self.register_buffer("channel_MC", channels_of(inputs))
        self.register_buffer("window_WT", windows(inputs.days, WINDOW_DAYS))
        self.time = Opinion(3, hidden)
        self.person = Opinion(2 * inputs.person, hidden) if inputs.person else None
        self.series = nn.ModuleList(
            WindowEncoder(len(columns), inputs.days, hidden) for columns in inputs.series
        )
        self.opinions = nn.ModuleList(
            Opinion(hidden + SUMMARIES * len(columns), hidden) for columns in inputs.series
        )

    def forward(
        self,
        values_BTC: Tensor,
        observed_BTC: Tensor,
        days_since_onset_BT: Tensor,
        origin_day_B: Tensor,
        person_BS: Tensor,
        person_known_BS: Tensor,
    ) -> Tensor:
        """Return one embedding per modality, (B, M, P + R + facts)."""
        latent_P3 = self.curves.latent()
        feature_PJ = curve_features(latent_P3, self.curves.group_P)
        x_BTC = self.normalisation.series(values_BTC, observed_BTC)
        facts_BF = self._facts(values_BTC, observed_BTC, days_since_onset_BT, origin_day_B)
        moment_BPJ = moment_features(latent_P3, facts_BF[:, ONSET])
        onset_B = torch.log1p(facts_BF[:, ONSET])
        times = torch.stack([(onset_B - 4) / 2, (onset_B - 4) ** 2 / 4, origin_day_B / 21], dim=-1)
        parts = [self.time(times, feature_PJ, moment_BPJ)]
        if self.person is not None:
            known = self.normalisation.person(person_BS, person_known_BS)
            parts.append(self.person(known, feature_PJ, moment_BPJ))
        days_BW = self.emissions.days(days_since_onset_BT)
        read_BCP = self.emissions(x_BTC, observed_BTC, level(latent_P3, days_BW[..., None]))
        read_MBP = (self.channel_MC @ read_BCP).unbind(dim=1)
        for columns, encoder, opinion, read_BP in zip(
            self.inputs.series, self.series, self.opinions, read_MBP, strict=True
        ):
            index = list(columns)
            encoded = encoder(x_BTC[:, :, index], observed_BTC[:, :, index], self.window_WT)
            said_BP, residual_BR = opinion(encoded, feature_PJ, moment_BPJ)
            said_BP = said_BP + read_BP
            if self.inputs.target in columns:
                said_BP = said_BP + self._target_evidence(
                    latent_P3, values_BTC, observed_BTC, days_since_onset_BT
                )
            # The dose acts on the rate alone: the therapy has no say in the residual.
            if self.inputs.dose in columns:
                residual_BR = torch.zeros_like(residual_BR)
            parts.append((said_BP, residual_BR))
        return torch.stack([torch.cat([*part, facts_BF], dim=-1) for part in parts], dim=1)

    def learn(self, train: SequenceBatch) -> None:
        """Learn the normalisation, and start the readings of the channels from regressions."""
        super().learn(train)
        x_BTC = self.normalisation.series(
            torch.from_numpy(train.values_BTC), torch.from_numpy(train.observed_BTC).float()
        )
        self.emissions.learn(
            x_BTC.numpy().astype(np.float64), train, self.inputs.low, self.inputs.high
        )

    def _facts(
        self, values_BTC: Tensor, observed_BTC: Tensor, days_BT: Tensor, origin_day_B: Tensor
    ) -> Tensor:
        onset_B = days_BT[:, -1].clamp(min=0)
        if self.inputs.dose is None:
            dose_B = torch.full_like(onset_B, REFERENCE_DOSE_MIN)
        else:
            recent = slice(-2 * WINDOW_DAYS, None)
            seen_BT = observed_BTC[:, recent, self.inputs.dose]
            total_B = (values_BTC[:, recent, self.inputs.dose] * seen_BT).sum(dim=1)
            count_B = seen_BT.sum(dim=1)
            none_B = (count_B == 0).float()
            dose_B = total_B / count_B.clamp(min=1) + none_B * REFERENCE_DOSE_MIN
        return torch.stack([onset_B, origin_day_B, dose_B], dim=-1)

    def _target_evidence(
        self, latent_P3: Tensor, values_BTC: Tensor, observed_BTC: Tensor, days_BT: Tensor
    ) -> Tensor:
        seen_BT1 = observed_BTC[:, :, self.inputs.target : self.inputs.target + 1]
        score_BT1 = values_BTC[:, :, self.inputs.target : self.inputs.target + 1]
        share_BT1 = (score_BT1 - self.inputs.low) / (self.inputs.high - self.inputs.low)
        count_BW = (self.window_WT @ seen_BT1)[..., 0]
        mean_BW = (self.window_WT @ (share_BT1 * seen_BT1))[..., 0] / count_BW.clamp(min=1)
        day_BW = (self.window_WT @ (days_BT[..., None].clamp(min=0) * seen_BT1))[..., 0]
        day_BW = day_BW / count_BW.clamp(min=1)
        return evidence(latent_P3, mean_BW, count_BW, day_BW, self.log_noise)


class HybridHead(ModalityHead):
    """Adds up the evidence, lets the curves run to the horizons, and reads the quantiles."""

    level_Q: Tensor
    horizon_days_H: Tensor
    stratum_PS: Tensor

    def __init__(
        self, inputs: Inputs, curves: Curves, horizon_days: Sequence[int], hidden: int
    ) -> None:
        super().__init__()
        self.low, self.high = inputs.low, inputs.high
        self.therapy = inputs.therapy
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
        self.log_noise_H = nn.Parameter(torch.full((horizons,), NOISE_SHARE).log())

    def forward(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) in score points, the recent daily dose going on."""
        dose_BH = self._recent_dose(embeddings_BMD, present_BM)
        return self.under_plan(embeddings_BMD, present_BM, dose_BH)

    def losses(self, embeddings_BMD: Tensor, present_BM: Tensor, truth_BH: Tensor) -> Tensor:
        """Return the CRPS of each outcome, (B, H), in score points."""
        dose_BH = self._recent_dose(embeddings_BMD, present_BM)
        share_BH = (torch.nan_to_num(truth_BH, self.low) - self.low) / (self.high - self.low)
        cdf_BHK = self._distribution(embeddings_BMD, present_BM, dose_BH)
        return (self.high - self.low) * crps(cdf_BHK, share_BH)

    def _recent_dose(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        dose_B = embeddings_BMD[:, 0, -FACTS + DOSE]
        if self.therapy is not None:
            known_B = present_BM[:, self.therapy]
            dose_B = known_B * dose_B + (1 - known_B) * REFERENCE_DOSE_MIN
        return dose_B[:, None].expand(-1, len(self.horizon_days_H))

    def under_plan(self, embeddings_BMD: Tensor, present_BM: Tensor, dose_BH: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) in score points under a plan.

        Parameters
        ----------
        dose_BH
            Minutes of therapy a day, in force from the horizon before (or the origin).
        """
        cdf_BHK = self._distribution(embeddings_BMD, present_BM, dose_BH)
        return self.low + (self.high - self.low) * quantiles(cdf_BHK, self.level_Q)

    def _distribution(self, embeddings_BMD: Tensor, present_BM: Tensor, dose_BH: Tensor) -> Tensor:
        """Return the distribution function on the grid of the scale, (B, H, K + 1)."""
        shown_BM1 = present_BM[..., None]
        said_BMP = embeddings_BMD[..., : len(self.stratum_PS)]
        # A product of matrices, so that many coalitions of one pair share its embeddings.
        said_BP = (present_BM[:, None] @ said_BMP).squeeze(1)
        log_weight_BP = said_BP + self.curves.log_weight()
        weight_BP = torch.softmax(log_weight_BP, dim=-1)
        # Every modality carries the facts; the first, the time since onset, is the one that is due.
        known_B = present_BM[:, 0]
        onset_B = (
            known_B * embeddings_BMD[:, 0, -FACTS + ONSET] + (1 - known_B) * self.absent_onset.exp()
        )
        origin_B = embeddings_BMD[:, 0, -FACTS + ORIGIN].expand_as(known_B)
        shift_BH, wider_BH = self._residual(embeddings_BMD, shown_BM1, origin_B)
        ahead_BHG = self._effective_days(origin_B, dose_BH)
        latent_P3 = self.curves.latent()
        level_BHP = level_ahead(latent_P3, onset_B, self.curves.of_groups(ahead_BHG))
        spread_BH = (self.log_noise_H + wider_BH).clamp(*LOG_NOISE_RANGE).exp()
        weight_BHS, mean_BHS, variance_BHS = self._strata(weight_BP, level_BHP)
        return mixture_cdf(
            weight_BHS,
            mean_BHS + shift_BH[..., None],
            (variance_BHS + spread_BH[..., None] ** 2).sqrt(),
        )

    def _residual(
        self, embeddings_BMD: Tensor, shown_BM1: Tensor, origin_B: Tensor
    ) -> tuple[Tensor, Tensor]:
        first = len(self.stratum_PS)
        told_BMR = embeddings_BMD[..., first : first + RESIDUALS]
        told_BMR = told_BMR * shown_BM1 + self.absent_MR * (1 - shown_BM1)
        joined = torch.cat([told_BMR.flatten(1), origin_B[:, None] / 21], dim=-1)
        raw_B2H = self.residual(joined).unflatten(1, (2, len(self.horizon_days_H)))
        return torch.tanh(raw_B2H[:, 0]), raw_B2H[:, 1]

    def _effective_days(self, origin_B: Tensor, dose_BH: Tensor) -> Tensor:
        """Return days ahead stretched by the dose, per group, (B, H, G).

        The rate is multiplied by (1 + effect · saturation(dose)) over the same at the reference
        dose; the effect is positive, so more therapy never slows recovery down.
        """
        end_BH = (self.horizon_days_H - origin_B[:, None]).clamp(min=0)
        length_BH = end_BH - torch.cat([torch.zeros_like(end_BH[:, :1]), end_BH[:, :-1]], dim=1)
        effect_G = nn.functional.softplus(self.effect_G)
        saturated_BH1 = 1 - torch.exp(-dose_BH[..., None] / HALF_DOSE_MIN)
        reference = 1 - torch.exp(torch.tensor(-REFERENCE_DOSE_MIN / HALF_DOSE_MIN))
        faster_BHG = (1 + effect_G * saturated_BH1) / (1 + effect_G * reference)
        return (length_BH[..., None] * faster_BHG).cumsum(dim=1)

    def _strata(self, weight_BP: Tensor, level_BHP: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sum up the curves of each stratum by weight, mean and variance, (B, H, S) each."""
        weight_BS = weight_BP @ self.stratum_PS
        safe_BS = (weight_BS + 1e-9)[:, None]
        mean_BHS = ((weight_BP[:, None] * level_BHP) @ self.stratum_PS) / safe_BS
        square_BHS = ((weight_BP[:, None] * level_BHP**2) @ self.stratum_PS) / safe_BS
        variance_BHS = (square_BHS - mean_BHS**2).clamp(min=0)
        return weight_BS[:, None].expand_as(mean_BHS), mean_BHS, variance_BHS


def curve_features(latent_P3: Tensor, group_P: Tensor) -> Tensor:
    """Return what a tilt can prefer a curve for, (P, J): its group, course and capacity."""
    capacity_P = level(latent_P3, torch.tensor(1e6))
    course = [
        latent_P3[:, START] / 3,
        latent_P3[:, RATE] / 3,
        latent_P3[:, TIME] - 3,
        4 * (capacity_P - 0.5),
        (4 * (capacity_P - 0.5)) ** 2,
    ]
    groups_PG = nn.functional.one_hot(group_P, GROUPS).float()
    return torch.cat([torch.stack(course, dim=1), groups_PG], dim=1)


def channels_of(inputs: Inputs) -> Tensor:
    """Return which channels each series modality reads by emission, (M, C) of 0 and 1.

    All but the target, whose scores have a likelihood of their own, and the dose.
    """
    channel_MC = torch.zeros(len(inputs.series), inputs.channels)
    for place, columns in enumerate(inputs.series):
        channel_MC[place, [c for c in columns if c not in {inputs.target, inputs.dose}]] = 1
    return channel_MC


def moment_features(latent_P3: Tensor, onset_B: Tensor) -> Tensor:
    """Return what a tilt can prefer a curve for at the origin: its level and its recent weekly gain.

    With their squares, so that a modality can say "the level is now about so much", (B, P, J).
    """
    now_BP = level(latent_P3, onset_B[:, None])
    back_B = onset_B.clamp(min=1, max=2 * WINDOW_DAYS)[:, None]
    before_BP = level(latent_P3, (onset_B[:, None] - back_B).clamp(min=0))
    gain_BP = 8 * WINDOW_DAYS * (now_BP - before_BP) / back_B
    away_BP = 8 * (now_BP - 0.5)
    return torch.stack([away_BP, away_BP**2, gain_BP, gain_BP**2], dim=-1)
