"""Samples that can't be true: impossible dates, values and epochs, each counted and named.

Every reading of every format comes through here, before anything is computed from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, ENROLMENT, ONSET, TIME
from contracts.errors import MOST_PLACES, Problem, SourceUnreadable
from features.measurements.device_clocks import DeviceClock, impossible_times
from features.measurements.plausible import SHIFTED, each
from features.measurements.records import AMOUNT, BIRTH_DATE, DEATH, Amount
from features.recording import UNITS, Quantity, Signal, SourceFile, problem

PLAUSIBLE_HEART_RATE = (25.0, 220.0)
PLAUSIBLE_INTERVAL_MS = (300.0, 2000.0)
PLAUSIBLE_RANGES = {
    Quantity.HEART_RATE: PLAUSIBLE_HEART_RATE,
    Quantity.BEAT_INTERVAL: PLAUSIBLE_INTERVAL_MS,
}
"""In the quantity's unit (local; intervals of 30 to 200 beats a minute)."""

MOST_STEPS_A_SECOND = 10.0
"""Nobody steps faster: more is a damaged number (local)."""

ZERO_IS_NO_MEASUREMENT = frozenset({Quantity.HEART_RATE, Quantity.BEAT_INTERVAL})
"""Of a living person these are never 0: devices write it where they found no pulse."""

LEFT_IN_PLACE = frozenset({Quantity.BEAT_INTERVAL})
"""Beats are judged one after the other: one that is taken out makes neighbours of strangers, so
that its place must stay (`heart.normal_beats`)."""

SHOWN_VALUES = 3
MINUTE_S = 60.0
LONGEST_EPOCH_S = 300.0
"""Longer epochs show neither wear nor sleep (the longest of an Actiwatch)."""

BY_EPOCH = frozenset({Quantity.COUNTS, Quantity.STEPS, Quantity.POSTURE, Quantity.WORN})
SUMS = frozenset({Quantity.COUNTS, Quantity.STEPS})
"""Quantities of which an epoch's value is a sum."""

DEVICE_CLOCK = "check the clock of the device"
UNDATED = frozenset({BIRTH_DATE, DEATH, ONSET, ENROLMENT})
"""Records of a date that no device measured."""


def plausibly_dated(
    file: SourceFile, signal: Signal, clock: DeviceClock
) -> tuple[Signal, list[Problem]]:
    """Leave out samples that the clock of their device can't have dated rightly."""
    bad_N = impossible_times(signal.time_N, clock, dates_shifted=file.dates_shifted)
    if not bad_N.any():
        return signal, []
    bad = signal.time_N[bad_N]
    known = bad[~np.isnat(bad)]
    since = "before 1990" if not clock.is_known_since else "before there was such a device"
    first = f", the first of {str(known[0])[:10]}" if len(known) else ""
    found = (
        f"{len(bad)} sample(s) without a date, from {since}, from the date that a device without"
        f" power begins with, or from the future{first}, were left out"
    )
    where = str(signal.quantity)
    cause = "impossible dates of samples"
    left_out = problem(file, where, found, f"{DEVICE_CLOCK}, or {SHIFTED}", cause=cause)
    kept_N = ~bad_N
    return (
        replace(signal, time_N=signal.time_N[kept_N], values_NC=signal.values_NC[kept_N]),
        [left_out],
    )


def plausibly_dated_records(
    file: SourceFile, records: pd.DataFrame, clock: DeviceClock
) -> tuple[pd.DataFrame, list[Problem]]:
    """Mark what a device states of a time before there was such a device as unusable.

    It stays a record: if it is the newest version of one, the earlier versions do not count either.
    """
    if file.dates_shifted or not clock.is_known_since:
        return records, []
    early = records[TIME] < pd.Timestamp(clock.since)
    early &= ~records[CODE].isin(UNDATED)
    early &= ~records[AMOUNT].isin([str(Amount.WITHDRAWN), str(Amount.UNUSABLE)])
    if not early.any():
        return records, []
    problems = each(
        records[early],
        lambda row: f"{row[TIME]:%Y-%m-%d} lies before there was such a device",
        f"{DEVICE_CLOCK}, or {SHIFTED}",
        "dates before there was such a device",
    )
    amount = records[AMOUNT].mask(early, str(Amount.UNUSABLE))
    return records.assign(**{AMOUNT: amount}), problems


def plausible_values(file: SourceFile, signal: Signal) -> tuple[Signal, list[Problem]]:
    """Leave out values that no person can have; their samples stay, without a value."""
    bounds = _bounds(signal)
    if bounds is None or not len(signal):
        return signal, []
    low, high = bounds
    value_NC = signal.values_NC
    bad_NC = (value_NC < low) | (value_NC > high)
    if not bad_NC.any():
        return signal, []
    problems = list(_left_out(file, signal, bad_NC[:, 0], bounds))
    if signal.quantity in LEFT_IN_PLACE:
        return signal, problems
    return replace(signal, values_NC=np.where(bad_NC, np.float32("nan"), value_NC)), problems


def _bounds(signal: Signal) -> tuple[float, float] | None:
    if signal.quantity is Quantity.STEPS:
        return 0.0, MOST_STEPS_A_SECOND * max(signal.epoch_s, 1.0)
    return PLAUSIBLE_RANGES.get(signal.quantity)


def _left_out(
    file: SourceFile, signal: Signal, bad_N: NDArray[np.bool_], bounds: tuple[float, float]
) -> Iterator[Problem]:
    low, high = bounds
    value_N = signal.values_NC[:, 0]
    zero_N = bad_N & (value_N == 0)
    wanted = f"{low:g} to {high:g} {UNITS[signal.quantity]}"
    if signal.quantity in ZERO_IS_NO_MEASUREMENT:
        yield from _named(
            file, signal, zero_N, "0, which stands for no measurement, was left out",
            "check the values if they should be measurements", f"{signal.quantity} of 0",
        )  # fmt: skip
        bad_N = bad_N & ~zero_N
    values, counts = np.unique(value_N[bad_N], return_counts=True)
    often = values[np.argsort(-counts, kind="stable")[:SHOWN_VALUES]]
    shown = ", ".join(f"{value:g}" for value in often)
    more = ", ..." if len(values) > SHOWN_VALUES else ""
    yield from _named(
        file, signal, bad_N, f"{shown}{more} where {wanted} is possible, left out",
        "check the values and their unit, and declare those that stand for a missing value",
        f"{signal.quantity} outside the possible range",
    )  # fmt: skip


def _named(
    file: SourceFile,
    signal: Signal,
    which_N: NDArray[np.bool_],
    found: str,
    advice: str,
    cause: str,
) -> Iterator[Problem]:
    """Yield one problem for all samples that are wrong alike: their count and the first times."""
    if which_N.any():
        first = pd.DatetimeIndex(np.sort(signal.time_N[which_N])[:MOST_PLACES])
        yield Problem(
            file=file.name, row=None, field=str(signal.quantity), found=found, advice=advice,
            cause=cause, count=int(which_N.sum()),
            places=tuple(first.strftime("%Y-%m-%d %H:%M:%S")),
        )  # fmt: skip


def by_minutes(file: SourceFile, signal: Signal) -> Signal:
    """Give each minute of an epoch that is longer its share: wear and sleep count minutes.

    Raises
    ------
    SourceUnreadable
        Its epochs are too long, or no whole minutes.
    """
    epoch_s = signal.epoch_s
    if epoch_s <= MINUTE_S or signal.quantity not in BY_EPOCH:
        return signal
    if epoch_s > LONGEST_EPOCH_S or epoch_s % MINUTE_S:
        raise SourceUnreadable(
            file.name, str(signal.quantity),
            f"has epochs of {epoch_s:g} s, which show neither wear nor sleep: at most"
            f" {LONGEST_EPOCH_S:g} s can be used, and above {MINUTE_S:g} s whole minutes",
            "export the recording again with epochs of 60 s or less",
        )  # fmt: skip
    parts = int(epoch_s // MINUTE_S)
    step_P = np.arange(parts) * np.timedelta64(60, "s")
    values_NC = signal.values_NC / parts if signal.quantity in SUMS else signal.values_NC
    return replace(
        signal,
        time_N=(signal.time_N[:, None] + step_P).ravel(),
        values_NC=np.repeat(values_NC, parts, axis=0).astype(np.float32),
        epoch_s=MINUTE_S,
    )
