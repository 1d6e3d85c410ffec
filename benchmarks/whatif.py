"""Benchmark: 1,000 plans of one patient in closed form, against steps of the same equations.

One made-up patient: the curves of an untrained network's population, weighted at random. Both ways
compute, for the same draws of the patient, the level under every plan at one horizon: the closed
form in single precision, as the service looks for plans; the solver by Runge and Kutta's fourth
order in steps of a day, vectorised over plans and draws, of the gain and of the recovery alike.
Prints lines for people and, as its last line, one JSON object.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from contracts.doses import shipped_dose_response
from contracts.therapy import REFERENCE_DOSE_MIN, SATURATION_MIN
from inference.twin.mechanism import DAYS_A_WEEK, Array, Doses, Gains, raised
from inference.twin.person import Person, person_of
from inference.twin.plans import ALL, Part, Plan, as_now, doses_of

INSTRUMENT = "REHABCAST//FUGL_MEYER_UE"
HORIZON = 84.0
PLANS, REPEATS = 1_000, 9
LIMIT_MS, TIMES = 50.0, 25.0
MEMBERS, CURVES = 1, 320
LATENT_SD = (1.0, 1.0, 1.0, 0.3, 0.0)


def patient(kind: type[np.floating]) -> Person:
    """Return a made-up patient, 30 days after the onset, with 4 hours of therapy a week."""
    rng = np.random.default_rng(0)
    response = shipped_dose_response(INSTRUMENT)
    if response is None:
        raise SystemExit(f"no dose response of {INSTRUMENT}")
    curves = {
        "weight": rng.dirichlet(np.ones(CURVES))[None, None].astype(np.float32),
        "onset": np.full((MEMBERS, 1), 30, np.float32),
        "shift": np.zeros((MEMBERS, 1, 1), np.float32),
        "spread": np.full((MEMBERS, 1, 1), 0.06, np.float32),
        "latent": rng.normal([-0.5, 0.5, 3.5, 0.2, 2.6], LATENT_SD, (MEMBERS, CURVES, 5)).astype(
            np.float32
        ),
        "effect": np.full((MEMBERS, CURVES), 0.13, np.float32),
    }
    return person_of(
        curves, response, hours=4.0, days_treated=(14.0, 30.0), enrolled=14.0,
        horizons_H=np.array([HORIZON]),
        days_H=np.array([HORIZON]), kind=kind,
    )  # fmt: skip


def plans(count: int) -> Doses:
    """Return plans of five parts: rise, full, pause, full again, taper."""
    rng = np.random.default_rng(1)
    made = []
    for n in range(count):
        hours, days = rng.uniform(0, 20, 5), rng.integers(3, 28, 4)
        parts = [
            Part(hours={ALL: float(h)}, days=int(d)) for h, d in zip(hours[:4], days, strict=True)
        ]
        made.append(Plan(name=str(n), parts=(*parts, Part(hours={ALL: float(hours[4])}))))
    return doses_of(made)


def saturation(hours: Array) -> Array:
    """Return the part of the largest effect on the pace."""
    return np.asarray(1 - np.exp(-hours * 60 / DAYS_A_WEEK / SATURATION_MIN))


def stepped(person: Person, doses: Doses) -> NDArray[np.float64]:
    """Return the level under each plan at the horizon, (N, I), by steps of a day."""
    gains = person.gains
    reference = 1 + person.effect_I * (1 - np.exp(-REFERENCE_DOSE_MIN / SATURATION_MIN))
    usual = doses_of([as_now(person.hours)])
    ends = []
    for each in (doses, usual):
        gain = np.broadcast_to(person.start_I, (len(each), len(person.start_I))).copy()
        level = np.broadcast_to(person.now_I, gain.shape).copy()
        for day in range(int(HORIZON)):
            part = (each.end_NS <= day).sum(axis=1)
            hours = each.hours_NS[np.arange(len(each)), part][:, None]
            drive = gains.rate_I * (1 - np.exp(-hours / gains.half_dose_I))
            pace = (1 + person.effect_I * saturation(hours)) / reference / person.pace_I
            gain = step(gain, partial(gained, drive_NI=drive, gains=gains))
            level = step(level, partial(regained, pace_NI=pace, capacity_I=person.capacity_I))
        ends.append((gain, level))
    (gain, level), (usual_gain, usual_level) = ends
    level, usual_level = (
        np.clip(raised(each, person.enrolled_HI[0]) + person.shift_HI[0], 0, 1)
        for each in (level, usual_level)
    )
    return np.where(person.acts_I, raised(level, gain - usual_gain), usual_level)


def gained(gain_NI: Array, drive_NI: Array, gains: Gains) -> Array:
    """Return by how much a gain changes in a day."""
    return drive_NI * (gains.largest_I - gain_NI) - gains.forgetting_I * gain_NI


def regained(level_NI: Array, pace_NI: Array, capacity_I: Array) -> Array:
    """Return by how much a level comes nearer to what a person can regain, in a day."""
    return pace_NI * (capacity_I - level_NI)


def step(x: Array, slope: Callable[[Array], Array]) -> Array:
    """Return x a day later (Runge and Kutta)."""
    one = slope(x)
    two = slope(x + one / 2)
    three = slope(x + two / 2)
    four = slope(x + three)
    return np.asarray(x + (one + 2 * two + 2 * three + four) / 6)


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Return how long some work takes, each time."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return taken


def main() -> dict[str, float]:
    """Run both ways, and compare."""
    quick, exact = patient(np.float32), patient(np.float64)
    all_plans = plans(PLANS)
    closed = exact.levels(all_plans)[:, 0]
    solved = stepped(exact, all_plans)
    by_steps = statistics.median(seconds(lambda: stepped(exact, all_plans), 3))
    found = {
        "plans": PLANS,
        "draws": len(exact.now_I),
        "solver_ms": 1_000 * by_steps,
        "off_by_solver": float(np.abs(closed - solved).max()),
        "off_by_single": float(np.abs(quick.levels(all_plans)[:, 0] - closed).max()),
    }
    for count in (1, 10, 100, PLANS, 2 * PLANS, 4 * PLANS):
        some = plans(count)
        quick.levels(some)
        taken = seconds(partial(quick.levels, some), REPEATS)
        found[f"closed_{count}_ms"] = 1_000 * statistics.median(taken)
        found[f"closed_{count}_best_ms"] = 1_000 * min(taken)
    found["times_faster"] = found["solver_ms"] / found[f"closed_{PLANS}_ms"]
    return found


if __name__ == "__main__":
    figures = main()
    print(f"{PLANS:,} plans of five parts, one horizon, {figures['draws']} draws of the patient")
    for count in (1, 10, 100, PLANS, 2 * PLANS, 4 * PLANS):
        each = figures[f"closed_{count}_ms"]
        print(f"closed form, {count:>5,} plans: {each:8.2f} ms (target for {PLANS:,}: {LIMIT_MS})")
    print(f"Runge-Kutta, {PLANS:>5,} plans: {figures['solver_ms']:8.0f} ms, same run, same draws")
    print(f"{figures['times_faster']:.0f} times faster (target {TIMES:g})")
    print(f"levels differ by {figures['off_by_solver']:.1e} of the scale at most")
    print(json.dumps(figures))
