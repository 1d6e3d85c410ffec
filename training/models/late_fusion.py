"""Late fusion: one encoder per modality, and a small head that joins them.

Letters: B pairs, T days, C channels of one modality, S person covariates, M modalities,
D embedding width, H horizons, Q quantile levels.

Late fusion makes exact Shapley values cheap: leaving a modality out re-runs only the head
(docs/decisions/0002). Normalisation is part of the graph, so a bundle always contains it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts.forecast import QUANTILE_LEVELS
from training.models.layers.input_columns import InputColumns
from training.models.layers.network import ModalityEncoder, ModalityHead
from training.models.layers.normalisation import Normalisation
from training.models.layers.sequence_encoders import (
    SequenceCore,
    SequenceEncoder,
    last_observed,
    recency_weights,
)
from training.models.losses import pinball


class LateFusionEncoder(ModalityEncoder):
    """The encoders of all modalities, with their normalisation.

    Modalities are in the order: time since onset, person (if any covariate), then those that change
    by day. The first entry of the target modality's embedding is the logit of the last score on the
    scale, so that training starts from the forecast of no change.
    """

    def __init__(
        self, inputs: InputColumns, core: SequenceCore, hidden: int, embedding: int
    ) -> None:
        super().__init__()
        self.modality_channels = [list(channels) for channels in inputs.modality_channels]
        self.target = inputs.target
        self.low, self.high = inputs.low, inputs.high
        self.normalisation = Normalisation(inputs.channels, inputs.covariates)
        self.time = nn.Linear(2, embedding)
        self.person = nn.Linear(2 * inputs.covariates, embedding) if inputs.covariates else None
        self.series = nn.ModuleList(
            SequenceEncoder(core, len(channels), inputs.days, hidden, embedding)
            for channels in self.modality_channels
        )
        self.register_buffer("weight_T", recency_weights(inputs.days))

    weight_T: Tensor

    def forward(
        self,
        values_BTC: Tensor,
        observed_BTC: Tensor,
        days_since_onset_BT: Tensor,
        origin_day_B: Tensor,
        person_BS: Tensor,
        person_known_BS: Tensor,
    ) -> Tensor:
        """Return one embedding per modality, (B, M, D)."""
        x_BTC = self.normalisation.series(values_BTC, observed_BTC)
        onset_B = torch.log1p(days_since_onset_BT[:, -1].clamp(min=0))
        # Roughly standardised: origins are days to years after onset, weeks after enrolment.
        times_B2 = torch.stack([(onset_B - 4.0) / 2.0, origin_day_B / 21.0], dim=-1)
        parts = [torch.tanh(self.time(times_B2))]
        if self.person is not None:
            standardised = self.normalisation.person(person_BS, person_known_BS)
            parts.append(torch.tanh(self.person(standardised)))
        for channels, encoder in zip(self.modality_channels, self.series, strict=True):
            parts.append(encoder(x_BTC[:, :, channels], observed_BTC[:, :, channels]))
            if self.target in channels:
                last_B1 = self._last_score_logit(values_BTC, observed_BTC)
                parts[-1] = torch.cat([last_B1, parts[-1][:, 1:]], dim=-1)
        return torch.stack(parts, dim=1)

    def _last_score_logit(self, values_BTC: Tensor, observed_BTC: Tensor) -> Tensor:
        column = slice(self.target, self.target + 1)
        last_B1 = last_observed(values_BTC[:, :, column], observed_BTC[:, :, column], self.weight_T)
        # Half a point inside the scale, because the logit of its ends is infinite.
        share_B1 = (last_B1 - self.low + 0.5) / (self.high - self.low + 1.0)
        return torch.logit(share_B1.clamp(0.005, 0.995))


class LateFusionHead(ModalityHead):
    """Joins the embeddings into quantiles on the scale.

    An absent modality enters as a learned constant. For each horizon the head returns a centre and
    the spreads below and above it, on the logit scale; quantiles are the centre plus normal scores
    times the spread, so they rise by construction and never leave the scale.
    """

    def __init__(self, inputs: InputColumns, horizons: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.low, self.high = inputs.low, inputs.high
        self.horizons = horizons
        self.absent_MD = nn.Parameter(torch.zeros(inputs.modalities, embedding))
        width = inputs.modalities * embedding
        self.linear = nn.Linear(width, 3 * horizons)
        last = nn.Linear(hidden, 3 * horizons)
        self.curve = nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), last)
        normal_Q = torch.special.ndtri(torch.tensor(QUANTILE_LEVELS, dtype=torch.float64))
        self.register_buffer("normal_Q", normal_Q.float())
        self.register_buffer("level_Q", torch.tensor(QUANTILE_LEVELS))
        with torch.no_grad():
            self.linear.weight.mul_(0.1)
            self.linear.weight[:horizons, inputs.target_modality * embedding] = 1.0
            last.weight.mul_(0.1)
            last.bias.zero_()
            self.linear.bias.zero_()

    normal_Q: Tensor
    level_Q: Tensor

    def forward(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) in score points, rising along Q."""
        present_BM1 = present_BM[:, :, None]
        joined = (embeddings_BMD * present_BM1 + self.absent_MD * (1 - present_BM1)).flatten(1)
        raw_B3H = (self.linear(joined) + self.curve(joined)).unflatten(1, (3, self.horizons))
        centre_BH1 = raw_B3H[:, 0, :, None]
        below_BH1 = nn.functional.softplus(raw_B3H[:, 1, :, None])
        above_BH1 = nn.functional.softplus(raw_B3H[:, 2, :, None])
        z_BHQ = (
            centre_BH1
            + below_BH1 * self.normal_Q.clamp(max=0)
            + above_BH1 * self.normal_Q.clamp(min=0)
        )
        # Half a point outward, to undo `_last_score_logit`: forecasts can reach the scale's ends.
        score_BHQ = self.low - 0.5 + (self.high - self.low + 1.0) * torch.sigmoid(z_BHQ)
        return score_BHQ.clamp(self.low, self.high)

    def losses(self, embeddings_BMD: Tensor, present_BM: Tensor, truth_BH: Tensor) -> Tensor:
        """Return twice the mean pinball loss of each outcome, (B, H): approximately its CRPS."""
        return 2 * pinball(truth_BH, self(embeddings_BMD, present_BM), self.level_Q)
