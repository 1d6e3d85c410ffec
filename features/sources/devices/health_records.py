"""The records of a phone's health export as numbers: types, units, and the clock of each.

They are taken one by one and turned into numbers a batch at a time, so that no text of millions of
records is held. Letters: N records of a batch.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TIME
from contracts.errors import MOST_PLACES, Problem
from features.measurements.records import (
    AMOUNT,
    END,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    UPDATED,
    Amount,
    record_table,
    records,
)
from features.measurements.wall_clock import (
    ISO_FORM,
    read_times,
    sleep_episodes,
    to_wall_clock,
)
from features.recording import SourceFile
from features.tables.text_tables import read_numbers

BATCH_RECORDS = 100_000


class _Kind(NamedTuple):
    """What one type of record measures, and in which units."""

    code: str
    factors: dict[str, float]
    amount: Amount


_PER_MIN = {"count/min": 1.0, "count/s": 60.0, "count/hr": 1 / 60}
SLEEP = "SleepAnalysis"
KINDS = {
    "StepCount": _Kind("LOINC//41950-7", {"count": 1.0}, Amount.PART),
    "DistanceWalkingRunning": _Kind(
        "REHABCAST//DISTANCE",
        {"km": 1.0, "m": 1e-3, "cm": 1e-5, "mi": 1.609344, "yd": 0.9144e-3, "ft": 0.3048e-3},
        Amount.PART,
    ),
    "AppleExerciseTime": _Kind(
        "REHABCAST//ACTIVE_TIME", {"min": 1.0, "s": 1 / 60, "hr": 60.0}, Amount.PART
    ),
    "RestingHeartRate": _Kind("LOINC//40443-4", _PER_MIN, Amount.READING),
    "HeartRate": _Kind("REHABCAST//HEART_RATE", _PER_MIN, Amount.READING),
    "HeartRateVariabilitySDNN": _Kind("REHABCAST//SDNN", {"ms": 1.0, "s": 1e3}, Amount.READING),
    "WalkingSpeed": _Kind(
        "REHABCAST//GAIT_SPEED",
        {"m/s": 1.0, "km/hr": 1 / 3.6, "mi/hr": 0.44704, "ft/s": 0.3048},
        Amount.READING,
    ),
    SLEEP: _Kind("REHABCAST//SLEEP", {"": 1.0}, Amount.INTERVAL),
}
NAMES = list(KINDS)
NUMBERS = {name: number for number, name in enumerate(NAMES)}
SLEEP_STATE = "HKCategoryValueSleepAnalysis"
ASLEEP = SLEEP_STATE + "Asleep"
TIMES = f"the phone writes times as {ISO_FORM}; leave the file as it wrote it"
ADVICE = "correct it in the app and write a new export if it is needed"


class HealthRecords:
    """Collects records; `table` gives them with `RECORD_COLUMNS`.

    Parameters
    ----------
    file
        The export.

    Attributes
    ----------
    problems
        Records that were left out, grouped by cause.
    """

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._sources: dict[str, int] = {}
        self._tables: list[pd.DataFrame] = []
        self._clear()

    def _clear(self) -> None:
        self._kind, self._source, self._line = array("b"), array("l"), array("q")
        self._unit: list[str] = []
        self._value: list[str] = []
        self._times: tuple[list[str], ...] = ([], [], [])
        self._zones: dict[str, list[int]] = {}

    def add(self, name: str, attributes: dict[str, str], line: int) -> None:
        """Take a record of one of `KINDS`, as it stands."""
        if len(self._line) >= BATCH_RECORDS:
            self._convert()
        get = attributes.get
        self._kind.append(NUMBERS[name])
        self._source.append(self._sources.setdefault(get("sourceName", ""), len(self._sources)))
        self._line.append(line)
        self._unit.append(get("unit", ""))
        self._value.append(get("value", ""))
        start, end, created = self._times
        start.append(get("startDate", ""))
        end.append(get("endDate", ""))
        created.append(get("creationDate", ""))

    def set_zone(self, zone: str) -> None:
        """Take the time zone in which the last record was made."""
        self._zones.setdefault(zone, []).append(len(self._line) - 1)

    def table(self) -> pd.DataFrame:
        """Return all records."""
        self._convert()
        if not self._tables:
            return records([])
        table = pd.concat(self._tables, ignore_index=True)
        self._tables = []
        kind_N = table["kind"].to_numpy()
        offset_N = _night_offsets(table, kind_N == NUMBERS[SLEEP])
        sources = _words(table["source"].to_numpy(), list(self._sources))
        label = _words(np.zeros_like(kind_N), [self.file.subject_label])
        identity = table[["start", "end", "number"]].assign(
            kind=kind_N, source=sources, subject=label
        )
        number = pd.util.hash_pandas_object(identity, index=False).astype(str)
        columns = {
            SUBJECT_LABEL: label,
            TIME: table["start"] + offset_N,
            END: table["end"] + offset_N,
            CODE: _by_kind(kind_N, [kind.code for kind in KINDS.values()]),
            NUMBER: table["number"],
            AMOUNT: _by_kind(kind_N, [str(kind.amount) for kind in KINDS.values()]),
            SOURCE: sources,
            RECORD_ID: "HealthKit/" + number,
            UPDATED: table["created"],
            PLACE: table["line"].astype(str),
        }
        return record_table(pd.DataFrame(columns))

    def _convert(self) -> None:
        """Turn the records taken since the last time into numbers."""
        if not self._line:
            return
        kind_N, line_N = (np.array(column) for column in (self._kind, self._line))
        text = pd.DataFrame({"unit": self._unit, "value": self._value}, dtype=object)
        text["start"], text["end"], text["created"] = self._times
        (start_N, end_N, created_N), (offset_N, _, _) = _read(self._times)
        faults = _Faults(self.file, kind_N, line_N, self.problems)
        for name, time_N in (("start", start_N), ("end", end_N)):
            faults.note(np.isnat(time_N), text[name], "{!r} where a time is expected", TIMES)
        faults.note(end_N < start_N, text["end"], "it ends at {}, before it starts", ADVICE)
        number_N = self._numbers(kind_N, text, faults)
        offset_N = offset_N.copy()
        for zone, rows in self._zones.items():
            at_N = np.array(rows)
            at_N = at_N[~faults.bad_N[at_N]]
            try:
                offset_N[at_N] = to_wall_clock(start_N[at_N], zone) - start_N[at_N]
            except (ZoneInfoNotFoundError, ValueError, OSError):
                unknown_N = np.zeros(len(kind_N), dtype=np.bool_)
                unknown_N[at_N] = True
                found = "its time zone {!r} is not known, and so its day is not"
                faults.note(unknown_N, pd.Series(zone, index=text.index), found, ADVICE)
        columns = {
            "kind": kind_N, "source": np.array(self._source, dtype=np.int32), "line": line_N,
            "start": start_N, "end": end_N, "created": created_N, "offset": offset_N,
            "number": number_N,
        }  # fmt: skip
        self._tables.append(pd.DataFrame(columns)[~faults.bad_N])
        self._clear()

    def _numbers(
        self, kind_N: NDArray[np.int8], text: pd.DataFrame, faults: _Faults
    ) -> NDArray[np.float64]:
        """Return values in the units of the vocabulary; a fault of unit or value is noted."""
        factor_N = np.full(len(kind_N), np.nan)
        for kind in np.unique(kind_N):
            factors = KINDS[NAMES[kind]].factors
            rows_N = kind_N == kind
            factor_N[rows_N] = text["unit"][rows_N].map(factors).to_numpy(dtype=float)
            found = f"its unit is {{!r}}, expected {', '.join(factors)}"
            faults.note(rows_N & np.isnan(factor_N), text["unit"], found, ADVICE)
        is_sleep_N = kind_N == NUMBERS[SLEEP]
        asleep_N = text["value"].str.startswith(ASLEEP).to_numpy(dtype=np.bool_) & is_sleep_N
        faults.note(is_sleep_N & ~asleep_N, text["value"], "{!r} is no state of sleep", ADVICE)
        numbers = read_numbers(text["value"].mask(is_sleep_N, ""))
        faults.note(
            np.isnan(numbers.value_N) & ~is_sleep_N, text["value"],
            "{!r} where a number is expected", ADVICE,
        )  # fmt: skip
        faults.note(numbers.value_N < 0, text["value"], "a value of {} is impossible", ADVICE)
        value_N: NDArray[np.float64] = numbers.value_N * factor_N
        return value_N


class _Faults:
    """Notes which records of a batch are left out, one problem a type and cause."""

    def __init__(
        self,
        file: SourceFile,
        kind_N: NDArray[np.int8],
        line_N: NDArray[np.int64],
        problems: list[Problem],
    ) -> None:
        self.file, self.kind_N, self.line_N, self.problems = file, kind_N, line_N, problems
        self.bad_N = np.zeros(len(kind_N), dtype=np.bool_)

    def note(self, bad_N: NDArray[np.bool_], written: pd.Series, found: str, advice: str) -> None:
        """Leave these records out; `found` has a place for what is written in the first."""
        bad_N = bad_N & ~self.bad_N
        self.bad_N |= bad_N
        for kind in np.unique(self.kind_N[bad_N]):
            rows = np.flatnonzero(bad_N & (self.kind_N == kind))
            places = tuple(f"row {line}" for line in self.line_N[rows[:MOST_PLACES]])
            self.problems.append(
                Problem(
                    file=self.file.name, row=int(self.line_N[rows[0]]), field=NAMES[kind],
                    found=f"{found.format(written.iloc[rows[0]])}, the record was left out",
                    advice=advice, cause=_reason(found), count=len(rows), places=places,
                )
            )  # fmt: skip


def _reason(found: str) -> str:
    """Return what records have in common: what is said of them, without what is written in one."""
    return found.replace("{!r}", "...").replace("{}", "...")


def _read(times: tuple[list[str], ...]) -> tuple[NDArray[np.datetime64], NDArray[np.timedelta64]]:
    """Return each time in UTC, and by how much its wall clock is ahead.

    A time without an offset stands for the wall clock alone.
    """
    flat = np.array([text for column in times for text in column], dtype=object)
    number_N, unique = pd.factorize(flat)
    read = read_times(pd.Series(unique, dtype=object))
    ahead = np.where(np.isnat(read.offset_N), np.timedelta64(0, "ns"), read.offset_N)
    shape = (len(times), -1)
    return (read.time_N - ahead)[number_N].reshape(shape), ahead[number_N].reshape(shape)


def _night_offsets(table: pd.DataFrame, is_sleep_N: NDArray[np.bool_]) -> NDArray[np.timedelta64]:
    """Return by how much each record's wall clock is ahead of UTC, one for a whole sleep.

    Where the clocks change in the night, or a person travels, the clock of falling asleep holds for
    all stages: else an hour of sleep would be there twice, or missing.
    """
    offset = table["offset"].copy()
    sleep = table[is_sleep_N].sort_values(["start", "offset"], kind="stable")
    if len(sleep) and sleep["offset"].nunique() > 1:
        start_N, end_N = (_ns(sleep[name]) for name in ("start", "end"))
        began_N, _ = sleep_episodes(sleep["source"].to_numpy().astype(np.int64), start_N, end_N)
        offset[sleep.index] = sleep.groupby([sleep["source"], began_N])["offset"].transform("first")
    return offset.to_numpy(dtype="timedelta64[ns]")


def _ns(times: pd.Series) -> NDArray[np.int64]:
    return times.to_numpy(dtype="datetime64[ns]").astype(np.int64)


def _words(code_N: NDArray[np.int8], words: list[str]) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(code_N.tolist(), pd.Index(words))


def _by_kind(kind_N: NDArray[np.int8], words: list[str]) -> NDArray[np.object_]:
    return np.array(words, dtype=object)[kind_N]
