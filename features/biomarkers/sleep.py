"""Sleep, minute by minute: from the angle of the wrist, or from counts.

Raw acceleration: a minute is still when the arm's angle stays within 5 degrees, and five such
minutes or more are a bout (van Hees 2015, doi:10.1371/journal.pone.0142533). Counts per minute:
Oakley 1997 for an Actiwatch, Cole and Kripke 1992 for any other device. Either way the night is the
longest row of bouts with less than an hour between them inside each noon to noon (van Hees 2018,
doi:10.1038/s41598-018-31266-z), and sleep is what was asleep and worn inside it. It counts for the
day of waking.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.recording import ACTIWATCH

STILL_DEG, BOUT_MIN, BREAK_MIN = 5.0, 5, 60
SHORTEST_NIGHT_MIN = 120
"""A row of bouts shorter than this is a nap, not a night (local)."""

COLE_KRIPKE = 0.001 * np.array([106.0, 54.0, 58.0, 76.0, 230.0, 74.0, 67.0])
"""Weights of four minutes before, the minute itself and two after."""

OAKLEY = np.array([0.04, 0.2, 1.0, 0.2, 0.04])
"""Weights of two minutes before, the minute itself and two after."""

OAKLEY_AWAKE = 40.0
"""Weighted counts above this are wakefulness: the middle of the maker's three sensitivities."""

COUNT_SCALE, HIGHEST = 100.0, 300.0
"""Counts per minute are divided by 100 and cut at 300 (Cole and Kripke 1992, as in pyActigraph)."""


def asleep(minutes: pd.DataFrame) -> NDArray[np.bool_] | None:
    """Return which minutes of one device were asleep, None where that can't be judged.

    Parameters
    ----------
    minutes
        Rows of one device by ascending time, with `is_worn`, and `turn_deg` or `counts`. Both rules
        were made for the wrist; sleep is not judged elsewhere.
    """
    if not minutes["placement"].str.contains("wrist").all():
        return None
    if "turn_deg" in minutes and minutes["turn_deg"].notna().any():
        quiet = _bouts(minutes["turn_deg"].to_numpy() <= STILL_DEG)
    elif "counts" in minutes and minutes["counts"].notna().any():
        counts = minutes["counts"].fillna(HIGHEST * COUNT_SCALE).to_numpy()
        actiwatch = (minutes["maker"] == ACTIWATCH).all()
        quiet = oakley(counts) if actiwatch else cole_kripke(counts)
    else:
        return None
    return np.asarray(quiet & minutes["is_worn"].to_numpy() & _nights(quiet, minutes))


def cole_kripke(counts_M: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Score minutes as asleep from counts per minute."""
    scaled = np.minimum(counts_M / COUNT_SCALE, HIGHEST)
    padded = np.concatenate([np.zeros(4), scaled, np.zeros(2)])
    score = np.convolve(padded, COLE_KRIPKE[::-1], mode="valid")
    return np.asarray(score < 1)


def oakley(counts_M: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Score minutes of an Actiwatch as asleep from counts per minute."""
    return np.asarray(np.convolve(counts_M, OAKLEY, mode="same") <= OAKLEY_AWAKE)


def _runs(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (start, end) of each run of True."""
    edge = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edge.reshape(-1, 2)


def _bouts(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    kept = np.zeros(len(flags), dtype=np.bool_)
    for start, end in _runs(flags):
        if end - start >= BOUT_MIN:
            kept[start:end] = True
    return kept


def _nights(quiet: NDArray[np.bool_], minutes: pd.DataFrame) -> NDArray[np.bool_]:
    """Flag the longest row of bouts of each noon to noon."""
    clock = minutes["time"].to_numpy().astype("datetime64[m]").astype(np.int64)
    inside = np.zeros(len(quiet), dtype=np.bool_)
    night = (clock - 720) // 1440
    for which in np.unique(night[quiet]):
        rows = np.flatnonzero((night == which) & quiet)
        breaks = np.flatnonzero(np.diff(clock[rows]) >= BREAK_MIN)
        starts, ends = np.append(0, breaks + 1), np.append(breaks, len(rows) - 1)
        length = clock[rows[ends]] - clock[rows[starts]]
        longest = int(length.argmax())
        if length[longest] >= SHORTEST_NIGHT_MIN:
            inside[rows[starts[longest]] : rows[ends[longest]] + 1] = True
    return inside
