"""The late-fusion recurrent network: one encoder per modality, a small head that joins them.

Letters: B pairs, T days, C channels of one modality, S person covariates, M modalities,
D embedding width, H horizons, Q quantile levels.

Late fusion is what makes exact Shapley values cheap: leaving a modality out re-runs only the head
(docs/decisions/0002). Normalisation is part of the graph, so a bundle can't lose it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from contracts.forecast import QUANTILE_LEVELS

STEEPNESS = 0.5
"""Half-life, in days, of the weights that pick the most recent value of a channel."""


class SeriesEncoder(nn.Module):
    """Encodes the days of one modality: a GRU over values, masks and days, and three summaries.

    The summaries are what a small cohort can't teach a GRU: the latest value of each channel, its
    change against the window's mean, and on how many days it was seen.

    The latest value is a weighted mean with very steep weights: an index that depends on the data
    would not export to ONNX.
    """

    age_T: Tensor
    weight_T: Tensor

    def __init__(self, channels: int, days: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.recurrent = nn.GRU(2 * channels + 1, hidden, batch_first=True)
        self.join = nn.Linear(hidden + 3 * channels, embedding)
        self.register_buffer("age_T", torch.arange(days - 1, -1, -1, dtype=torch.float32) / days)
        self.register_buffer("weight_T", day_weights(days))

    def forward(self, x_BTC: Tensor, seen_BTC: Tensor) -> Tensor:
        """Return embeddings (B, D); values are standardised and 0 where not seen."""
        age_BT1 = self.age_T[None, :, None].expand(x_BTC.shape[0], -1, -1)
        _, state_1BH = self.recurrent(torch.cat([x_BTC, seen_BTC, age_BT1], dim=-1))
        latest_BC = latest(x_BTC, seen_BTC, self.weight_T)
        count_BC = seen_BTC.sum(dim=1)
        change_BC = latest_BC - (x_BTC * seen_BTC).sum(dim=1) / count_BC.clamp(min=1)
        summary = [state_1BH[0], latest_BC, change_BC, torch.log1p(count_BC)]
        return torch.tanh(self.join(torch.cat(summary, dim=-1)))


def day_weights(days: int) -> Tensor:
    """Return weights (T,) so steep that a weighted mean is the last observed value."""
    return torch.exp2(-torch.arange(days - 1, -1, -1, dtype=torch.float32) / STEEPNESS)


def latest(x_BTC: Tensor, seen_BTC: Tensor, weight_T: Tensor) -> Tensor:
    """Return the most recently seen value of each channel, (B, C); 0 where there is none."""
    weight_BTC = seen_BTC * weight_T[None, :, None]
    return (weight_BTC * x_BTC).sum(dim=1) / (weight_BTC.sum(dim=1) + 1e-25)


class Encoder(nn.Module):
    """All modalities' encoders, with their normalisation.

    Modalities run in the order: time since onset, person (if any covariate), then the series. The
    embedding of the target's modality carries, in its first place, the logit of the last score on
    the scale, so that "nothing changes" is where training starts.
    """

    def __init__(
        self,
        *,
        series: Sequence[Sequence[int]],
        person: int,
        days: int,
        target: int,
        scale: tuple[float, float],
        hidden: int,
        embedding: int,
    ) -> None:
        super().__init__()
        self.series_columns = [list(columns) for columns in series]
        self.target = target
        self.low, self.high = scale
        channels = sum(len(columns) for columns in self.series_columns)
        self.register_buffer("mean_C", torch.zeros(channels))
        self.register_buffer("spread_C", torch.ones(channels))
        self.register_buffer("mean_S", torch.zeros(person))
        self.register_buffer("spread_S", torch.ones(person))
        self.time = nn.Linear(2, embedding)
        self.person = nn.Linear(2 * person, embedding) if person else None
        self.series = nn.ModuleList(
            SeriesEncoder(len(columns), days, hidden, embedding) for columns in self.series_columns
        )
        self.register_buffer("weight_T", day_weights(days))

    mean_C: Tensor
    spread_C: Tensor
    mean_S: Tensor
    spread_S: Tensor
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
        x_BTC = (values_BTC - self.mean_C) / self.spread_C * observed_BTC
        onset_B = torch.log1p(days_since_onset_BT[:, -1].clamp(min=0))
        # Roughly standardised: origins lie days to years after onset, weeks after enrolment.
        times_B2 = torch.stack([(onset_B - 4.0) / 2.0, origin_day_B / 21.0], dim=-1)
        parts = [torch.tanh(self.time(times_B2))]
        if self.person is not None:
            p_BS = (person_BS - self.mean_S) / self.spread_S * person_known_BS
            parts.append(torch.tanh(self.person(torch.cat([p_BS, person_known_BS], dim=-1))))
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


class Head(nn.Module):
    """Joins the embeddings into quantiles on the scale.

    An absent modality enters as a learned constant. Per horizon the head writes a centre and a
    spread below and above it, on the logit scale; quantiles are the centre plus normal scores
    times the spread, so they rise by construction and never leave the scale.
    """

    def __init__(
        self,
        *,
        modalities: int,
        embedding: int,
        horizons: int,
        anchor: int,
        hidden: int,
        scale: tuple[float, float],
    ) -> None:
        super().__init__()
        self.low, self.high = scale
        self.horizons = horizons
        self.absent_MD = nn.Parameter(torch.zeros(modalities, embedding))
        width = modalities * embedding
        self.linear = nn.Linear(width, 3 * horizons)
        last = nn.Linear(hidden, 3 * horizons)
        self.curve = nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), last)
        normal_Q = torch.special.ndtri(torch.tensor(QUANTILE_LEVELS, dtype=torch.float64))
        self.register_buffer("normal_Q", normal_Q.float())
        with torch.no_grad():
            self.linear.weight.mul_(0.1)
            self.linear.weight[:horizons, anchor * embedding] = 1.0
            last.weight.mul_(0.1)
            last.bias.zero_()
            self.linear.bias.zero_()

    normal_Q: Tensor

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


class Network(nn.Module):
    """Encoder and head of one ensemble member."""

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head


class Ensemble(nn.Module):
    """Several members' encoders side by side along D, and the mean of their heads' quantiles.

    The mean of quantile functions at each level (Vincentization; Ratcliff 1979) rises along Q
    when every member's does.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def encode(self, *past: Tensor) -> Tensor:
        """Return all members' embeddings, (B, M, K * D)."""
        return torch.cat([member.encoder(*past) for member in self._networks()], dim=-1)

    def join(self, embeddings_BME: Tensor, present_BM: Tensor) -> Tensor:
        """Return the mean quantiles (B, H, Q)."""
        parts = embeddings_BME.chunk(len(self.members), dim=-1)
        quantiles = [
            member.head(part, present_BM)
            for member, part in zip(self._networks(), parts, strict=True)
        ]
        return torch.stack(quantiles).mean(dim=0)

    def _networks(self) -> list[Network]:
        return [cast(Network, member) for member in self.members]
