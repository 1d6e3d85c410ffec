"""Heart rate variability of beat intervals, and heart rate against exertion.

RMSSD and SDNN follow the Task Force of the ESC and NASPE 1996 (doi:10.1161/01.CIR.93.5.1043);
ectopic and missed beats are taken out before, by the 20 % rule of Malik 1989. Beats, and the rates
of sessions, are kept until all files of a subject are there, since a recording may lie in several.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TIME
from features.biomarkers.overlaps import SAMPLES, each_moment_once
from features.biomarkers.plausible_samples import PLAUSIBLE_INTERVAL_MS
from features.recording import Quantity, Signal

LARGEST_CHANGE = 0.20
"""Malik 1989: an interval more than 20 % off the last good one is not a normal beat."""

FEWEST_BEATS = 20
"""With fewer good intervals no variability is computed (local; spot checks have about 100)."""

RMSSD, SDNN = "REHABCAST//RMSSD", "REHABCAST//SDNN"
LONGEST_STEP_S, LONGEST_SESSION_H = 5.0, 6.0
PAUSE_NS = 10_000_000_000
"""A pause of more than ten seconds starts another recording of beats (local)."""

SESSION_PAUSE_NS = 600_000_000_000
"""A pause of more than ten minutes starts another session (local)."""

SAMPLE_COLUMNS = ["quantity", "placement", "device", TIME, "value"]
DAY_COLUMNS = [TIME, CODE, NUMBER, SAMPLES]
SESSION_RATE = "session heart rate"
"""Code of a mean rate that waits for age and resting rate; never in a cohort."""

RESTING, AGE = "LOINC//40443-4", "REHABCAST//AGE"
RECOVERY, RESERVE = "REHABCAST//HEART_RATE_RECOVERY", "REHABCAST//HEART_RATE_RESERVE"


def normal_beats(interval_N: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which intervals (ms) are normal beats."""
    low, high = PLAUSIBLE_INTERVAL_MS
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


def samples_of(signal: Signal) -> pd.DataFrame:
    """Return the beats of a signal, or its rates if it may be of a session, else nothing."""
    length_h = float((signal.time_N.max() - signal.time_N.min()) / np.timedelta64(1, "h"))
    session = signal.quantity is Quantity.HEART_RATE and (
        signal.epoch_s <= LONGEST_STEP_S and length_h <= LONGEST_SESSION_H
    )
    if signal.quantity is not Quantity.BEAT_INTERVAL and not session:
        return pd.DataFrame(columns=SAMPLE_COLUMNS)
    keys = {name: str(getattr(signal, name)) for name in SAMPLE_COLUMNS[:3]}
    table = pd.DataFrame({**keys, TIME: signal.time_N, "value": signal.values_NC[:, 0]})
    if session:
        table = table[table["value"].notna()]
    return table.astype(dict.fromkeys(keys, "category"))


def daily_values(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return variability and session values by day, of each device, with the number of samples.

    Parameters
    ----------
    tables
        Tables of `samples_of` of one subject, one a file or piece, in any order.
    """
    if not tables:
        return pd.DataFrame(columns=DAY_COLUMNS)
    samples = pd.concat(tables, ignore_index=True)
    samples["source"] = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    results = []
    for (quantity, *_), rows in samples.groupby(SAMPLE_COLUMNS[:3], sort=True, observed=True):
        time_N = rows[TIME].to_numpy().astype("datetime64[ns]")
        value_N = rows["value"].to_numpy(dtype=np.float64)
        once = each_moment_once(
            time_N.astype(np.int64), value_N, rows["source"].to_numpy(), PAUSE_NS
        )
        of_device = _variability if quantity == Quantity.BEAT_INTERVAL else _sessions
        results += of_device(time_N[once], value_N[once])
    return pd.DataFrame(results, columns=DAY_COLUMNS)


def _parts(time_N: NDArray[np.datetime64], pause_ns: int) -> list[NDArray[np.int64]]:
    """Return the places of the samples between two pauses, part by part."""
    pauses = np.flatnonzero(np.diff(time_N).astype(np.int64) > pause_ns) + 1
    return np.split(np.arange(len(time_N)), pauses)


def _variability(
    time_N: NDArray[np.datetime64], interval_N: NDArray[np.float64]
) -> list[tuple[pd.Timestamp, str, float, int]]:
    """Return the mean over a day's recordings, each at least `FEWEST_BEATS` long.

    Recordings are parted by pauses: a day's spot checks are not one.
    """
    rows = []
    for at in _parts(time_N, PAUSE_NS):
        day = pd.Timestamp(time_N[at[0]]).normalize()
        rows += [(day, code, v, len(at)) for code, v in variability(interval_N[at]).items()]
    table = pd.DataFrame(rows, columns=DAY_COLUMNS).groupby([TIME, CODE])
    by_day = table.agg({NUMBER: "mean", SAMPLES: "sum"}).reset_index()
    return list(by_day[DAY_COLUMNS].itertuples(index=False, name=None))


def _sessions(
    time_N: NDArray[np.datetime64], rate_N: NDArray[np.float64]
) -> list[tuple[pd.Timestamp, str, float, int]]:
    """Return recovery and mean rate of each recorded session of exercise or therapy.

    Only a rate measured every few seconds for at most some hours is a session; a rate measured all
    day has no single peak. The mean is kept under `SESSION_RATE` and becomes the share of the
    reserve once the subject's age and resting rate are known.
    """
    rows = []
    for at in _parts(time_N, SESSION_PAUSE_NS):
        time, rate = time_N[at], rate_N[at]
        if len(at) < 2 or (time[-1] - time[0]) > np.timedelta64(int(LONGEST_SESSION_H * 3600), "s"):
            continue
        day = pd.Timestamp(time[0]).normalize()
        rows.append((day, SESSION_RATE, float(rate.mean()), len(at)))
        if (fall := recovery(time, rate)) is not None:
            rows.append((day, RECOVERY, fall, len(at)))
    return rows


def recovery(time_N: NDArray[np.datetime64], rate_N: NDArray[np.float64]) -> float | None:
    """Return by how much the rate falls in the minute after its peak (Cole 1999), in beats/min.

    None where the record ends within 65 s after the peak: there is no recovery in it.
    """
    seconds = (time_N - time_N[0]).astype("timedelta64[ms]").astype(np.float64) / 1000
    peak = int(np.argmax(rate_N))
    after = np.abs(seconds - (seconds[peak] + 60))
    nearest = int(np.argmin(after))
    return float(rate_N[peak] - rate_N[nearest]) if after[nearest] <= 5 else None


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
