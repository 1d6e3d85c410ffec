"""Repetitions of a set: where each begins and ends.

A set is explained by one template that is stretched and laid one after the other along it: the
boundaries are those that leave the least of the movement unexplained (dynamic programming), and the
template is the mean of what they cut out, over and over. What no repetition explains, such as a
pause, stays between them. At both ends a repetition may reach beyond the set, whose parts seen are
added up and rounded. So a change of pace costs nothing, and half a repetition is not one.

Letters: T samples, C channels, S lengths of a stretched template.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.exercise.rhythm import Array, movement, period

SAMPLES_A_REPETITION = 20
"""To find boundaries; movements that are counted have no detail that is finer (local)."""

LEAST_STRETCH, MOST_STRETCH, BEYOND = 0.55, 1.7, 0.7
UNEXPLAINED, STRETCHED, EACH = 1.3, 1.5, 0.02
"""Costs, of the energy of a repetition: each part that none explains, squared logarithm of a
stretch, and one more repetition (local; counts were the same over wide ranges)."""

ROUNDS, STARTS = 4, 3

Span = tuple[int, int]


def repetitions(values_T6: NDArray[np.float32]) -> list[Span]:
    """Return the first sample of each repetition of a set and the one after its last."""
    moved_TC = movement(values_T6)
    samples = period(moved_TC)
    if samples is None:
        return []
    return _turned(moved_TC, explained(moved_TC, samples))


def explained(moved_TC: Array, samples: int) -> list[Span]:
    """Return the boundaries that leave the least unexplained; the first and last may reach beyond.

    Parameters
    ----------
    samples
        About how long a repetition is.
    """
    every = max(1, round(samples / SAMPLES_A_REPETITION))
    about = samples / every
    thin_TC = moved_TC[::every] / max(float(np.sqrt((moved_TC**2).mean())), 1e-9)
    beyond = int(BEYOND * about)
    padded_TC = np.pad(thin_TC, ((beyond, beyond), (0, 0)))
    seen_T = np.pad(np.ones(len(thin_TC)), beyond)
    length_S = np.arange(max(3, int(LEAST_STRETCH * about)), int(MOST_STRETCH * about) + 1)
    count = max(3, round(about))
    firsts = beyond + np.linspace(0, max(len(thin_TC) - count, 0), STARTS).astype(int)
    tried = [
        _laid(padded_TC, seen_T, padded_TC[first : first + count], length_S, about)
        for first in firsts
    ]
    spans, _ = min(tried, key=lambda laid: laid[1])
    for _ in range(ROUNDS):
        whole = [s for s in spans if s[0] >= beyond and s[1] <= beyond + len(thin_TC)] or spans
        if not whole:
            break
        template_TC = np.mean([_stretched(padded_TC[a:b], count) for a, b in whole], axis=0)
        again, _ = _laid(padded_TC, seen_T, template_TC, length_S, about)
        if again == spans:
            break
        spans = again
    found = [((first - beyond) * every, (last - beyond) * every) for first, last in spans]
    return _rounded(found, len(moved_TC))


def _laid(
    padded_TC: Array, seen_T: Array, template_TC: Array, length_S: NDArray[np.int64], about: float
) -> tuple[list[Span], float]:
    """Return the cheapest way of laying a template along a movement, and what it costs."""
    total = len(padded_TC)
    energy_T = (padded_TC**2).sum(axis=1)
    mean = float(energy_T.sum() / seen_T.sum())
    cost_ST = _left_over(padded_TC, energy_T, seen_T, template_TC, length_S)
    each_S = mean * about * (STRETCHED * np.log(length_S / about) ** 2 + EACH)
    # By the end of a repetition, so that one column holds every way to get there.
    until_ST = np.full((len(length_S), total + 1), np.inf)
    for s, length in enumerate(length_S):
        until_ST[s, length:] = cost_ST[s, : total + 1 - length] + each_S[s]
    best_T = np.zeros(total + 1)
    taken_T = np.zeros(total + 1, dtype=np.int64)
    for end in range(1, total + 1):
        best_T[end] = best_T[end - 1] + UNEXPLAINED * energy_T[end - 1]
        within = int(np.searchsorted(length_S, end, side="right"))
        if within:
            way_S = best_T[end - length_S[:within]] + until_ST[:within, end]
            cheapest = int(way_S.argmin())
            if way_S[cheapest] < best_T[end]:
                best_T[end], taken_T[end] = way_S[cheapest], length_S[cheapest]
    spans, end = [], total
    while end > 0:
        if taken_T[end]:
            spans.append((end - int(taken_T[end]), end))
        end -= max(int(taken_T[end]), 1)
    return spans[::-1], float(best_T[total])


def _left_over(
    padded_TC: Array,
    energy_T: Array,
    seen_T: Array,
    template_TC: Array,
    length_S: NDArray[np.int64],
) -> Array:
    """Return what each stretched template leaves of the movement from each sample on, (S, T)."""
    total = len(padded_TC)
    before_T = np.concatenate([[0.0], np.cumsum(energy_T)])
    cost_ST = np.full((len(length_S), total + 1), np.inf)
    for s, length in enumerate(length_S):
        if length > total:
            continue
        laid_LC = _stretched(template_TC, int(length))
        window_TCL = np.lib.stride_tricks.sliding_window_view(padded_TC, int(length), axis=0)
        shared_T = window_TCL.reshape(len(window_TCL), -1) @ laid_LC.T.reshape(-1)
        own_T = np.correlate(seen_T, (laid_LC**2).sum(axis=1), "valid")
        cost_ST[s, : len(shared_T)] = before_T[length:] - before_T[:-length] - 2 * shared_T + own_T
    return cost_ST


def _stretched(values_TC: Array, samples: int) -> Array:
    count = len(values_TC)
    place = (np.arange(samples) + 0.5) * count / samples - 0.5
    known = np.arange(count)
    return np.stack([np.interp(place, known, column) for column in values_TC.T], axis=1)


def _rounded(spans: list[Span], total: int) -> list[Span]:
    """Drop of the two that reach beyond the set what is not seen enough, both together."""
    seen = {s: (min(s[1], total) - max(s[0], 0)) / (s[1] - s[0]) for s in spans}
    partial = sorted((s for s in spans if seen[s] < 1), key=lambda s: seen[s])
    keep = int(sum(seen[s] for s in partial) + 0.5)
    dropped = set(partial[: len(partial) - keep])
    return [s for s in spans if s not in dropped]


def _turned(moved_TC: Array, spans: list[Span]) -> list[Span]:
    """Move the boundaries to where the limb turns, at the end of its path where the set began."""
    if not spans:
        return []
    total = len(moved_TC)
    path_T = path(moved_TC)
    inside = [s for s in spans if s[0] >= 0 and s[1] <= total] or spans
    length = round(float(np.median([last - first for first, last in inside])))
    cycle = np.mean(
        [_stretched(path_T[max(a, 0) : b, None], length)[:, 0] for a, b in inside], axis=0
    )
    begun_T = path_T[: max(2, round(1.3 * length))]
    at_start = (begun_T[:BEGINNING].mean() - begun_T.min()) / max(float(np.ptp(begun_T)), 1e-9)
    if at_start >= 0.5:
        path_T, cycle = -path_T, -cycle
    chosen = float((cycle.argmin() / length + 0.5) % 1 - 0.5)
    moved = [(a + round(chosen * (b - a)), b + round(chosen * (b - a))) for a, b in spans]
    within = _within(moved, total)
    turns = {place: _turn(path_T, place, round(NEAR * length)) for span in within for place in span}
    settled = [(turns[a], turns[b]) for a, b in within]
    return settled if all(b - a > 1 for a, b in settled) else within


def _turn(path_T: Array, place: int, reach: int) -> int:
    """Return where the limb is least far along its path, near a boundary; an end stays one."""
    first, last = place - reach, place + reach + 1
    if first < 0 or last > len(path_T):
        return place
    return first + int(path_T[first:last].argmin())


NEAR = 0.15
"""Of a repetition, within which a boundary is moved to the turn."""

BEGINNING = 5
"""Samples that tell at which end of its path the limb was when the set began."""

LEAST_SEEN = 0.4
"""Of a repetition at an end of a set; where a shift leaves less of one, it is taken from the other
end, so that their number stays."""


def _within(spans: list[Span], total: int) -> list[Span]:
    (a, b), (c, d) = spans[0], spans[-1]
    if b < LEAST_SEEN * (b - a):
        spans = [*spans[1:], (d, d + (d - c))]
    elif total - c < LEAST_SEEN * (d - c):
        spans = [(a - (b - a), a), *spans[:-1]]
    return [(max(a, 0), min(b, total)) for a, b in spans if min(b, total) - max(a, 0) > 1]


def path(moved_TC: Array) -> Array:
    """Return how far along its main path the limb is, in no unit: (T)."""
    turning = moved_TC[:, 3:] if moved_TC.shape[1] > 3 else moved_TC
    _, axes = np.linalg.eigh(turning.T @ turning)
    along_T = turning @ axes[:, -1]
    if moved_TC.shape[1] > 3:
        along_T = np.cumsum(along_T - along_T.mean())
    return np.asarray(along_T)
