"""The smallest limits that keep declared rates of false alarms where nothing changed.

Letters: P people, N judged days, T days of the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from serving.monitoring.limits import SIGNS, Place
from serving.monitoring.shifts import Course, day_scales, largest_shifts, on_scale
from support.ideal_watch import QUIET_DAYS

LEAST_DAYS = 28
"""Days with a value that a slope is estimated from."""

Array = NDArray[np.float64]


def limit_lines(
    code: str, place: Place, window_PNT: Sequence[Array], months: float, *, weekly: bool,
    of_body: bool,
) -> list[str]:  # fmt: skip
    """Return the limit of a code as TOML.

    Parameters
    ----------
    window_PNT
        What is judged of each person on each judged day.
    weekly, of_body
        Whether there is a weekly plan; whether days carry over and drift as a body does.
    """
    if place.log:
        window_PNT = [on_scale(window_NT) for window_NT in window_PNT]
    carried = carried_over(window_PNT) if of_body else 0.0
    scales = np.concatenate([
        day_scales(window_NT[-1:], np.array([carried]), weekly=weekly)[0]
        for window_NT in window_PNT
    ])  # fmt: skip
    usual = float(np.median(scales[scales > 0]))
    newest_PT = np.array([window_NT[-1] for window_NT in window_PNT])
    drift = drift_of(newest_PT, scales, carried) if of_body else 0.0
    sizes = [
        _sizes(window_NT, place, usual, carried, drift, weekly=weekly) for window_NT in window_PNT
    ]
    size = _limit(sizes, months, place.false_alarms)
    return ["", "[[limit]]", f'code = "{code}"', f"size = {size:.2f}",
            f"usual_scale = {usual:.4g}", f"carried = {carried:.2f}",
            f"drift = {drift:.4f}"]  # fmt: skip


def episodes(days: Iterable[int]) -> list[int]:
    """Return the first days of alerts that come on some days."""
    first, last = [], -1_000
    for day in sorted(days):
        if day - last > QUIET_DAYS:
            first.append(day)
        last = day
    return first


def carried_over(window_PNT: Sequence[Array]) -> float:
    """Return the correlation of a day with the next, whatever the level of each person.

    Values two days apart differ by 1 + the correlation as much (squared) as those one day apart,
    where it fades with each day alike.
    """
    squares = [0.0, 0.0]
    for window_NT in window_PNT:
        # The last window has the newest days, the first one those before.
        for value_T in (window_NT[0], window_NT[-1]):
            whole_T = np.isfinite(value_T[2:] + value_T[1:-1] + value_T[:-2])
            squares[0] += float(np.square(value_T[2:] - value_T[1:-1])[whole_T].sum())
            squares[1] += float(np.square(value_T[2:] - value_T[:-2])[whole_T].sum())
    return round(float(np.clip(squares[1] / squares[0] - 1, 0.0, 0.9)), 2)


def drift_of(window_PT: Array, scale_P: Array, carried: float) -> float:
    """Return how much people's slopes differ beyond what days alone make of them.

    Of the square of each slope of a straight line what noise alone gives is taken off.
    """
    squares = []
    for value_T, scale in zip(window_PT, scale_P, strict=True):
        day_N = np.flatnonzero(np.isfinite(value_T))
        if len(day_N) < LEAST_DAYS or scale <= 0:
            continue
        line_N = np.linalg.pinv(np.stack([np.ones(len(day_N)), day_N], axis=1))[1]
        noise_NN = carried ** np.abs(np.subtract.outer(day_N, day_N)).astype(float)
        slope = line_N @ value_T[day_N] / scale
        squares.append(slope**2 - line_N @ noise_NN @ line_N)
    return round(float(np.sqrt(max(np.mean(squares), 0.0))), 4)


def _sizes(
    window_NT: Array, place: Place, usual: float, carried: float, drift: float, *, weekly: bool
) -> Array:
    """Return the statistic on each judged day in the direction that matters, (N,)."""
    count = len(window_NT)
    return largest_shifts(
        window_NT, np.full(count, usual),
        Course(carried_N=np.full(count, carried), drift_N=np.full(count, drift)),
        np.full(count, SIGNS[place.alarming]), weekly=weekly,
    ).judged  # fmt: skip


def _limit(sizes: Sequence[Array], months: float, rate: float) -> float:
    """Return the smallest limit at which alerts begin no more often than declared."""
    for limit in np.arange(2.0, 20.0, 0.05):
        begun = sum(len(episodes(np.flatnonzero(size >= limit).tolist())) for size in sizes)
        if begun / months <= rate:
            return float(limit)
    raise AssertionError("no limit keeps the declared rate")
