"""The realism gates: whether a simulated cohort agrees with what is reported of real patients.

Every gate applies the method of its source to the simulated people and compares the figure with
the reported one. Letters: N subjects, W weeks, V visits, D days since onset.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from features.simulate.channels import STEPS, USE_RATIO
from features.simulate.published import published_median
from features.simulate.recovery import WALKS_ALONE, WALKS_ASSISTED, arm_level, walking
from features.simulate.scales import ARAT, ARM_TEST_SLOWNESS, FUGL_MEYER, State
from features.simulate.subjects import Subjects

Array = NDArray[np.float64]

GATE_SUBJECTS = 5_000
"""Subjects that the gates are measured on: the first ones of a larger cohort."""
ENDPOINT_DAY = 182
STUDY_WEEKS = (2, 4, 6, 8, 12, 16, 20, 24)
"""Assessments of Lang 2021."""
WARD_DAYS = 21
"""Days after enrolment in which somebody counts as an inpatient. Assumption."""
WEAR_DAYS = 90
SEED = 20_210_901
"""Seed of the measurement noise of the studies that are repeated here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One figure of the cohort against what is reported.

    Parameters
    ----------
    name, source
        What is measured, with its unit, and who reports it.
    target
        The reported figure.
    low, high
        Bounds, both included.
    value
        The cohort's figure.
    """

    name: str
    source: str
    target: float
    low: float
    high: float
    value: float

    @property
    def held(self) -> bool:
        """True where the value lies in its bounds; never for NaN."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the gates need of a shard; the rest of a large cohort is not kept in memory.

    Parameters
    ----------
    visit_day, score
        Days since onset and Fugl-Meyer scores of the visits, NaN where missed, (N, V).
    study
        Fugl-Meyer, ARAT and use ratio as the study of Lang 2021 would have seen them, (N, W).
    walking_class
        0 none, 1 assisted, 2 alone, weekly to half a year, (N, 27).
    steps
        Daily steps on the ward by walking class, each of its own length.
    valid_share
        Share of valid days of wearers in three months, (wearers,).
    """

    visit_day: Array
    score: Array
    study: dict[str, Array]
    walking_class: NDArray[np.int64]
    steps: tuple[Array, Array, Array]
    valid_share: Array


def sample(drawn: Subjects, shard: int, count: int) -> Sample:
    """Measure the first `count` subjects of a shard as the studies did."""
    owns = drawn.facts["owns"].to_numpy(dtype=np.bool_)[:count]
    valid = drawn.worn.valid[:count]
    day = np.arange(valid.shape[1])
    since = day - drawn.enrolment[:count, None]
    on_ward = valid & owns[:, None] & (since >= 0) & (since < WARD_DAYS)
    latent = drawn.latent[:count]
    now = walking_class(latent, day[None].astype(float))
    weekly = np.arange(0, ENDPOINT_DAY + 1, 7, dtype=float)[None]
    counted = valid[owns] & (since[owns] >= 0) & (since[owns] < WEAR_DAYS)
    steps = drawn.daily[STEPS.code][:count]
    return Sample(
        visit_day=np.where(drawn.kept, drawn.visit_day, np.nan)[:count],
        score=np.where(drawn.kept, drawn.scores[FUGL_MEYER.code], np.nan)[:count],
        study=_study(latent, drawn.daily[USE_RATIO], np.random.default_rng([SEED, shard])),
        walking_class=walking_class(latent, weekly),
        steps=(
            steps[on_ward & (now == 0)],
            steps[on_ward & (now == 1)],
            steps[on_ward & (now == 2)],
        ),
        valid_share=counted.sum(axis=1) / WEAR_DAYS,
    )


def realism_gates(samples: Iterable[Sample]) -> list[Gate]:
    """Return every gate of a cohort, from the samples of its shards."""
    parts = list(samples)
    return [
        *_predictor(parts),
        *_plateaus(parts),
        _walking_week(parts),
        *_steps(parts),
        *_wear(parts),
    ]


def walking_class(latent: Array, day: Array) -> NDArray[np.int64]:
    """Return 0 none, 1 assisted, 2 alone, (N, D)."""
    ability = walking(latent, day)
    return (ability >= WALKS_ASSISTED).astype(np.int64) + (ability >= WALKS_ALONE)


def plateau_day(score: Array, day: Array) -> float:
    """Return when a logistic course reaches 90 % of its asymptote, days.

    score(t) = asymptote / (1 + exp(-rate (t - middle))), the three-parameter logistic of Lang 2021.
    We differ: every patient has an asymptote of their own, but rate and middle are common to all,
    so that patients who don't change are no obstacle to the fit.

    Parameters
    ----------
    score, day
        (N, W) and (W,).
    """

    def shape(parameters: Array) -> Array:
        return np.asarray(expit(np.exp(parameters[0]) * (day - parameters[1])))

    def misfit(parameters: Array) -> float:
        curve = shape(parameters)
        asymptote = score @ curve / (curve @ curve)
        return float(((score - asymptote[:, None] * curve) ** 2).sum())

    log_rate, middle = minimize(misfit, np.array([np.log(0.06), -10.0]), method="Nelder-Mead").x
    return float(middle + np.log(9) / np.exp(log_rate))


def _study(latent: Array, use_ratio: Array, generator: np.random.Generator) -> dict[str, Array]:
    day = 7 * np.array(STUDY_WEEKS)
    at = day[None].astype(float)
    arm = arm_level(latent, at)
    slow, walk = arm_level(latent, at, slowness=ARM_TEST_SLOWNESS), walking(latent, at)
    scores: dict[str, Array] = {"use ratio": use_ratio[: len(latent), day]}
    for name, scale in (("Fugl-Meyer", FUGL_MEYER), ("ARAT", ARAT)):
        columns = []
        for w in range(len(day)):
            state = State(latent=latent, arm=arm[:, w], slow_arm=slow[:, w], walk=walk[:, w])
            columns.append(scale.scored(scale.reads(state), generator.normal(size=len(latent))))
        scores[name] = np.stack(columns, axis=1)
    return scores


def _predictor(parts: list[Sample]) -> list[Gate]:
    day = np.concatenate([part.visit_day for part in parts])
    score = np.concatenate([part.score for part in parts])
    at_end = np.abs(np.nan_to_num(day) - ENDPOINT_DAY) <= 21
    known = at_end.any(axis=1)
    day, score, at_end = day[known], score[known], at_end[known]
    gates = []
    for week, median, quartile in ((1, 4.8, 12.8), (2, 4.2, 9.8)):
        seen = day <= 7 * week + 3
        predicted = published_median(
            np.where(seen, day, np.nan), np.where(seen, score, np.nan), float(ENDPOINT_DAY)
        )
        missed = np.abs(predicted - score[at_end])
        for name, target, at, share in (
            ("median", median, 50, 0.15),
            ("upper quartile", quartile, 75, 0.20),
        ):
            gates.append(
                Gate(
                    name=f"{name} of the published predictor's error at 6 months,"
                    f" scores to week {week} (points)",
                    source="van der Vliet 2020",
                    target=target,
                    low=target * (1 - share),
                    high=target * (1 + share),
                    value=float(np.percentile(missed, at)),
                )
            )
    return gates


def _plateaus(parts: list[Sample]) -> list[Gate]:
    day = 7.0 * np.array(STUDY_WEEKS)
    plateaus = {
        name: plateau_day(np.concatenate([part.study[name] for part in parts]), day)
        for name in ("use ratio", "Fugl-Meyer", "ARAT")
    }
    gates = [
        Gate(
            name=f"plateau of the {name} (day)",
            source="Lang 2021, +- 2 standard errors",
            target=target,
            low=target - 2 * error,
            high=target + 2 * error,
            value=plateaus[name],
        )
        for name, target, error in (
            ("use ratio", 24, 5),
            ("Fugl-Meyer", 32, 4),
            ("ARAT", 41, 4),
        )
    ]
    gaps = np.diff(list(plateaus.values()))
    order = Gate(
        name="smallest gap from use to Fugl-Meyer to ARAT (days; above 0 is the reported order)",
        source="Lang 2021",
        target=8,
        low=0,
        high=60,
        value=float(gaps.min()),
    )
    return [*gates, order]


def _walking_week(parts: list[Sample]) -> Gate:
    weekly = np.concatenate([part.walking_class for part in parts])
    impaired = weekly[weekly[:, 0] < 2]
    reached = (impaired == impaired[:, -1:]).argmax(axis=1)
    return Gate(
        name="week by which 95 % of those who didn't walk alone are at their best",
        source="Jorgensen 1995",
        target=11,
        low=10,
        high=12,
        value=float(np.percentile(reached, 95)),
    )


def _steps(parts: list[Sample]) -> list[Gate]:
    reported = (
        ("don't walk", 336, 5, 705),
        ("walk assisted", 700, 31, 3_080),
        ("walk alone", 4_093, 2_327, 5_868),
    )
    return [
        Gate(
            name=f"median daily steps of inpatients who {ability}",
            source="inpatient step counts 2023 (PubMed 37005896), reported quartiles",
            target=target,
            low=low,
            high=high,
            value=_median(np.concatenate([part.steps[group] for part in parts])),
        )
        for group, (ability, target, low, high) in enumerate(reported)
    ]


def _wear(parts: list[Sample]) -> list[Gate]:
    share = 100 * np.concatenate([part.valid_share for part in parts])
    return [
        Gate(
            name=f"{name} share of valid days in three months (%)",
            source="Fitbit for 3 months after stroke (medRxiv 2024.12.14.24318939)",
            target=target,
            low=target - 4,
            high=target + 4,
            value=float(value),
        )
        for name, target, value in (
            ("mean", 78, share.mean() if len(share) else float("nan")),
            ("median", 90, _median(share)),
        )
    ]


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else float("nan")
