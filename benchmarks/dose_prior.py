"""Benchmark: what randomised trials say of more hours of therapy, and how well that forecasts.

`make bench NAME=dose_prior` reads ../shared/data/scoar (arms of 215 randomised stroke trials; CC
BY-SA 4.0, nothing of it is copied). Each trial is forecast from all others, once with the dose and
once without, in one run. Takes a few seconds. The last line is JSON. Letters: K contrasts, P
coefficients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from support.effects.meta_regression import Trial, fit, leave_one_out, moments
from support.repository import REAL_DATA, print_frame
from support.scoar import EARLY, LATE, MUCH, OUTCOMES, PER_HOURS, read_table, trials_of

Array = NDArray[np.float64]

REAL = REAL_DATA / "scoar"
SATURATES = 30.0
"""Hours of the alternative in which the first are worth most: 1 - exp(-hours / this)."""
LEVEL = 0.9
FEWEST_TRIALS = 3
"""With two doses, below which a slope by time since stroke is one trial's word."""
WIDE, LIKELY = 1.0, 0.1
"""Standard deviations of a slope's prior, in those of the outcome per 10 hours: of one that says
nothing, and of one as large as an effect of 0.35 for 33 hours more (Lohse 2014)."""


def linear(hours_K: Array) -> Array:
    """Return dose as it is, per 10 hours."""
    return hours_K / PER_HOURS


def saturating(hours_K: Array) -> Array:
    """Return dose whose first hours are worth most, as much per 10 hours at the beginning."""
    return SATURATES / PER_HOURS * np.asarray(1 - np.exp(-hours_K / SATURATES))


def none(hours_K: Array) -> Array:
    """Return a dose that is worth nothing."""
    return np.zeros_like(hours_K)


FORMS: tuple[tuple[str, Callable[[Array], Array], float], ...] = (
    ("none", none, LIKELY), ("linear", linear, LIKELY), ("saturating", saturating, LIKELY),
    ("linear, wide prior", linear, WIDE),
)  # fmt: skip


def joined(groups: Sequence[Sequence[Trial]], worth: Callable[[Array], Array]) -> list[Trial]:
    """Return all trials with a constant for each outcome and one slope for all."""
    trials = []
    for place, group in enumerate(groups):
        for trial in group:
            kind_KP = np.zeros((len(trial.difference_K), len(groups)))
            kind_KP[:, place] = 1
            dose_K = worth(trial.design_KP[:, 1] * PER_HOURS)
            trials.append(replace(trial, design_KP=np.column_stack([kind_KP, dose_K])))
    return trials


@dataclass(frozen=True)
class Judged:
    """How one forecast of a contrast that was left out did."""

    trial: str
    outcome: str
    held: bool
    """Whether it was in its 90 % interval."""
    crps: float
    """In standard deviations of the outcome."""


def judged(
    groups: dict[str, list[Trial]], worth: Callable[[Array], Array], slope_sd: float
) -> list[Judged]:
    """Forecast each trial from the others, all outcomes together."""
    trials = joined(list(groups.values()), worth)
    outcomes = [name for name, group in groups.items() for _ in group]
    prior_sd_P = np.array([*[WIDE] * len(groups), slope_sd])
    found = []
    forecasts = leave_one_out(trials, prior_sd_P)
    for trial, outcome, mixtures in zip(trials, outcomes, forecasts, strict=True):
        for value, mixture in zip(trial.difference_K.tolist(), mixtures, strict=True):
            inside = (1 - LEVEL) / 2 <= mixture.cdf(value) <= (1 + LEVEL) / 2
            found.append(Judged(trial.name, outcome, inside, mixture.crps(value)))
    return found


def p_of_too_few(held: int, contrasts: int) -> float:
    """Return how likely so few or fewer are, if intervals hold as often as they say."""
    return float(binom.cdf(held, contrasts, LEVEL))


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the slope per 10 hours of each outcome alone, in its unit, by time since stroke."""
    rows = []
    for outcome in OUTCOMES:
        for when in (None, EARLY, LATE):
            trials = trials_of(table, outcome, when)
            hours = [t.design_KP[:, 1] * PER_HOURS for t in trials]
            row = {
                "outcome": outcome.name, "stroke": when or "all", "trials": len(trials),
                "contrasts": sum(map(len, hours)),
                "of 2 h or more": sum(int((h >= MUCH).sum()) for h in hours),
            }  # fmt: skip
            if sum((h >= MUCH).any() for h in hours) >= FEWEST_TRIALS:
                posterior = fit(trials, np.full(2, WIDE))
                kind, slope = (moments(posterior.coefficient(place)) for place in (0, 1))
                row |= {
                    "kind": kind[0] * outcome.sd, "per 10 h": slope[0] * outcome.sd,
                    "sd": slope[1] * outcome.sd, "per 10 h in SDs": slope[0], "its sd": slope[1],
                    "trial sd": posterior.spread() * outcome.sd,
                }  # fmt: skip
            rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Pooled:
    """A slope of several outcomes, in standard deviations per 10 hours."""

    mean: float
    standard_error: float
    between: float
    """Standard deviation between outcomes."""

    @property
    def sd_of_next(self) -> float:
        """Return the spread of what to expect of an outcome that was not looked at."""
        return float(np.hypot(self.standard_error, self.between))


def pooled(slope_K: Array, sd_K: Array) -> Pooled:
    """Pool slopes by the method of DerSimonian & Laird 1986."""
    weight_K = sd_K**-2.0
    excess = (weight_K * (slope_K - np.average(slope_K, weights=weight_K)) ** 2).sum()
    scale = weight_K.sum() - (weight_K**2).sum() / weight_K.sum()
    between = max((excess - len(slope_K) + 1) / scale, 0.0) if len(slope_K) > 1 else 0.0
    weight_K = 1 / (sd_K**2 + between)
    mean = float(np.average(slope_K, weights=weight_K))
    return Pooled(mean, float(weight_K.sum() ** -0.5), float(between**0.5))


def print_prior(found: pd.DataFrame) -> None:
    """Print the slope over outcomes and what it comes to in the unit of each."""
    rows = []
    for when, group in found.dropna(subset=["its sd"]).groupby("stroke", sort=False):
        p = pooled(group["per 10 h in SDs"].to_numpy(), group["its sd"].to_numpy())
        rows.append({
            "stroke": when, "outcomes": len(group), "mean in SDs": f"{p.mean:.3f}",
            "standard error": f"{p.standard_error:.3f}", "sd of the next": f"{p.sd_of_next:.3f}",
            **{o.name: f"{p.mean * o.sd:.3f} ({p.sd_of_next * o.sd:.3f})" for o in OUTCOMES},
        })  # fmt: skip
    print_frame("Prior of the gain per 10 hours, to be cut off at 0: mean (SD)", pd.DataFrame(rows))


def main() -> None:
    """Print slopes, the prior and how trials that were left out were forecast."""
    if not REAL.is_dir():
        print(f"{REAL} is not here: nothing was measured")
        return
    table = read_table(REAL)
    found = slopes(table)
    numbers = found.select_dtypes("float").columns
    shown = found.assign(
        **{n: found[n].map(lambda x: f"{x:.3f}" if x == x else "") for n in numbers}
    )
    print_frame("Slope per 10 hours beside another kind of therapy, each outcome alone", shown)
    print_prior(found)
    groups = {outcome.name: trials_of(table, outcome) for outcome in OUTCOMES}
    frames = [
        pd.DataFrame(judged(groups, worth, sd)).assign(dose=name) for name, worth, sd in FORMS
    ]
    scores = pd.concat([*frames, *(frame.assign(outcome="all") for frame in frames)])
    shown = scores.groupby(["outcome", "dose"], sort=False).agg(
        contrasts=("held", "size"), held=("held", "sum"), crps=("crps", "mean")
    ).reset_index()  # fmt: skip
    shown["p of so few"] = list(map(p_of_too_few, shown["held"], shown["contrasts"]))
    print_frame(
        "Each trial forecast from the others, in SDs",
        shown.assign(crps=shown["crps"].map("{:.4f}".format)),
    )
    without, with_dose = frames[:2]
    apart = (with_dose["crps"] - without["crps"]).groupby(with_dose["trial"]).sum()
    error = float(apart.std() * len(apart) ** 0.5)
    print(json.dumps({
        "contrasts": len(with_dose), "held": int(with_dose["held"].sum()),
        "coverage not rejected": p_of_too_few(int(with_dose["held"].sum()), len(with_dose)) > 0.05,
        "CRPS with dose less that without": round(float(apart.sum()) / len(with_dose), 5),
        "standard error": round(error / len(with_dose), 5),
        "no worse beyond its standard error": bool(apart.sum() <= error),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
