"""The hybrid mechanistic state space: recovery curves weighed by what each modality says of them.

Recovery is a level moving toward a patient's own capacity (`training.models.layers.recovery_curves`). The
population is a few hundred learned curves; a modality's embedding is its log evidence for each of
them, and the head adds the evidence of those that are present (a product of experts; Hinton 2002).
So a forecast starts from anything observed, and with nothing it is the population's. The target's
own past scores speak through their exact censored likelihood, the days of the other channels
through readings of the level (`training.models.layers.emissions`), and what neither catches
through a learned tilt. A residual corrects the level from features that never include the therapy.

Letters: B pairs, T days, W windows, C channels of one modality, S person covariates, M modalities,
D embedding width, P curves, J features of a curve, R residual features.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from contracts.sequences import SequenceBatch
from training.models.layers.emissions import Emissions, window_sums
from training.models.layers.hybrid_head import ONSET, ORIGIN, REFERENCE_DOSE_MIN
from training.models.layers.input_columns import Inputs
from training.models.layers.modality_evidence import (
    WEEK_DAYS,
    Opinion,
    WeeklyOpinion,
    curve_features,
    moment_features,
    tilted,
    weekly,
)
from training.models.layers.network import ModalityEncoder
from training.models.layers.normalisation import Normalisation
from training.models.layers.recovery_curves import NOISE_SHARE, Curves, evidence, lead, level
from training.models.layers.sequence_encoders import SUMMARIES, day_weights, summary

PER_GROUP = 64
"""Curves of each group."""


class HybridEncoder(ModalityEncoder):
    """Log evidence and residual features of each modality, with the facts that the head needs."""

    weight_T: Tensor
    anchor_M1: Tensor
    dose_M1: Tensor

    def __init__(self, inputs: Inputs, hidden: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.curves = Curves(PER_GROUP)
        self.log_noise = nn.Parameter(torch.tensor(NOISE_SHARE).log())
        self.normalisation = Normalisation(inputs.channels, inputs.person)
        self.emissions = Emissions(channels_of(inputs))
        self.register_buffer("weight_T", day_weights(inputs.days))
        self.register_buffer("anchor_M1", one_of(inputs.anchor, inputs.modalities))
        self.register_buffer("dose_M1", one_of(inputs.therapy, inputs.modalities))
        self.time = Opinion(3, hidden)
        self.person = Opinion(2 * inputs.person, hidden) if inputs.person else None
        self.series = nn.ModuleList(
            WeeklyOpinion(len(columns), inputs.days, hidden) for columns in inputs.series
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
        x_BTC = self.normalisation.series(values_BTC, observed_BTC)
        facts_BF = self._facts(values_BTC, observed_BTC, days_since_onset_BT, origin_day_B)
        latent_P3 = self.curves.latent()
        opinions = [self.time(times_of(facts_BF))]
        if self.person is not None:
            opinions.append(self.person(self.normalisation.person(person_BS, person_known_BS)))
        opinions += self._of_series(x_BTC, observed_BTC)
        tilt_BMJ, residual_BMR = (torch.stack(told, dim=1) for told in zip(*opinions, strict=True))
        days_BW = self.emissions.days(days_since_onset_BT)
        target_BP = self._target_evidence(latent_P3, values_BTC, observed_BTC, days_since_onset_BT)
        said_BMP = (
            tilted(
                tilt_BMJ,
                curve_features(latent_P3, self.curves.group_P),
                moment_features(latent_P3, facts_BF[:, ONSET]),
            )
            + self.emissions(
                x_BTC,
                observed_BTC,
                level(latent_P3, days_BW[..., None]),
                lead(latent_P3, days_BW[..., None]),
            )
            + self.anchor_M1 * target_BP[:, None]
        )
        # Only differences between curves count; near 0 they are exact in single precision.
        centred_BMP = said_BMP - said_BMP.amax(dim=-1, keepdim=True)
        # The dose acts on the rate alone: the therapy has no say in the residual.
        allowed_BMR = residual_BMR * (1 - self.dose_M1)
        facts_BMF = facts_BF[:, None].expand(-1, self.inputs.modalities, -1)
        return torch.cat([centred_BMP, allowed_BMR, facts_BMF], dim=-1)

    def _of_series(self, x_BTC: Tensor, observed_BTC: Tensor) -> list[tuple[Tensor, Tensor]]:
        weeks_BWC = weekly(x_BTC, observed_BTC)
        channels = self.inputs.channels
        summary_BF = summary(x_BTC, observed_BTC, self.weight_T)
        summary_BSC = summary_BF.reshape(-1, SUMMARIES, channels)
        told = []
        for columns, opinion in zip(self.inputs.series, self.series, strict=True):
            both = [*columns, *(channels + column for column in columns)]
            told.append(opinion(weeks_BWC[:, :, both], summary_BSC[:, :, list(columns)]))
        return told

    def mechanistic(self) -> list[nn.Parameter]:
        """Return the population of curves, the readings of the channels and the score's noise."""
        return [*self.curves.parameters(), *self.emissions.parameters(), self.log_noise]

    def learn(self, train: SequenceBatch) -> None:
        """Learn the normalisation, and start the readings of the channels from regressions."""
        super().learn(train)
        x_BTC = self.normalisation.series(
            torch.from_numpy(train.values_BTC), torch.from_numpy(train.observed_BTC).float()
        )
        self.emissions.learn(
            x_BTC.numpy().astype(np.float64), train, self.inputs.worst, self.inputs.best
        )

    def _facts(
        self, values_BTC: Tensor, observed_BTC: Tensor, days_BT: Tensor, origin_day_B: Tensor
    ) -> Tensor:
        onset_B = days_BT[:, -1].clamp(min=0)
        if self.inputs.dose is None:
            dose_B = torch.full_like(onset_B, REFERENCE_DOSE_MIN)
        else:
            recent = slice(-2 * WEEK_DAYS, None)
            seen_BT = observed_BTC[:, recent, self.inputs.dose]
            total_B = (values_BTC[:, recent, self.inputs.dose] * seen_BT).sum(dim=1)
            count_B = seen_BT.sum(dim=1)
            none_B = (count_B == 0).float()
            dose_B = total_B / count_B.clamp(min=1) + none_B * REFERENCE_DOSE_MIN
        return torch.stack([onset_B, origin_day_B, dose_B], dim=-1)

    def _target_evidence(
        self, latent_P3: Tensor, values_BTC: Tensor, observed_BTC: Tensor, days_BT: Tensor
    ) -> Tensor:
        target = slice(self.inputs.target, self.inputs.target + 1)
        seen_BT1 = observed_BTC[:, :, target]
        share_BT1 = (values_BTC[:, :, target] - self.inputs.worst) / (
            self.inputs.best - self.inputs.worst
        )
        day_BT1 = days_BT[..., None].clamp(min=0)
        each_BT3 = torch.cat([seen_BT1, share_BT1 * seen_BT1, day_BT1 * seen_BT1], dim=-1)
        count_BW, share_BW, day_BW = window_sums(each_BT3, WEEK_DAYS).unbind(dim=-1)
        scores_BW = count_BW.clamp(min=1)
        return evidence(
            latent_P3, share_BW / scores_BW, count_BW, day_BW / scores_BW, self.log_noise
        )


def times_of(facts_BF: Tensor) -> Tensor:
    """Return what the time since onset says of itself, roughly standardised, (B, 3)."""
    onset_B = torch.log1p(facts_BF[:, ONSET])
    return torch.stack(
        [(onset_B - 4) / 2, (onset_B - 4) ** 2 / 4, facts_BF[:, ORIGIN] / 21], dim=-1
    )


def one_of(place: int | None, places: int) -> Tensor:
    """Return 1 at a place and 0 elsewhere, (M, 1); 0 everywhere without a place."""
    return torch.tensor([[float(each == place)] for each in range(places)])


def channels_of(inputs: Inputs) -> Tensor:
    """Return which channels each series modality reads by emission, (M, C) of 0 and 1.

    All but the target, whose scores have a likelihood of their own, and the dose.
    """
    channel_MC = torch.zeros(inputs.modalities, inputs.channels)
    for place, columns in enumerate(inputs.series, inputs.modalities - len(inputs.series)):
        channel_MC[place, [c for c in columns if c not in {inputs.target, inputs.dose}]] = 1
    return channel_MC
