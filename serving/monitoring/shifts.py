"""Whether a daily series has left its own earlier level, and since when.

The statistic is that of a change of the mean at an unknown day (likelihood ratio; Page 1955,
Siegmund 1985): for each length of the recent stretch, the difference of the means in standard
errors; the largest one counts. Robust: the scale is the mean difference of successive values
(von Neumann 1941), cut off above, which neither a trend nor a change inflates, drawn towards the
scale of other people, and values beyond four of it count as four. Successive days are alike, so the
statistic is larger than the normal distribution has it: its limit comes from a declared rate of
false alarms (`serving.monitoring.limits`), never from a table of that distribution.

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

BEFORE_DAYS = 28
"""Days before the recent stretch that it is compared with."""

PRIOR_VALUES = 10
"""How many differences the scale of other people counts as."""

LARGEST_DIFFERENCES = 4.0
"""Medians of the differences beyond which one counts no further: a change is no noise."""

FARTHEST = 4.0
"""Scales from the middle beyond which a value counts no further."""

SMALLEST_SHARE = 0.02
"""Share of the median that a value on a logarithmic scale is at least: a day without a step."""


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


def day_scales(scaled_NT: Array, *, weekly: bool) -> tuple[Array, NDArray[np.int64]]:
    """Return the robust standard deviation of days, and how many differences it rests on, (N,).

    Differences are of successive values, however many days lie between; where there is a weekly
    plan, of the same weekday.
    """
    if weekly:
        difference_NT = scaled_NT[:, 7:] - scaled_NT[:, :-7]
    else:
        seen_NT = np.isfinite(scaled_NT)
        place_NT = np.where(seen_NT, np.arange(scaled_NT.shape[1]), -1)
        last_NT = np.maximum.accumulate(place_NT, axis=1)[:, :-1]
        earlier_NT = np.take_along_axis(scaled_NT, np.maximum(last_NT, 0), axis=1)
        difference_NT = np.where(last_NT >= 0, scaled_NT[:, 1:] - earlier_NT, np.nan)
    size_NT = np.abs(difference_NT)
    count_N = np.isfinite(size_NT).sum(axis=1)
    most_N1 = LARGEST_DIFFERENCES * medians(size_NT)[:, None]
    total_N = np.nansum(np.minimum(size_NT, most_N1), axis=1)
    # The mean difference of two values of a normal distribution is 2 / sqrt(pi) of its deviation.
    return np.asarray(total_N / np.maximum(count_N, 1) * np.sqrt(np.pi) / 2), count_N


def largest_shifts(
    scaled_NT: Array, usual_scale_N: Array, sign_N: NDArray[np.int64], *, weekly: bool = False
) -> Shifts:
    """Return the largest change of level of each series in its direction.

    Parameters
    ----------
    scaled_NT
        Values on their scale, the last one of today; not a number on days without.
    usual_scale_N
        Standard deviation of days of other people; not a number where it is not known.
    sign_N
        -1 for a fall, 1 for a rise, 0 for either.
    weekly
        Whole weeks only, for values with a weekly plan.
    """
    seen_NT = np.isfinite(scaled_NT)
    own_N, differences_N = day_scales(scaled_NT, weekly=weekly)
    weighed_N = PRIOR_VALUES * usual_scale_N**2 + differences_N * own_N**2
    drawn_N = np.sqrt(weighed_N / (PRIOR_VALUES + differences_N))
    scale_N1 = np.where(np.isfinite(usual_scale_N), drawn_N, own_N)[:, None]
    distance_NT = scaled_NT - medians(scaled_NT)[:, None]
    distance_NT = np.clip(distance_NT, -FARTHEST * scale_N1, FARTHEST * scale_N1)
    back_NT = np.where(seen_NT, distance_NT, 0.0)[:, ::-1]
    sum_NT, count_NT = np.cumsum(back_NT, axis=1), np.cumsum(seen_NT[:, ::-1], axis=1)
    length_L = WEEKS if weekly else LENGTHS
    # A level that rises with recovery is compared with what it was lately.
    until_L = np.minimum(length_L + BEFORE_DAYS, scaled_NT.shape[1]) - 1
    now_NL, sum_NL = count_NT[:, length_L - 1], sum_NT[:, length_L - 1]
    before_NL, before_sum_NL = count_NT[:, until_L] - now_NL, sum_NT[:, until_L] - sum_NL
    enough_NL = (now_NL >= LEAST_NOW) & (before_NL >= LEAST_BEFORE) & (scale_N1 > 0)
    # A stretch begins on a day with a value: the same values would make a longer one as well.
    enough_NL &= seen_NT[:, ::-1][:, length_L - 1] | weekly
    now1_NL, before1_NL = np.maximum(now_NL, 1), np.maximum(before_NL, 1)
    error_NL = np.where(scale_N1 > 0, scale_N1, 1.0) * np.sqrt(1 / now1_NL + 1 / before1_NL)
    size_NL = (sum_NL / now1_NL - before_sum_NL / before1_NL) / error_NL
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
