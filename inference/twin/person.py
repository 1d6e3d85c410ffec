"""One person as draws: which curve of recovery, and how therapy acts, as far as both are not known.

Every plan is computed with the same draws, so that the difference of two plans holds nothing but
the plans. The draws are a fixed low-discrepancy sequence: the same question has the same answer.

Letters: N plans, H days ahead, I draws, P curves of all members, J members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from scipy.special import expit, ndtri

from contracts import bundle as names
from contracts.doses import DoseResponse
from contracts.priors import GROUPS
from contracts.therapy import REFERENCE_DOSE_MIN, SATURATION_MIN
from inference.twin.mechanism import (
    DAYS_A_WEEK,
    Array,
    Doses,
    Gains,
    gained_before,
    gains_at,
    raised,
)
from inference.twin.plans import as_now, doses_of

DRAWS = 512
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)
"""Bases of the Halton sequence, one a quantity that is drawn."""

CHUNK = 64
"""Plans computed at once, so that their numbers stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person in draws.

    Parameters
    ----------
    hours
        Hours of therapy a week of the last days: what goes on under no plan.
    now_I, capacity_I, pace_I
        Level today, level that recovery runs toward, on the share of the scale, and its time
        constant in days, without what is gained after enrolment.
    today_I
        Level today with all that is added to it: what therapy raises or lowers.
    enrolled_HI
        What is gained after enrolment by each day ahead, in logits, whatever the plan.
    effect_I
        By which part as much therapy as can be given speeds recovery up.
    shift_HI, spread_HI
        What the network adds to the level on each day ahead, and the SD of one score.
    noise_I
        Of a score about its level, standard normal.
    gains, start_I
        How therapy acts on the level, and its gain of today.
    acts_I
        Whether therapy acts at all: in the other draws every plan is as good as that of today.
    days_H
        Days ahead.
    """

    hours: float
    now_I: Array
    capacity_I: Array
    pace_I: Array
    today_I: Array
    enrolled_HI: Array
    effect_I: Array
    shift_HI: Array
    spread_HI: Array
    noise_I: Array
    gains: Gains
    start_I: Array
    acts_I: NDArray[np.bool_]
    days_H: NDArray[np.float64]

    def levels(self, doses: Doses) -> Array:
        """Return the level under each plan on each day ahead, (N, H, I), share of the scale.

        The pace changes with the dose as the network learned it; the gain by therapy, against
        therapy that goes on as it was, as trials suggest.
        """
        as_usual = doses_of([as_now(self.hours)])
        usual_1HI = gains_at(self.gains, self.start_I, as_usual, self.days_H)
        level_1HI = self._paced(as_usual)
        parts = []
        for first in range(0, len(doses), CHUNK):
            some = doses.take(slice(first, first + CHUNK))
            gain_NHI = gains_at(self.gains, self.start_I, some, self.days_H) - usual_1HI
            level_NHI = raised(self._paced(some), gain_NHI)
            parts.append(np.where(self.acts_I, level_NHI, level_1HI))
        return np.concatenate(parts)

    def scores(self, levels_NHI: Array) -> Array:
        """Return a score at each level, with the noise that all plans share, (N, H, I)."""
        return np.clip(levels_NHI + self.spread_HI * self.noise_I, 0, 1)

    def by_pace(self, doses: Doses) -> Array:
        """Return the level where a dose changes nothing but the pace, (N, H, I)."""
        level_1HI = self._paced(doses_of([as_now(self.hours)]))
        return np.where(self.acts_I, self._paced(doses), level_1HI)

    def _paced(self, doses: Doses) -> Array:
        days_NH = np.zeros((len(doses), len(self.days_H)))
        sped_NH = np.zeros_like(days_NH)
        reference = _saturation(REFERENCE_DOSE_MIN)
        for h, hours_N, length_N in doses.stretches(self.days_H):
            days_NH[:, h] += length_N
            sped_NH[:, h] += length_N * _saturation(hours_N * 60 / DAYS_A_WEEK)
        # The pace is linear in the saturated dose, so that two sums over the days are enough.
        days_NH1, sped_NH1 = (
            np.cumsum(x, axis=1)[..., None].astype(self.now_I.dtype) for x in (days_NH, sped_NH)
        )
        pace_I = self.pace_I * (1 + self.effect_I * self.now_I.dtype.type(reference))
        remaining_NHI = np.exp(-(days_NH1 + self.effect_I * sped_NH1) / pace_I)
        level_NHI = self.capacity_I - (self.capacity_I - self.now_I) * remaining_NHI
        return _in_all(level_NHI, self.enrolled_HI, self.shift_HI)


def _in_all(level: Array, enrolled: Array, shift: Array) -> Array:
    """Return the level with what is gained after enrolment and what the network adds."""
    return np.clip(raised(level, enrolled) + shift, 0, 1)


def _saturation(minutes: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1 - np.exp(-np.asarray(minutes, dtype=np.float64) / SATURATION_MIN))


def person_of(
    curves: Mapping[str, NDArray[np.float32]],
    response: DoseResponse,
    *,
    hours: float,
    days_treated: tuple[float, float],
    enrolled: float,
    horizons_H: NDArray[np.float64],
    days_H: NDArray[np.float64],
    kind: type[np.floating] = np.float64,
) -> Person:
    """Draw a person from the curves that their forecast consists of.

    Parameters
    ----------
    curves
        What the graph of the curves gives of one pair (`contracts.bundle`).
    hours
        Hours of therapy a week of the last days.
    days_treated
        For how long therapy went on like that, at least and at most: what is not on record is not
        known, and all of it is as likely.
    enrolled
        Days since enrolment.
    horizons_H
        Days ahead at which the network was trained, rising, some below 0; between them what it adds
        to a level is interpolated.
    days_H
        Days ahead that are asked about, rising.
    kind
        Precision; with single precision many plans take half of the time.
    """
    uniform_XI = halton(DRAWS)
    curve_I = _drawn_curves(curves["weight"][:, 0], uniform_XI[0])
    member_I, own_I = np.divmod(curve_I, curves["weight"].shape[-1])
    group_I = own_I * GROUPS // curves["weight"].shape[-1]
    latent_I5 = curves["latent"][member_I, own_I].astype(np.float64)
    onset_I = curves["onset"][member_I, 0].astype(np.float64)
    begin_I, rate_I, pace_I = (
        expit(latent_I5[:, 0]),
        expit(latent_I5[:, 1]),
        np.exp(latent_I5[:, 2]),
    )
    capacity_I = begin_I + rate_I * (1 - begin_I)
    now_I = capacity_I - (capacity_I - begin_I) * np.exp(-onset_I / pace_I)
    # Today is one more day, the first.
    all_H = np.concatenate([[0.0], days_H])
    since_H1 = np.maximum(enrolled + all_H, 0)[:, None]
    enrolled_HI = latent_I5[:, 3] * (1 - np.exp(-since_H1 / np.exp(latent_I5[:, 4])))
    normal_XI = ndtri(uniform_XI[1:])
    onset = float(np.mean(onset_I))
    gains = _gains(response, group_I, normal_XI, onset)
    least, most = days_treated
    start_I = gained_before(gains, hours, least + uniform_XI[6] * (most - least))
    shift_HI, spread_HI = (
        _between(curves[name][:, 0], horizons_H, all_H)[:, member_I] for name in ("shift", "spread")
    )
    today_I = _in_all(now_I, enrolled_HI[0], shift_HI[0])
    return Person(
        hours=hours, now_I=now_I.astype(kind), capacity_I=capacity_I.astype(kind),
        pace_I=pace_I.astype(kind), today_I=today_I.astype(kind),
        enrolled_HI=enrolled_HI[1:].astype(kind),
        effect_I=curves["effect"][member_I, own_I].astype(kind),
        shift_HI=shift_HI[1:].astype(kind), spread_HI=spread_HI[1:].astype(kind),
        noise_I=normal_XI[4].astype(kind), gains=_cast(gains, kind), start_I=start_I.astype(kind),
        acts_I=uniform_XI[7] >= response.nothing_at(onset), days_H=days_H,
    )  # fmt: skip


def _gains(
    response: DoseResponse, group_I: NDArray[np.intp], normal_XI: Array, onset: float
) -> Gains:
    largest_G = np.array([group.largest for group in response.groups])
    spread_I = np.exp(response.largest_log_spread * normal_XI[0])
    return Gains(
        largest_I=largest_G[group_I] * spread_I * response.part_at(onset),
        rate_I=1 / response.gain_days.at(normal_XI[1]),
        forgetting_I=np.log(2) / response.half_life_days.at(normal_XI[2]),
        half_dose_I=response.half_dose_hours.at(normal_XI[3]),
    )


def _cast(gains: Gains, kind: type[np.floating]) -> Gains:
    return Gains(
        largest_I=gains.largest_I.astype(kind), rate_I=gains.rate_I.astype(kind),
        forgetting_I=gains.forgetting_I.astype(kind), half_dose_I=gains.half_dose_I.astype(kind),
    )  # fmt: skip


def _drawn_curves(weight_JP: NDArray[np.float32], uniform_I: Array) -> NDArray[np.intp]:
    """Return the curve of each draw, flat over members, as often as its weight says."""
    cumulated = np.cumsum(weight_JP.astype(np.float64).ravel())
    places = np.searchsorted(cumulated, uniform_I * cumulated[-1], side="right")
    return np.asarray(np.minimum(places, weight_JP.size - 1))


def _between(x_JH: NDArray[np.float32], at_H: Array, days_H: Array) -> Array:
    """Interpolate over the days ahead, the ends beyond them, (H, J)."""
    return np.stack([np.interp(days_H, at_H, x_H) for x_H in x_JH.astype(np.float64)], axis=1)


def halton(count: int) -> NDArray[np.float64]:
    """Return points of the Halton sequence in the unit cube (Halton 1960), (X, I).

    The first points, where the sequences of large bases go together, are left out.
    """
    index_I = np.arange(count) + 409
    points = []
    for base in PRIMES:
        left_I, value_I, scale = index_I.copy(), np.zeros(count), 1.0
        while left_I.any():
            scale /= base
            value_I += scale * (left_I % base)
            left_I //= base
        points.append(value_I)
    return np.stack(points)


def run_curves(
    graph: InferenceSession, embeddings_BME: NDArray[np.float32], present_BM: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Return what a pair's forecast consists of, by name (`contracts.bundle`)."""
    outputs = (*names.CURVES_OF_PAIRS, *names.CURVES_OF_ALL)
    feed = {"embeddings": embeddings_BME, "present": present_BM.astype(np.float32)}
    return dict(zip(outputs, graph.run(list(outputs), feed), strict=True))
