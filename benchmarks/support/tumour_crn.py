"""A counterfactual recurrent network for simulated tumours, re-implemented (Bica 2020).

An LSTM whose representation is trained to forecast the next volume and, by gradient reversal, not
to show the next treatment; from its representation a second one goes on through the planned days.
Sizes are those published for the strongest confounding; whoever asks says how long it learns.
Letters: P patients, T days, O options, H steps ahead, B windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from support.tumour import Array, Courses, Patients
from support.tumour_tests import STEPS, Asked

UNITS, HEAD, DROPOUT, ACTIONS = 24, 96, 0.2, 4
RATE, BATCH, WINDOWS = 0.003, 64, 1_024
"""The rate is three times that published, for fewer steps."""


class Recurrent(nn.Module):
    """Encoder and decoder have this one form."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2 + ACTIONS, UNITS, batch_first=True)
        self.represent = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(UNITS, UNITS), nn.ELU())
        self.outcome = nn.Sequential(nn.Linear(UNITS + ACTIONS, HEAD), nn.ELU(), nn.Linear(HEAD, 1))
        self.treatment = nn.Sequential(nn.Linear(UNITS, HEAD), nn.ELU(), nn.Linear(HEAD, ACTIONS))

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the representation of each day, and the state at the end."""
        hidden, state = self.lstm(inputs, state)
        return self.represent(hidden), state

    def forecast(self, represented: Tensor, action: Tensor) -> Tensor:
        """Return the next day's volume under an action."""
        both = torch.cat([represented, one_hot(action, ACTIONS)], dim=-1)
        found: Tensor = self.outcome(both)
        return found[..., 0]

    def loss(
        self, represented: Tensor, action: Tensor, target: Tensor, seen: Tensor, by: float
    ) -> Tensor:
        """Return the error of volumes, and how well treatments are guessed, to be turned round."""
        error = ((self.forecast(represented, action) - target)[seen] ** 2).mean()
        # The same value with its gradient turned round (Ganin 2015).
        turned = (1 + by) * represented.detach() - by * represented
        guessed = self.treatment(turned)
        return error + cross_entropy(guessed[seen], action[seen])


@dataclass
class Crn:
    """The fitted networks and how volumes are scaled."""

    encoder: Recurrent
    decoder: Recurrent
    mean: float
    sd: float

    def represented(self, patients: Patients, courses: Courses) -> Tensor:
        """Return the encoder's representation of each day, (P, T, units)."""
        represented: Tensor = self.encoder(_inputs(self, patients, courses))[0]
        return represented

    @torch.no_grad()
    def forecasts(self, asked: Asked) -> Array:
        """Return the volumes of all options, (P, T, O, H)."""
        self.encoder.eval()
        self.decoder.eval()
        action = torch.from_numpy(asked.action_PTOH)
        people, days, options, steps = action.shape
        represented = self.represented(asked.patients, asked.courses)[:, :days, None]
        represented = represented.expand(-1, -1, options, -1).reshape(-1, UNITS)
        action = action.reshape(-1, steps)
        found = [self.encoder.forecast(represented, action[:, 0])]
        state = (represented[None].contiguous(), represented[None].contiguous())
        kind = _kind(asked.patients).repeat_interleave(days * options)
        for step in range(1, steps):
            inputs = torch.cat([
                found[-1][:, None], kind[:, None], one_hot(action[:, step - 1], ACTIONS).float(),
            ], dim=-1)  # fmt: skip
            after, state = self.decoder(inputs[:, None], state)
            found.append(self.decoder.forecast(after[:, 0], action[:, step]))
        scaled = torch.stack(found, dim=-1).reshape(people, days, options, steps).numpy()
        return np.asarray(scaled * self.sd + self.mean, dtype=np.float64)


def _kind(patients: Patients) -> Tensor:
    return torch.from_numpy((patients.type_P - 2) / np.sqrt(2 / 3)).float()


def _volumes(crn: Crn, courses: Courses) -> Tensor:
    return torch.from_numpy((courses.volume_PT - crn.mean) / crn.sd).float()


def _inputs(crn: Crn, patients: Patients, courses: Courses) -> Tensor:
    """Return volume, type and the treatment of the day before, (P, T, ...)."""
    volume = torch.nan_to_num(_volumes(crn, courses))
    before = one_hot(torch.from_numpy(courses.action_PT), ACTIONS).float().roll(1, dims=1)
    before[:, 0] = 0
    kind = _kind(patients)[:, None].expand_as(volume)
    return torch.cat([volume[..., None], kind[..., None], before], dim=-1)


def train(patients: Patients, courses: Courses, epochs: int, seed: int) -> Crn:
    """Fit the encoder to all days, then the decoder to windows of what it represents."""
    torch.manual_seed(seed)
    seen = courses.volume_PT[np.isfinite(courses.volume_PT)]
    crn = Crn(Recurrent(), Recurrent(), float(seen.mean()), float(seen.std()))
    inputs, volume = _inputs(crn, patients, courses), _volumes(crn, courses)
    action = torch.from_numpy(courses.action_PT)
    optimiser = torch.optim.Adam(crn.encoder.parameters(), lr=RATE)
    for epoch in range(epochs):
        for rows in _parts(torch.randperm(len(inputs)), BATCH):
            represented, _ = crn.encoder(inputs[rows, :-1])
            target = volume[rows, 1:]
            loss = crn.encoder.loss(
                represented, action[rows, :-1], target, ~target.isnan(), _rising(epoch, epochs)
            )
            _step(optimiser, loss, crn.encoder)
    _train_decoder(crn, patients, courses, epochs)
    return crn


def _train_decoder(crn: Crn, patients: Patients, courses: Courses, epochs: int) -> None:
    crn.encoder.eval()
    with torch.no_grad():
        represented = crn.represented(patients, courses)
    days = represented.shape[1] - STEPS
    volume, action, kind = (
        _volumes(crn, courses), torch.from_numpy(courses.action_PT), _kind(patients)
    )  # fmt: skip
    whole = torch.stack(
        [volume[:, d : d + STEPS + 1].isfinite().all(dim=1) for d in range(days)], 1
    )
    windows = whole.nonzero()
    ahead = torch.arange(1, STEPS)
    optimiser = torch.optim.Adam(crn.decoder.parameters(), lr=RATE)
    for epoch in range(epochs):
        for rows in _parts(windows[torch.randperm(len(windows))], WINDOWS):
            who, at = rows[:, :1], rows[:, 1:] + ahead
            start = represented[rows[:, 0], rows[:, 1]][None].contiguous()
            inputs = torch.cat([
                volume[who, at][..., None], kind[who].expand_as(at)[..., None],
                one_hot(action[who, at - 1], ACTIONS).float(),
            ], dim=-1)  # fmt: skip
            found, _ = crn.decoder(inputs, (start, start))
            target = volume[who, at + 1]
            loss = crn.decoder.loss(
                found, action[who, at], target, ~target.isnan(), _rising(epoch, epochs)
            )
            _step(optimiser, loss, crn.decoder)


def _parts(order: Tensor, size: int) -> Iterator[Tensor]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _rising(epoch: int, epochs: int) -> float:
    """Return how strongly gradients are turned round: from 0 towards 1 (Ganin 2015)."""
    return float(2 / (1 + np.exp(-10 * epoch / epochs)) - 1)


def _step(optimiser: torch.optim.Optimizer, loss: Tensor, network: nn.Module) -> None:
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
