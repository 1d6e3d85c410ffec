"""Late fusion: one encoder per modality, a small head that joins them.

Letters: B pairs, T days, C channels of one modality, S person covariates, M modalities,
D embedding width, H horizons, Q quantile levels.

Late fusion is what makes exact Shapley values cheap: leaving a modality out re-runs only the head
(docs/decisions/0002). Normalisation is part of the graph, so a bundle can't lose it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from contracts.forecast import QUANTILE_LEVELS
from training.models.layers.input_columns import Inputs
from training.models.layers.network import ModalityEncoder, ModalityHead
from training.models.layers.normalisation import Normalisation
from training.models.layers.sequence_encoders import SeriesCore, SeriesEncoder, day_weights, latest
from training.models.losses import pinball


class Encoder(ModalityEncoder):
    """All modalities' encoders, with their normalisation.

    Modalities run in the order: time since onset, person (if any covariate), then the series. The
    embedding of the target's modality carries, in its first place, the logit of the last score on
    the scale, so that "nothing changes" is where training starts.
    """

    def __init__(self, inputs: Inputs, core: SeriesCore, hidden: int, embedding: int) -> None:
        super().__init__()
        self.series_columns = [list(columns) for columns in inputs.series]
        self.target = inputs.target
        self.low, self.high = inputs.low, inputs.high
        self.normalisation = Normalisation(inputs.channels, inputs.person)
        self.time = nn.Linear(2, embedding)
        self.person = nn.Linear(2 * inputs.person, embedding) if inputs.person else None
        self.series = nn.ModuleList(
            SeriesEncoder(core, len(columns), inputs.days, hidden, embedding)
            for columns in self.series_columns
        )
        self.register_buffer("weight_T", day_weights(inputs.days))

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
        # Roughly standardised: origins lie days to years after onset, weeks after enrolment.
        times_B2 = torch.stack([(onset_B - 4.0) / 2.0, origin_day_B / 21.0], dim=-1)
        parts = [torch.tanh(self.time(times_B2))]
        if self.person is not None:
            known = self.normalisation.person(person_BS, person_known_BS)
            parts.append(torch.tanh(self.person(known)))
        for columns, encoder in zip(self.series_columns, self.series, strict=True):
            parts.append(encoder(x_BTC[:, :, columns], observed_BTC[:, :, columns]))
            if self.target in columns:
                anchor_B1 = self._anchor(values_BTC, observed_BTC)
                parts[-1] = torch.cat([anchor_B1, parts[-1][:, 1:]], dim=-1)
        return torch.stack(parts, dim=1)

    def _anchor(self, values_BTC: Tensor, observed_BTC: Tensor) -> Tensor:
        column = slice(self.target, self.target + 1)
        last_B1 = latest(values_BTC[:, :, column], observed_BTC[:, :, column], self.weight_T)
        # Half a point inside the scale: the logit of its very ends is infinite.
        share_B1 = (last_B1 - self.low + 0.5) / (self.high - self.low + 1.0)
        return torch.logit(share_B1.clamp(0.005, 0.995))


class Head(ModalityHead):
    """Joins the embeddings into quantiles on the scale.

    An absent modality enters as a learned constant. Per horizon the head writes a centre and a
    spread below and above it, on the logit scale; quantiles are the centre plus normal scores
    times the spread, so they rise by construction and never leave the scale.
    """

    def __init__(self, inputs: Inputs, horizons: int, hidden: int, embedding: int) -> None:
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
            self.linear.weight[:horizons, inputs.anchor * embedding] = 1.0
            last.weight.mul_(0.1)
            last.bias.zero_()
            self.linear.bias.zero_()

    normal_Q: Tensor
    level_Q: Tensor

    def forward(self, embeddings_BMD: Tensor, present_BM: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) in score points, rising along Q."""
        shown_BM1 = present_BM[:, :, None]
        joined = (embeddings_BMD * shown_BM1 + self.absent_MD * (1 - shown_BM1)).flatten(1)
        raw_B3H = (self.linear(joined) + self.curve(joined)).unflatten(1, (3, self.horizons))
        centre_BH1 = raw_B3H[:, 0, :, None]
        below_BH1 = nn.functional.softplus(raw_B3H[:, 1, :, None])
        above_BH1 = nn.functional.softplus(raw_B3H[:, 2, :, None])
        z_BHQ = (
            centre_BH1
            + below_BH1 * self.normal_Q.clamp(max=0)
            + above_BH1 * self.normal_Q.clamp(min=0)
        )
        # The anchor's half point outward, undone: forecasts can reach the ends of the scale.
        score_BHQ = self.low - 0.5 + (self.high - self.low + 1.0) * torch.sigmoid(z_BHQ)
        return score_BHQ.clamp(self.low, self.high)

    def losses(self, embeddings_BMD: Tensor, present_BM: Tensor, truth_BH: Tensor) -> Tensor:
        """Return twice the mean pinball loss of each outcome, (B, H): its CRPS, about."""
        return 2 * pinball(truth_BH, self(embeddings_BMD, present_BM), self.level_Q)
