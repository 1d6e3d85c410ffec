"""The simulated tumours by which counterfactual forecasts are compared, re-created from equations.

Growth and treatments of Geng 2017 as in Lim 2018 (RMSN), Bica 2020 (CRN) and Melnychuk 2022 (CT).
Volumes are cm^3, time is in days. A day's action has two bits: chemotherapy (1), radiotherapy (2).
Letters: P patients, T days, O options (action sequences) of a day, H steps ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import truncnorm

Array = NDArray[np.float64]
Actions = NDArray[np.int64]

DAYS = 60
CAPACITY = 4 / 3 * np.pi * 15.0**3
"""Of a sphere with a diameter of 30 cm."""
DEADLY = 4 / 3 * np.pi * 6.5**3
CELLS = 5.8e8
"""By cm^3: below one of them left, people recover."""
NOISE = 0.01
CHEMO_DOSE, KEPT = 5.0, 0.5
RADIO_GRAYS = 2.0
RADIO = RADIO_GRAYS + RADIO_GRAYS**2 / 10
"""What alpha is multiplied by: beta is a tenth of it."""
GROWTH, GROWTH_SD = 7e-5, 7.23e-3
ALPHA, ALPHA_SD, CORRELATION = 0.0398, 0.168, 0.87
CHEMO, CHEMO_SD = 0.028, 0.0007
RESPONDS = 0.1
"""By how much of the mean the first type answers better to radiotherapy, the third to chemo."""
TYPES = (1, 2, 3)
WINDOW = 15
STAGES = (
    (1.72, 4.70, 5.0, 1432), (1.96, 1.63, 13.0, 128), (1.91, 9.40, 13.0, 1306),
    (2.76, 6.87, 13.0, 7248), (3.86, 8.82, 13.0, 12840),
)  # fmt: skip
"""Mean and deviation of the logarithm of the diameter, its largest value, and patients."""
SMALLEST = 0.3


@dataclass(frozen=True)
class Patients:
    """What nobody sees of patients, their type, and their first volume."""

    growth_P: Array
    chemo_P: Array
    alpha_P: Array
    type_P: Actions
    start_P: Array

    def __len__(self) -> int:
        return len(self.start_P)

    def take(self, which: slice) -> Patients:
        """Return some of the patients."""
        return Patients(*(getattr(self, field.name)[which] for field in fields(self)))


def draw_patients(number: int, rng: np.random.Generator) -> Patients:
    """Draw patients: rates are normal and above 0, growth and alpha correlated."""
    cross = CORRELATION * GROWTH_SD * ALPHA_SD
    covariance = [[GROWTH_SD**2, cross], [cross, ALPHA_SD**2]]
    kept = np.empty((0, 2))
    while len(kept) < number:
        drawn = rng.multivariate_normal([GROWTH, ALPHA], covariance, 4 * number)
        kept = np.vstack([kept, drawn[(drawn > 0).all(axis=1)]])
    type_P = rng.choice(TYPES, number)
    counts = np.array([stage[3] for stage in STAGES])
    mean, sd, most = np.array([s[:3] for s in STAGES]).T[
        :, rng.choice(len(STAGES), number, p=counts / counts.sum())
    ]
    low, high = (np.log(SMALLEST) - mean) / sd, (np.log(most) - mean) / sd
    diameter_P = np.exp(mean + sd * truncnorm.rvs(low, high, size=number, random_state=rng))
    return Patients(
        kept[:number, 0],
        CHEMO + CHEMO_SD * rng.normal(size=number) + RESPONDS * CHEMO * (type_P == 3),
        kept[:number, 1] + RESPONDS * ALPHA * (type_P == 1),
        type_P, np.pi / 6 * diameter_P**3,
    )  # fmt: skip


def dose_after(dose: Array, action: Actions) -> Array:
    """Return the chemotherapy in the body on a day, of that of the day before."""
    return KEPT * dose + CHEMO_DOSE * (action & 1)


def next_volume(
    patients: Patients, volume: Array, dose: Array, action: Actions, noise: Array
) -> Array:
    """Return the volume of the next day; arrays of (P,) or (P, O)."""
    rates = (patients.growth_P, patients.chemo_P, patients.alpha_P)
    growth, chemo, alpha = (r.reshape(-1, *[1] * (volume.ndim - 1)) for r in rates)
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = growth * np.log(CAPACITY / volume)
        return np.asarray(
            volume * (1 + gain - chemo * dose - alpha * RADIO * (action >> 1) + noise)
        )


@dataclass(frozen=True)
class Courses:
    """What happened: volumes are NaN after death or recovery."""

    volume_PT: Array
    action_PT: Actions
    dose_PT: Array
    """Chemotherapy in the body, the day's included."""
    noise_PT: Array
    """Of each day's step; longer than `DAYS`, for what might have come after."""


MeanDiameter = Callable[[Array, int], Array]
"""From the volumes until a day, and the day, to the diameters that treatment follows, (P,)."""


def diameter(volume: Array) -> Array:
    """Return the diameter of a sphere."""
    return np.cbrt(6 / np.pi * np.maximum(volume, 0))


def own_history(volume_PT: Array, day: int) -> Array:
    """Return the mean diameter of the last days, today included."""
    return np.asarray(diameter(volume_PT[:, max(day - WINDOW, 0) : day + 1]).mean(axis=1))


def until_yesterday(volume_PT: Array, day: int) -> Array:
    """Return that of training patients, whose treatment looks at the days before."""
    return np.asarray(diameter(volume_PT[:, max(day - WINDOW, 0) : max(day, 1)]).mean(axis=1))


def follow(
    patients: Patients, gamma: float, looked_at: MeanDiameter, rng: np.random.Generator,
    *, first_day: int = 0, beyond: int = 0,
) -> Courses:  # fmt: skip
    """Follow patients whose treatments depend on their tumour, the more the larger gamma is."""
    shape = (len(patients), DAYS)
    volume_PT, dose_PT = np.full(shape, np.nan), np.zeros(shape)
    action_PT = np.zeros(shape, dtype=np.int64)
    noise_PT = NOISE * rng.normal(size=(len(patients), DAYS + beyond))
    volume_PT[:, 0] = patients.start_P
    for day in range(DAYS):
        if day:
            grown_P = next_volume(
                patients, volume_PT[:, day - 1], dose_PT[:, day - 1], action_PT[:, day - 1],
                noise_PT[:, day - 1],
            )  # fmt: skip
            recovered_P = rng.random(len(grown_P)) < np.exp(-np.clip(grown_P, 0, 1e-6) * CELLS)
            # Who died or recovered is not followed further.
            volume_PT[:, day] = np.where((grown_P > DEADLY) | recovered_P, np.nan, grown_P)
        chance_P = expit(gamma / 13 * (looked_at(volume_PT, day) - 6.5))
        treated_P2 = rng.random((len(chance_P), 2)) < chance_P[:, None]
        if day >= first_day:
            action_PT[:, day] = treated_P2 @ np.array([1, 2])
        before_P = dose_PT[:, day - 1] if day else np.zeros(len(chance_P))
        dose_PT[:, day] = dose_after(before_P, action_PT[:, day])
    return Courses(volume_PT, action_PT, dose_PT, noise_PT)


def training_courses(patients: Patients, gamma: float, rng: np.random.Generator) -> Courses:
    """Follow training patients: treated from their second day on."""
    return follow(patients, gamma, until_yesterday, rng, first_day=1)


def ahead(patients: Patients, courses: Courses, day: int, action_POH: Actions) -> Array:
    """Return volumes of the days after, had people been treated like this from today on, (P, O, H).

    All options have the same noise. Volumes are neither cut off at death nor below 0, and are
    missing after a day below 0, as in what was published.
    """
    options = action_POH.shape[1]
    volume = np.repeat(courses.volume_PT[:, day, None], options, axis=1)
    dose = np.repeat(courses.dose_PT[:, day - 1, None] if day else np.zeros((len(patients), 1)),
                     options, axis=1)  # fmt: skip
    steps = []
    for step in range(action_POH.shape[2]):
        action = action_POH[:, :, step]
        dose = dose_after(dose, action)
        noise = courses.noise_PT[:, day + step, None]
        volume = next_volume(patients, volume, dose, action, noise)
        steps.append(volume)
    return np.stack(steps, axis=-1)
