"""Encoder of the hybrid: recovery curves weighted by the evidence of each modality.

Recovery is a level that moves toward a patient's own capacity (`layers.recovery_curves`). The
population is a few hundred learned curves; a modality's embedding is its log evidence for each of
them, and the head adds the evidence of those that are present (a product of experts; Hinton 2002).
So a forecast can start from whatever was observed; if nothing was, it is that of the population.
The past scores of the target enter by their exact censored likelihood, the other daily channels by
an emission model (`layers.emissions`), and what neither captures by a learned tilt
(`layers.modality_evidence`). A residual, whose features never include the therapy, corrects the
level.

Letters: B pairs, T days, W windows, C channels of one modality, S person covariates, M modalities,
D embedding width, P curves, J features of a curve, R residual features.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from contracts.priors import FLAT, RecoveryPrior
from contracts.sequences import SequenceBatch
from contracts.therapy import DOSE_DAYS, REFERENCE_DOSE_MIN
from training.models.layers.emissions import Emissions, window_sums
from training.models.layers.fitted_population import (
    Scores,
    fit_gain,
    fit_population,
    outcome_scores,
)
from training.models.layers.hybrid_head import ONSET, ORIGIN
from training.models.layers.input_columns import InputColumns
from training.models.layers.modality_evidence import (
    WEEK_DAYS,
    ModalityEvidence,
    SeriesEvidence,
    curve_features,
    origin_features,
    tilt_log_evidence,
    weekly_means_and_counts,
)
from training.models.layers.network import ModalityEncoder
from training.models.layers.normalisation import Normalisation
from training.models.layers.recovery_curves import (
    RecoveryCurves,
    lead,
    level,
    precision,
    score_log_likelihood,
)
from training.models.layers.sequence_encoders import (
    SUMMARIES_PER_CHANNEL,
    channel_summary,
    recency_weights,
)

PER_GROUP = 64
"""Curves of each group."""


class HybridEncoder(ModalityEncoder):
    """Log evidence, residual features and context (`hybrid_head.CONTEXT`) of each modality."""

    weight_T: Tensor
    target_M1: Tensor
    dose_M1: Tensor

    def __init__(self, inputs: InputColumns, hidden: int, prior: RecoveryPrior) -> None:
        super().__init__()
        self.inputs = inputs
        self.starts_flat = prior == FLAT
        self.curves = RecoveryCurves(PER_GROUP, prior)
        self.log_noise = nn.Parameter(torch.tensor(prior.noise_share).log())
        self.normalisation = Normalisation(inputs.channels, inputs.covariates)
        self.emissions = Emissions(emission_channels(inputs), inputs.target, inputs.target_modality)
        self.register_buffer("weight_T", recency_weights(inputs.days))
        self.register_buffer("target_M1", one_hot(inputs.target_modality, inputs.modalities))
        self.register_buffer("dose_M1", one_hot(inputs.dose_modality, inputs.modalities))
        covariates = inputs.covariates
        self.time = ModalityEvidence(3, hidden)
        self.person = ModalityEvidence(2 * covariates, hidden) if covariates else None
        self.series = nn.ModuleList(
            SeriesEvidence(len(columns), inputs.days, hidden)
            for columns in inputs.modality_channels
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
        """Return one embedding per modality, (B, M, P + R + context)."""
        x_BTC = self.normalisation.series(values_BTC, observed_BTC)
        context_BF = self._context(values_BTC, observed_BTC, days_since_onset_BT, origin_day_B)
        latent_P3 = self.curves.latent()
        outputs = [self.time(time_features(context_BF))]
        if self.person is not None:
            outputs.append(self.person(self.normalisation.person(person_BS, person_known_BS)))
        outputs += self._series_outputs(x_BTC, observed_BTC)
        tilts, residuals = zip(*outputs, strict=True)
        tilt_BMJ, residual_BMR = torch.stack(tilts, dim=1), torch.stack(residuals, dim=1)
        kept_W = self.emissions.windows_kept(observed_BTC)
        days_BW = self.emissions.window_days(days_since_onset_BT)[:, kept_W]
        enrolled_BW1 = _since_enrolment(days_BW, days_since_onset_BT, origin_day_B)[..., None]
        precise_P3 = latent_P3.to(precision(self))
        target_BP = self._target_evidence(
            precise_P3, values_BTC, observed_BTC, days_since_onset_BT, origin_day_B
        )
        evidence_BMP = (
            tilt_log_evidence(
                tilt_BMJ,
                curve_features(latent_P3, self.curves.group_P),
                origin_features(latent_P3, context_BF[:, ONSET]),
            )
            + self.emissions(
                x_BTC,
                observed_BTC,
                self.curves.after_enrolment(level(precise_P3, days_BW[..., None]), enrolled_BW1),
                lead(precise_P3, days_BW[..., None]),
                kept_W,
            )
            + self.target_M1 * target_BP[:, None]
        )
        # Only differences between curves count; near 0 they are exact in single precision.
        centred_BMP = (evidence_BMP - evidence_BMP.amax(dim=-1, keepdim=True)).float()
        # The dose acts on the rate alone, so the therapy is left out of the residual.
        allowed_BMR = residual_BMR * (1 - self.dose_M1)
        context_BMF = context_BF[:, None].expand(-1, self.inputs.modalities, -1)
        return torch.cat([centred_BMP, allowed_BMR, context_BMF], dim=-1)

    def _series_outputs(self, x_BTC: Tensor, observed_BTC: Tensor) -> list[tuple[Tensor, Tensor]]:
        weeks_BWC = weekly_means_and_counts(x_BTC, observed_BTC)
        channels = self.inputs.channels
        summary_BF = channel_summary(x_BTC, observed_BTC, self.weight_T)
        summary_BSC = summary_BF.reshape(-1, SUMMARIES_PER_CHANNEL, channels)
        outputs = []
        for columns, evidence in zip(self.inputs.modality_channels, self.series, strict=True):
            means_and_counts = [*columns, *(channels + column for column in columns)]
            outputs.append(
                evidence(weeks_BWC[:, :, means_and_counts], summary_BSC[:, :, list(columns)])
            )
        return outputs

    def mechanistic_parameters(self) -> list[nn.Parameter]:
        """Return the population of curves, the emission models and the score's noise."""
        return [*self.curves.parameters(), *self.emissions.parameters(), self.log_noise]

    def person_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the evidence from covariates of the person."""
        return [] if self.person is None else list(self.person.parameters())

    def learn(self, train: SequenceBatch) -> None:
        """Learn the normalisation, and initialise the emission models by regressions."""
        super().learn(train)
        x_BTC = self.normalisation.series(
            torch.from_numpy(train.values_BTC), torch.from_numpy(train.observed_BTC).float()
        )
        self.emissions.learn(
            x_BTC.numpy().astype(np.float64), train, self.inputs.worst, self.inputs.best
        )

    def learn_start(self, train: SequenceBatch) -> Tensor | None:
        """Fit to the training pairs what nobody published of them; return the log noise.

        That is what is gained after enrolment, and without a published population all of it. A
        published one stays as it is until the weights are learned, and so does the noise: None.
        """
        days_BT = torch.from_numpy(train.days_since_onset_BT).float()
        origin_B = torch.from_numpy(train.origin_day_B).float()
        share_BW, count_BW, day_BW = self._target_scores(
            torch.from_numpy(train.values_BTC).float(),
            torch.from_numpy(train.observed_BTC).float(),
            days_BT,
        )
        enrolled_BW = _since_enrolment(day_BW, days_BT, origin_B)
        outcomes = outcome_scores(train, self.inputs.worst, self.inputs.best)
        past = Scores(share=share_BW, count=count_BW, onset=day_BW, enrolled=enrolled_BW)
        scores = past.beside(outcomes)
        if self.starts_flat:
            fit_population(self.curves, self.log_noise, scores)
        fit_gain(self.curves, self.log_noise, scores)
        return self.log_noise.detach() if self.starts_flat else None

    def _context(
        self, values_BTC: Tensor, observed_BTC: Tensor, days_BT: Tensor, origin_day_B: Tensor
    ) -> Tensor:
        onset_B = days_BT[:, -1].clamp(min=0)
        if self.inputs.dose is None:
            dose_B = torch.full_like(onset_B, REFERENCE_DOSE_MIN)
        else:
            recent = slice(-DOSE_DAYS, None)
            seen_BT = observed_BTC[:, recent, self.inputs.dose]
            total_B = (values_BTC[:, recent, self.inputs.dose] * seen_BT).sum(dim=1)
            count_B = seen_BT.sum(dim=1)
            none_B = (count_B == 0).float()
            dose_B = total_B / count_B.clamp(min=1) + none_B * REFERENCE_DOSE_MIN
        return torch.stack([onset_B, origin_day_B, dose_B], dim=-1)

    def _target_evidence(
        self,
        latent_P3: Tensor,
        values_BTC: Tensor,
        observed_BTC: Tensor,
        days_BT: Tensor,
        origin_day_B: Tensor,
    ) -> Tensor:
        share_BW, count_BW, day_BW = self._target_scores(values_BTC, observed_BTC, days_BT)
        if self.training:
            kept_W = count_BW.any(dim=0)
            share_BW, count_BW, day_BW = (x[:, kept_W] for x in (share_BW, count_BW, day_BW))
        enrolled_BW1 = _since_enrolment(day_BW, days_BT, origin_day_B)[..., None]
        level_BWP = self.curves.after_enrolment(level(latent_P3, day_BW[..., None]), enrolled_BW1)
        return score_log_likelihood(level_BWP, share_BW, count_BW, self.log_noise)

    def _target_scores(
        self, values_BTC: Tensor, observed_BTC: Tensor, days_BT: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean score on the share of the scale, number and days since onset, (B, W)."""
        target = slice(self.inputs.target, self.inputs.target + 1)
        seen_BT1 = observed_BTC[:, :, target]
        share_BT1 = (values_BTC[:, :, target] - self.inputs.worst) / (
            self.inputs.best - self.inputs.worst
        )
        day_BT1 = days_BT[..., None].clamp(min=0)
        score_BT3 = torch.cat([seen_BT1, share_BT1 * seen_BT1, day_BT1 * seen_BT1], dim=-1)
        count_BW, share_BW, day_BW = window_sums(score_BT3, WEEK_DAYS).unbind(dim=-1)
        divisor_BW = count_BW.clamp(min=1)
        return share_BW / divisor_BW, count_BW, day_BW / divisor_BW


def _since_enrolment(days_BW: Tensor, days_BT: Tensor, origin_day_B: Tensor) -> Tensor:
    """Return days since enrolment of what lies on days since onset, (B, W); before it, negative."""
    return days_BW - days_BT[:, -1:].clamp(min=0) + origin_day_B[:, None]


def time_features(context_BF: Tensor) -> Tensor:
    """Return the features of the time since onset and the origin, roughly standardised, (B, 3)."""
    onset_B = torch.log1p(context_BF[:, ONSET])
    return torch.stack(
        [(onset_B - 4) / 2, (onset_B - 4) ** 2 / 4, context_BF[:, ORIGIN] / 21], dim=-1
    )


def one_hot(modality: int | None, modalities: int) -> Tensor:
    """Return 1 for one modality and 0 for the others, (M, 1); 0 for all if it is None."""
    return torch.tensor([[float(index == modality)] for index in range(modalities)])


def emission_channels(inputs: InputColumns) -> Tensor:
    """Return which channels of each modality have an emission model, (M, C) of 0 and 1.

    These are all except the target, whose scores have a likelihood of their own, and the dose.
    """
    channel_MC = torch.zeros(inputs.modalities, inputs.channels)
    first = inputs.modalities - len(inputs.modality_channels)
    for modality, columns in enumerate(inputs.modality_channels, first):
        channel_MC[modality, [c for c in columns if c not in {inputs.target, inputs.dose}]] = 1
    return channel_MC
