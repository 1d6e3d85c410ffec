"""Sets in a recording of any length: where a limb moves and repeats itself.

Windows in which nothing moves are passed over; of the others the correlation with themselves says
whether they repeat. Windows that do and touch are a set, cut where the limb rests and at its ends
to where it moves. All in one pass, by hours, so that time is linear and memory is of an hour.

Letters: T samples, W windows, S windows that move, C channels, L lags.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from features.exercise.motion import RATE_HZ, has_rotation
from features.exercise.rhythm import SHORTEST_S, SMOOTH_HZ
from features.exercise.windows import DEG_A_UNIT, slow

EVERY = 2
WINDOW_S, HOP_S = 10.0, 2.0
LEAST_MOVEMENT, LEAST_LIKENESS = 0.03, 0.5
"""In g, or 115 deg/s: root mean square of a window's movement; and the correlation with itself one
repetition later (local)."""

REST, REST_S = 0.25, 3.0
"""Share of a set's median movement below which a limb rests, and how long a rest ends a set."""

SHORTEST_SET_S = 4.0
HOUR, MARGIN = int(3600 * RATE_HZ), int(60 * RATE_HZ)

Array = NDArray[np.float32]
Span = tuple[int, int]


def sets(values_T6: Array) -> list[Span]:
    """Return the first sample of each set of a recording and the one after its last."""
    spans: list[Span] = []
    for first in range(0, len(values_T6), HOUR):
        # An hour is seen with a margin, so that a set across its end is found whole, once.
        begin, end = max(first - MARGIN, 0), min(first + HOUR + MARGIN, len(values_T6))
        for a, b in _of_an_hour(values_T6[begin:end]):
            _add(spans, (a + begin, b + begin))
    return spans


def _add(spans: list[Span], found: Span) -> None:
    if spans and found[0] < spans[-1][1]:
        spans[-1] = (spans[-1][0], max(spans[-1][1], found[1]))
    else:
        spans.append(found)


def _of_an_hour(values_T6: Array) -> Iterator[Span]:
    measured = 6 if has_rotation(values_T6) else 3
    if len(values_T6) < SHORTEST_SET_S * RATE_HZ:
        return
    scale = np.array([1, 1, 1, *[DEG_A_UNIT] * 3], dtype=np.float32)[:measured]
    smooth_TC = slow(values_T6[:, :measured] / scale, SMOOTH_HZ)
    rate = RATE_HZ / EVERY
    second = int(RATE_HZ)
    mean_TC = uniform_filter1d(smooth_TC, 2 * second, axis=0)
    around_T = uniform_filter1d(((smooth_TC - mean_TC) ** 2).sum(axis=1), second)
    moves_T = np.sqrt(np.maximum(around_T, 0.0))
    repeats_T = _repeating(smooth_TC[::EVERY].astype(np.float32), rate).repeat(EVERY)
    repeats_T = np.pad(repeats_T, (0, max(len(values_T6) - len(repeats_T), 0)), mode="edge")
    for first, last in runs(repeats_T[: len(values_T6)]):
        active_T = moves_T[first:last] > max(
            REST * float(np.median(moves_T[first:last])), LEAST_MOVEMENT / 2
        )
        for a, b in _without_rests(active_T):
            if b - a >= SHORTEST_SET_S * RATE_HZ:
                yield first + a, first + b


def _repeating(thin_TC: Array, rate: float) -> NDArray[np.bool_]:
    """Return which samples lie in a window that moves and repeats itself."""
    samples, hop = int(WINDOW_S * rate), int(HOP_S * rate)
    if len(thin_TC) < samples:
        samples = len(thin_TC)
    window_WCL = np.lib.stride_tricks.sliding_window_view(thin_TC, samples, axis=0)[::hop]
    moving_S = np.flatnonzero(np.sqrt(window_WCL.var(axis=2).sum(axis=1)) > LEAST_MOVEMENT)
    found_T = np.zeros(len(thin_TC), dtype=bool)
    for some in np.array_split(moving_S, max(1, len(moving_S) // 256)):
        for w in some[_likeness(window_WCL[some], rate) > LEAST_LIKENESS]:
            # The last window speaks for what is left, too short for one of its own.
            found_T[w * hop : w * hop + samples if w < len(window_WCL) - 1 else None] = True
    return found_T


def _likeness(window_WCL: Array, rate: float) -> NDArray[np.float64]:
    """Return the strongest correlation of windows with themselves, a repetition later."""
    samples = window_WCL.shape[2]
    off_WCL = window_WCL - window_WCL.mean(axis=2, keepdims=True)
    spectrum = np.fft.rfft(off_WCL, 2 * samples, axis=2)
    shared_WL = np.fft.irfft((np.abs(spectrum) ** 2).sum(axis=1), axis=1)[:, : samples * 6 // 10]
    shared_WL = shared_WL / (samples - np.arange(shared_WL.shape[1]))
    like_WL = shared_WL / np.maximum(shared_WL[:, :1], 1e-12)
    first = int(SHORTEST_S * rate)
    inner = like_WL[:, first:-1]
    is_peak = (inner >= like_WL[:, first - 1 : -2]) & (inner > like_WL[:, first + 1 :])
    return np.asarray(np.where(is_peak, inner, -1.0).max(axis=1, initial=-1.0))


def _without_rests(active_T: NDArray[np.bool_]) -> Iterator[Span]:
    """Yield what lies between rests; shorter rests belong to the set."""
    begun: Span | None = None
    for first, last in runs(active_T):
        if begun is not None and first - begun[1] < REST_S * RATE_HZ:
            begun = begun[0], last
            continue
        if begun is not None:
            yield begun
        begun = first, last
    if begun is not None:
        yield begun


def runs(flag_T: NDArray[np.bool_]) -> list[Span]:
    """Return where a flag is set, without a break."""
    edges = np.flatnonzero(np.diff(flag_T.astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
