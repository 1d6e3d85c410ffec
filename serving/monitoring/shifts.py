"""Whether a daily series has left its own earlier level, and since when.

The statistic is that of a change of the mean at an unknown day (likelihood ratio; Page 1955,
Siegmund 1985): for each length of the recent stretch, the difference of the levels in standard
errors; the largest one counts. Successive days are alike, so a level is estimated by generalised
least squares: each value less what is carried over from the one before it (first-order
autoregression; Cochrane and Orcutt 1949). Levels drift as people recover, so a slope is estimated
as well, drawn towards none by how much people's slopes differ. Robust: the scale is the mean
difference of successive values (von Neumann 1941), cut off above, which neither a trend nor a
change inflates, drawn towards the scale of other people, and values beyond four of it count as
four. The largest of many is no normal variable: the limit comes from a declared rate of false
alarms (`serving.monitoring.limits`), never from a table of that distribution.

Letters: N series, T days of the window, oldest first; L lengths of the recent stretch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST_NOW, LEAST_BEFORE = 3, 10
"""Values that the recent stretch and the one before must have."""

LENGTHS = np.arange(3, 22)
WEEKS = np.arange(7, 29, 7)
"""Days of the recent stretch: of values that come every day, and of those with a weekly plan."""

PRIOR_VALUES = 10
"""How many differences the scale of other people counts as."""

LARGEST_DIFFERENCES = 4.0
"""Medians of the differences beyond which one counts no further: a change is no noise."""

FARTHEST = 4.0
"""Scales from the middle beyond which a value counts no further."""

SMALLEST_SHARE = 0.02
"""Share of the median that a value on a logarithmic scale is at least: a day without a step."""


@dataclass(frozen=True, slots=True)
class Course:
    """How values of each series go on from day to day where nothing changes, (N,).

    Parameters
    ----------
    carried_N
        Correlation of a day with the next one, at least 0 and below 1.
    drift_N
        How much people's slopes differ: standard deviations of days, a day.
    """

    carried_N: Array
    drift_N: Array


@dataclass(frozen=True, slots=True)
class Shifts:
    """The largest change of level of each series, (N,).

    Parameters
    ----------
    size
        Standard errors, with its sign; not a number where too little is known.
    judged
        The same, positive in the direction that was asked about.
    length, values_now, values_before
        Days of the recent stretch, and values in it and before it.
    """

    size: Array
    judged: Array
    length: NDArray[np.int64]
    values_now: NDArray[np.int64]
    values_before: NDArray[np.int64]


def medians(value_NT: Array) -> Array:
    """Return the median of what is a number in each row, (N,)."""
    count_N = np.isfinite(value_NT).sum(axis=1)
    sorted_NT = np.sort(np.where(np.isfinite(value_NT), value_NT, np.inf), axis=1)
    row_N, upper_N = np.arange(len(value_NT)), np.minimum(count_N // 2, value_NT.shape[1] - 1)
    lower_N = np.maximum((count_N - 1) // 2, 0)
    middle_N = (sorted_NT[row_N, lower_N] + sorted_NT[row_N, upper_N]) / 2
    return np.where(count_N > 0, middle_N, np.nan)


def on_scale(value_NT: Array) -> Array:
    """Return values on a logarithmic scale; all of a row are unknown where its median is 0."""
    middle_N = medians(value_NT)
    floor_N1 = np.where(middle_N > 0, SMALLEST_SHARE * middle_N, np.nan)[:, None]
    return np.asarray(np.log(np.maximum(value_NT, floor_N1)))


def days_before(value_NT: Array) -> tuple[Array, Array]:
    """Return the value before each value, and how many days before it was, (N, T) each.

    Not a number where there is no value, or none before it.
    """
    seen_NT = np.isfinite(value_NT)
    day_T = np.arange(value_NT.shape[1])
    latest_NT = np.maximum.accumulate(np.where(seen_NT, day_T, -1), axis=1)
    nobody_N1 = np.full((len(value_NT), 1), -1)
    place_NT = np.concatenate([nobody_N1, latest_NT[:, :-1]], axis=1)
    known_NT = seen_NT & (place_NT >= 0)
    earlier_NT = np.take_along_axis(value_NT, np.maximum(place_NT, 0), axis=1)
    gap_NT = np.where(known_NT, day_T - place_NT, np.nan)
    return np.where(known_NT, earlier_NT, np.nan), gap_NT


def day_scales(
    scaled_NT: Array, carried_N: Array, *, weekly: bool
) -> tuple[Array, NDArray[np.int64]]:
    """Return the robust standard deviation of days, and how many differences it rests on, (N,).

    Differences are of successive values, however many days lie between; where there is a weekly
    plan, of the same weekday.
    """
    if weekly:
        difference_NT = scaled_NT[:, 7:] - scaled_NT[:, :-7]
    else:
        earlier_NT, gap_NT = days_before(scaled_NT)
        # Days that are alike differ less than those that have nothing in common.
        alike_NT = carried_N[:, None] ** gap_NT
        difference_NT = (scaled_NT - earlier_NT) / np.sqrt(1 - alike_NT)
    size_NT = np.abs(difference_NT)
    count_N = np.isfinite(size_NT).sum(axis=1)
    most_N1 = LARGEST_DIFFERENCES * medians(size_NT)[:, None]
    total_N = np.nansum(np.minimum(size_NT, most_N1), axis=1)
    # The mean difference of two values of a normal distribution is 2 / sqrt(pi) of its deviation.
    return np.asarray(total_N / np.maximum(count_N, 1) * np.sqrt(np.pi) / 2), count_N


def largest_shifts(
    scaled_NT: Array,
    usual_scale_N: Array,
    course: Course,
    sign_N: NDArray[np.int64],
    *,
    weekly: bool = False,
) -> Shifts:
    """Return the largest change of level of each series in its direction.

    Parameters
    ----------
    scaled_NT
        Values on their scale, the last one of today; not a number on days without.
    usual_scale_N
        Standard deviation of days of other people; not a number where it is not known.
    course
        How values go on where nothing changes.
    sign_N
        -1 for a fall, 1 for a rise, 0 for either.
    weekly
        Whole weeks only, for values with a weekly plan.
    """
    seen_NT = np.isfinite(scaled_NT)
    scale_N1 = _scales(scaled_NT, usual_scale_N, course.carried_N, weekly=weekly)[:, None]
    distance_NT = scaled_NT - medians(scaled_NT)[:, None]
    size_NT = np.clip(distance_NT, -FARTHEST * scale_N1, FARTHEST * scale_N1)
    length_L = WEEKS if weekly else LENGTHS
    now_NL = np.cumsum(seen_NT[:, ::-1], axis=1)[:, length_L - 1]
    before_NL = seen_NT.sum(axis=1)[:, None] - now_NL
    enough_NL = (now_NL >= LEAST_NOW) & (before_NL >= LEAST_BEFORE) & (scale_N1 > 0)
    # A stretch begins on a day with a value: the same values would make a longer one as well.
    enough_NL &= seen_NT[:, ::-1][:, length_L - 1] | weekly
    error_NL = np.where(scale_N1 > 0, scale_N1, 1.0)
    size_NL = _differences(size_NT, course, length_L, enough_NL) / error_NL
    sign_N1 = sign_N[:, None]
    judged_NL = np.where(sign_N1 == 0, np.abs(size_NL), sign_N1 * size_NL)
    judged_NL = np.where(enough_NL, judged_NL, -np.inf)
    best_N, row_N = np.argmax(judged_NL, axis=1), np.arange(len(scaled_NT))
    known_N = enough_NL.any(axis=1)
    return Shifts(
        size=np.where(known_N, size_NL[row_N, best_N], np.nan),
        judged=judged_NL[row_N, best_N],
        length=length_L[best_N],
        values_now=now_NL[row_N, best_N],
        values_before=before_NL[row_N, best_N],
    )


def _scales(scaled_NT: Array, usual_scale_N: Array, carried_N: Array, *, weekly: bool) -> Array:
    """Return the own standard deviation of days, drawn towards that of other people, (N,)."""
    own_N, differences_N = day_scales(scaled_NT, carried_N, weekly=weekly)
    weighed_N = PRIOR_VALUES * usual_scale_N**2 + differences_N * own_N**2
    drawn_N = np.sqrt(weighed_N / (PRIOR_VALUES + differences_N))
    return np.where(np.isfinite(usual_scale_N), drawn_N, own_N)


def _differences(
    size_NT: Array, course: Course, length_L: NDArray[np.int64], enough_NL: NDArray[np.bool_]
) -> Array:
    """Return the difference of the levels in standard errors of days of deviation 1, (N, L).

    The normal equations of least squares on what is fresh of each value, for a level, a slope and a
    change, each by its weight in that. The slope is eliminated first, then the level. Without drift
    and without anything carried over they give the difference of the two means.
    """
    seen_NT = np.isfinite(size_NT)
    earlier_NT, gap_NT = days_before(size_NT)
    kept_NT = np.nan_to_num(course.carried_N[:, None] ** gap_NT)
    begins_NT = np.where(seen_NT, 1 / np.sqrt(1 - kept_NT**2), 0.0)
    fresh_NT = begins_NT * (np.nan_to_num(size_NT) - kept_NT * np.nan_to_num(earlier_NT))
    level_NT = begins_NT * (1 - kept_NT)
    day_T = np.arange(1.0 - size_NT.shape[1], 1.0)
    slope_NT = begins_NT * (day_T - kept_NT * (day_T - np.nan_to_num(gap_NT)))
    start_L = size_NT.shape[1] - length_L

    def by(one_NT: Array, other_NT: Array) -> Array:
        return np.asarray((one_NT * other_NT).sum(axis=1)[:, None])

    def by_change(weight_NT: Array) -> Array:
        # A change is in the whole of its first day, and later in what is not carried over.
        since_NL = np.cumsum((level_NT * weight_NT)[:, ::-1], axis=1)[:, length_L - 1]
        first_NL = ((begins_NT - level_NT) * weight_NT)[:, start_L]
        return np.asarray(since_NL + first_NL)

    own_NL = by_change(level_NT) + ((begins_NT - level_NT) * begins_NT)[:, start_L]
    drift_N1 = course.drift_N[:, None] ** 2
    less_N1 = drift_N1 / (1 + drift_N1 * by(slope_NT, slope_NT))
    slope_level_N1, slope_fresh_N1 = by(slope_NT, level_NT), by(slope_NT, fresh_NT)
    slope_change_NL = by_change(slope_NT)
    level_N1 = by(level_NT, level_NT) - less_N1 * slope_level_N1**2
    both_NL = by_change(level_NT) - less_N1 * slope_level_N1 * slope_change_NL
    change_NL = own_NL - less_N1 * slope_change_NL**2
    level_fresh_N1 = by(level_NT, fresh_NT) - less_N1 * slope_level_N1 * slope_fresh_N1
    change_fresh_NL = by_change(fresh_NT) - less_N1 * slope_change_NL * slope_fresh_N1
    known_NL = np.where(enough_NL, level_N1 * change_NL - both_NL**2, 1.0)
    error_NL = np.sqrt(np.where(enough_NL, level_N1 * known_NL, 1.0))
    return np.asarray((level_N1 * change_fresh_NL - both_NL * level_fresh_N1) / error_NL)
