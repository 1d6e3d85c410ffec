"""The hybrid mechanistic state space: recovery curves weighed by what each modality says of them.

Recovery is a level moving toward a patient's own capacity (`training.models.recovery`). The
population is a few hundred learned curves; a modality's embedding is its log evidence for each of
them, and the head adds the evidence of those that are present (a product of experts; Hinton 2002).
So a forecast starts from anything observed, and with nothing it is the population's. The target's
own past scores speak through their exact censored likelihood, the days of the other channels
through readings of the level (`training.models.emissions`), and what neither catches through a
learned tilt. A residual corrects the level from features that never include the therapy.

Letters: B pairs, T days, W windows, C channels of one modality, S person covariates, M modalities,
D embedding width, P curves, J features of a curve, R residual features.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from contracts.sequences import SequenceBatch
from training.models.emissions import Emissions, windows
from training.models.inputs import Inputs
from training.models.network import ModalityEncoder
from training.models.normalisation import Normalisation
from training.models.opinions import (
    WINDOW_DAYS,
    Opinion,
    WindowEncoder,
    curve_features,
    moment_features,
)
from training.models.recovery import NOISE_SHARE, Curves, evidence, level
from training.models.series import SUMMARIES
from training.models.trajectory import ONSET, REFERENCE_DOSE_MIN

PER_GROUP = 32
"""Curves of each group."""


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
            encoded = encoder(x_BTC[:, :, index], observed_BTC[:, :, index])
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
        # Only differences between curves count; near 0 they are exact in single precision.
        centred = [(said_BP - said_BP.amax(dim=1, keepdim=True), told) for said_BP, told in parts]
        return torch.stack([torch.cat([*part, facts_BF], dim=-1) for part in centred], dim=1)

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
        share_BT1 = (score_BT1 - self.inputs.worst) / (self.inputs.best - self.inputs.worst)
        count_BW = (self.window_WT @ seen_BT1)[..., 0]
        mean_BW = (self.window_WT @ (share_BT1 * seen_BT1))[..., 0] / count_BW.clamp(min=1)
        day_BW = (self.window_WT @ (days_BT[..., None].clamp(min=0) * seen_BT1))[..., 0]
        day_BW = day_BW / count_BW.clamp(min=1)
        return evidence(latent_P3, mean_BW, count_BW, day_BW, self.log_noise)


def channels_of(inputs: Inputs) -> Tensor:
    """Return which channels each series modality reads by emission, (M, C) of 0 and 1.

    All but the target, whose scores have a likelihood of their own, and the dose.
    """
    channel_MC = torch.zeros(len(inputs.series), inputs.channels)
    for place, columns in enumerate(inputs.series):
        channel_MC[place, [c for c in columns if c not in {inputs.target, inputs.dose}]] = 1
    return channel_MC
