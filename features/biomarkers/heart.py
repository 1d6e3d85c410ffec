"""Heart rate variability of beat intervals, and heart rate against exertion.

RMSSD and SDNN follow the Task Force of the ESC and NASPE 1996 (doi:10.1161/01.CIR.93.5.1043);
ectopic and missed beats are taken out before, by the 20 % rule of Malik 1989.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.recording import Quantity, Signal

PLAUSIBLE_MS = (300.0, 2000.0)
LARGEST_CHANGE = 0.20
"""Malik 1989: an interval more than 20 % off the last good one is not a normal beat."""

FEWEST_BEATS = 20
"""With fewer good intervals no variability is computed (local; spot checks have about 100)."""

RMSSD, SDNN = "REHABCAST//RMSSD", "REHABCAST//SDNN"
LONGEST_STEP_S, LONGEST_SESSION_H = 5.0, 6.0
SESSION_RATE = "session heart rate"
"""Code of a mean rate that waits for age and resting rate; never in a cohort."""

RESTING, AGE = "LOINC//40443-4", "REHABCAST//AGE"
RECOVERY, RESERVE = "REHABCAST//HEART_RATE_RECOVERY", "REHABCAST//HEART_RATE_RESERVE"


def normal_beats(interval_N: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which intervals (ms) are normal beats."""
    low, high = PLAUSIBLE_MS
    good = (interval_N >= low) & (interval_N <= high)
    last = float("nan")
    for n in np.flatnonzero(good):
        value = interval_N[n]
        if not np.isnan(last) and abs(value - last) > LARGEST_CHANGE * last:
            good[n] = False
            # One beat off is left out; from a second one on the rhythm itself has changed.
            last = float("nan")
        else:
            last = float(value)
    return good


def variability(interval_N: NDArray[np.float64]) -> dict[str, float]:
    """Return RMSSD and SDNN in ms, empty where too few beats are normal.

    RMSSD takes differences of neighbours only: a beat taken out leaves a gap and no difference.
    """
    good = normal_beats(interval_N)
    if good.sum() < FEWEST_BEATS:
        return {}
    step = np.diff(interval_N)[good[1:] & good[:-1]]
    kept = interval_N[good]
    return {RMSSD: float(np.sqrt(np.mean(step**2))), SDNN: float(kept.std(ddof=1))}


def daily_variability(signal: Signal) -> pd.DataFrame:
    """Return the mean over a day's recordings, each at least `FEWEST_BEATS` long.

    A pause of more than ten seconds starts another recording: a day's spot checks are not one.
    """
    if signal.quantity is not Quantity.BEAT_INTERVAL:
        raise ValueError(f"beat intervals are needed, not {signal.quantity}")
    time_N = signal.time_N.astype("datetime64[ns]")
    pause = np.diff(time_N).astype(np.int64) > 10_000_000_000
    part_N = np.concatenate([[0], np.cumsum(pause)])
    rows = []
    for part in range(int(part_N[-1]) + 1):
        at = np.flatnonzero(part_N == part)
        day = pd.Timestamp(time_N[at[0]]).normalize()
        values = variability(signal.values_NC[at, 0].astype(np.float64))
        rows += [(day, code, value) for code, value in values.items()]
    table = pd.DataFrame(rows, columns=["time", "code", "numeric_value"])
    return table.groupby(["time", "code"])["numeric_value"].mean().reset_index()


def recovery(time_N: NDArray[np.datetime64], rate_N: NDArray[np.float64]) -> float | None:
    """Return by how much the rate falls in the minute after its peak (Cole 1999), in beats/min.

    None where the record ends within 65 s after the peak: there is no recovery in it.
    """
    seconds = (time_N - time_N[0]).astype("timedelta64[ms]").astype(np.float64) / 1000
    peak = int(np.argmax(rate_N))
    after = np.abs(seconds - (seconds[peak] + 60))
    nearest = int(np.argmin(after))
    return float(rate_N[peak] - rate_N[nearest]) if after[nearest] <= 5 else None


def daily_sessions(signal: Signal) -> pd.DataFrame:
    """Return recovery and mean rate of a recorded session of exercise or therapy.

    Only a rate measured every few seconds for at most some hours is a session; a rate measured all
    day has no single peak. The mean is kept under `SESSION_RATE` and becomes the share of the
    reserve once the subject's age and resting rate are known.
    """
    time_N, rate_N = signal.time_N, signal.values_NC[:, 0].astype(np.float64)
    length_h = float((time_N[-1] - time_N[0]) / np.timedelta64(1, "h"))
    if signal.epoch_s > LONGEST_STEP_S or length_h > LONGEST_SESSION_H or len(signal) < 2:
        return pd.DataFrame(columns=["time", "code", "numeric_value"])
    day = pd.Timestamp(time_N[0]).normalize()
    rows = [(day, SESSION_RATE, float(rate_N.mean()))]
    if (fall := recovery(time_N, rate_N)) is not None:
        rows.append((day, RECOVERY, fall))
    return pd.DataFrame(rows, columns=["time", "code", "numeric_value"])


def reserves(events: pd.DataFrame) -> pd.DataFrame:
    """Turn the mean rates of sessions into shares of the heart rate reserve.

    Parameters
    ----------
    events
        Columns of a cohort, with rows of `SESSION_RATE`.

    Returns
    -------
    The events without those rows, and with the share where age and resting rate are known.
    """
    session = events[events["code"] == SESSION_RATE]
    rest = events[events["code"] != SESSION_RATE]
    resting = rest[rest["code"] == RESTING].groupby("subject_id")["numeric_value"].median()
    age = rest[rest["code"] == AGE].groupby("subject_id")["numeric_value"].first()
    known = session[session["subject_id"].isin(resting.index.intersection(age.index))]
    share = [
        reserve_used(rate, resting[subject], age[subject])
        for subject, rate in zip(known["subject_id"], known["numeric_value"], strict=True)
    ]
    added = known.assign(code=RESERVE, numeric_value=share)
    return pd.concat([rest, added], ignore_index=True) if len(added) else rest


def reserve_used(mean_rate: float, resting_rate: float, age_years: float) -> float:
    """Return the share of the heart rate reserve used (Karvonen 1957), 0 at rest.

    The highest rate is 208 - 0.7 age (Tanaka 2001, doi:10.1016/S0735-1097(00)01054-8).
    """
    highest = 208 - 0.7 * age_years
    return (mean_rate - resting_rate) / (highest - resting_rate)
