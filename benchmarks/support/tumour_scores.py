"""How forecasts of simulated tumours are scored, in percent of the deadly volume.

Letters: P patients, T days, O options, H steps ahead, S draws, R rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from support.tumour import DEADLY, NOISE, Array, dose_after, next_volume
from support.tumour_tests import STEPS, Asked
from support.tumour_twins import LearnedTwin, forecast

DISTRIBUTION_DAYS = (10, 20, 30, 40)
"""Days on which whole distributions are compared."""
TRUE_DRAWS = 200


def nrmse(found_PTOH: Array, truth_PTOH: Array) -> Array:
    """Return 100 RMSE / 1150.35 over all rows, by step ahead."""
    square_H = np.nanmean((found_PTOH - truth_PTOH) ** 2, axis=(0, 1, 2))
    return np.asarray(100 * np.sqrt(square_H) / DEADLY, dtype=np.float64)


def twin_forecasts(twin: LearnedTwin, asked: Asked, rng: np.random.Generator) -> Array:
    """Return the expected volumes of all options of every day, (P, T, O, H)."""
    twin.prepare(asked.patients, asked.courses)
    days = asked.action_PTOH.shape[1]
    with np.errstate(invalid="ignore"):
        return np.stack([forecast(twin, asked, day, rng).mean() for day in range(days)], axis=1)


@dataclass(frozen=True)
class Distribution:
    """How far forecast distributions of the last step are from the truth, means over rows."""

    wasserstein: float
    """From that of the process noise at the true rates."""
    crps: float
    """Of what came."""


def twin_distribution(twin: LearnedTwin, asked: Asked, rng: np.random.Generator) -> Distribution:
    """Score the distributions of a twin on a few days."""
    twin.prepare(asked.patients, asked.courses)
    rows = []
    for day in DISTRIBUTION_DAYS:
        with np.errstate(invalid="ignore"):
            draws = forecast(twin, asked, day, rng, varied=True)
        last_POS = np.moveaxis(draws.volume_PSOH[..., -1].astype(np.float64), 1, -1)
        weight_POS = np.moveaxis(draws.weight_PSO, 1, -1)
        rows.append(_scored(asked, day, last_POS, weight_POS, rng))
    return _mean(rows)


def point_distribution(found_PTOH: Array, asked: Asked, rng: np.random.Generator) -> Distribution:
    """Score forecasts that are one number each: all of their distribution is there."""
    rows = []
    for day in DISTRIBUTION_DAYS:
        value_PO1 = found_PTOH[:, day, :, -1, None]
        rows.append(_scored(asked, day, value_PO1, np.ones_like(value_PO1), rng))
    return _mean(rows)


def _mean(rows: Iterable[tuple[Array, Array]]) -> Distribution:
    far_R, score_R = (np.concatenate(part) for part in zip(*rows, strict=True))
    return Distribution(float(far_R.mean()), float(score_R.mean()))


def _scored(
    asked: Asked, day: int, value_POS: Array, weight_POS: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return W1 and CRPS of each row that is there."""
    came_PO = asked.truth_PTOH[:, day, :, -1]
    true_POS = _true_draws(asked, day, rng)
    there_PO = np.isfinite(came_PO) & np.isfinite(true_POS).all(axis=-1)
    value_RS, weight_RS = value_POS[there_PO], weight_POS[there_PO]
    true_RS, came_R = true_POS[there_PO], came_PO[there_PO]
    even_RS = np.full(true_RS.shape, 1 / TRUE_DRAWS)
    far_R = wasserstein(value_RS, weight_RS, true_RS, even_RS)
    score_R = np.einsum("rs,rs->r", weight_RS, np.abs(value_RS - came_R[:, None]))
    score_R = score_R - half_spread(value_RS, weight_RS)
    return 100 * far_R / DEADLY, 100 * score_R / DEADLY


def _true_draws(asked: Asked, day: int, rng: np.random.Generator) -> Array:
    """Return what may come at the true rates, (P, O, draws)."""
    options = asked.action_PTOH.shape[2]
    shape = (len(asked.patients), options, TRUE_DRAWS)
    volume = np.broadcast_to(asked.courses.volume_PT[:, day, None, None], shape)
    dose = np.repeat(asked.courses.dose_PT[:, day - 1, None], options, axis=1)[..., None]
    for step in range(STEPS):
        action = asked.action_PTOH[:, day, :, step, None]
        dose = dose_after(dose, action)
        noise = NOISE * rng.normal(size=shape)
        volume = next_volume(asked.patients, volume, dose, action, noise)
    return np.asarray(volume)


def wasserstein(one_RS: Array, weight_RS: Array, other_RS: Array, other_weight_RS: Array) -> Array:
    """Return the 1-Wasserstein distance of weighted draws: the area between their distributions."""
    value_RS = np.concatenate([one_RS, other_RS], axis=1)
    signed_RS = np.concatenate([weight_RS, -other_weight_RS], axis=1)
    order_RS = np.argsort(value_RS, axis=1)
    value_RS = np.take_along_axis(value_RS, order_RS, axis=1)
    apart_RS = np.cumsum(np.take_along_axis(signed_RS, order_RS, axis=1), axis=1)
    return np.asarray((np.abs(apart_RS[:, :-1]) * np.diff(value_RS, axis=1)).sum(axis=1))


def half_spread(value_RS: Array, weight_RS: Array) -> Array:
    """Return half of the expected distance of two draws."""
    order_RS = np.argsort(value_RS, axis=1)
    value_RS = np.take_along_axis(value_RS, order_RS, axis=1)
    below_RS = np.cumsum(np.take_along_axis(weight_RS, order_RS, axis=1), axis=1)
    between_RS = below_RS[:, :-1] * (1 - below_RS[:, :-1])
    return np.asarray((between_RS * np.diff(value_RS, axis=1)).sum(axis=1))
