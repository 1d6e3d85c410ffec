"""What a source file holds once read: signals on the subject's wall clock, and dated records.

Letters: N samples, C columns of one signal.

Times are naive local wall-clock times, because a day is a day of the person who wore the device.
Where a file's times are in UTC they become local time by the file's own offset or by a declared
zone; nothing is guessed, and `Signal.clock` says which it was.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import Problem, SourceUnreadable
from contracts.onset import STROKE, OnsetCodes
from features.measurements.device_clocks import ANY_CLOCK, DeviceClock
from features.measurements.records import AMOUNT, Amount
from features.tables.text_tables import TableForm

ACTIWATCH = "Actiwatch"
"""Maker whose counts have a sleep rule of their own."""

NOT_STATED = "not stated"
"""Placement of a device whose file does not say where it was worn."""


class Quantity(StrEnum):
    """What a signal measures; its unit is fixed."""

    ACCELERATION = "acceleration"
    """g, three axes."""
    ROTATION = "rotation"
    """deg/s, three axes."""
    COUNTS = "activity counts"
    """Counts per epoch of the device."""
    STEPS = "steps"
    """Steps per epoch or interval."""
    HEART_RATE = "heart rate"
    """Beats/min."""
    BEAT_INTERVAL = "beat interval"
    """ms from beat to beat (RR)."""
    MUSCLE = "muscle"
    """uV, one column a channel."""
    TEMPERATURE = "temperature"
    """degrees Celsius, at the device."""
    WORN = "worn"
    """1 worn, 0 not worn, as the device or its study says."""
    POSTURE = "posture"
    """Shares of each epoch: off, standing, sitting, lying (inclinometer)."""
    SPEED = "speed"
    """m/s over ground."""
    CADENCE = "cadence"
    """Steps/min."""


UNITS: dict[Quantity, str] = {
    Quantity.ACCELERATION: "g",
    Quantity.ROTATION: "deg/s",
    Quantity.COUNTS: "{count}",
    Quantity.STEPS: "{steps}",
    Quantity.HEART_RATE: "/min",
    Quantity.BEAT_INTERVAL: "ms",
    Quantity.MUSCLE: "uV",
    Quantity.TEMPERATURE: "Cel",
    Quantity.WORN: "1",
    Quantity.POSTURE: "1",
    Quantity.SPEED: "m/s",
    Quantity.CADENCE: "/min",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One quantity of one device on one subject.

    Parameters
    ----------
    subject_label
        The subject's label in the source.
    quantity
        What is measured; `UNITS` has its unit.
    time_N
        Wall-clock time of each sample, datetime64[ns], not necessarily ascending: a clock may be
        set back.
    values_NC
        Values in the quantity's unit.
    epoch_s
        Seconds that one sample covers; for raw data 1 / sampling rate.
    placement
        Where it was worn, such as `left wrist`; `NOT_STATED` where the file does not say.
    device, maker
        The device with its model and serial number; its maker alone, by which audits group people.
    clock
        Where the local time comes from.
    """

    subject_label: str
    quantity: Quantity
    time_N: NDArray[np.datetime64]
    values_NC: NDArray[np.float32]
    epoch_s: float
    placement: str = NOT_STATED
    device: str = ""
    maker: str = ""
    clock: str = "wall clock as set on the device"

    def __len__(self) -> int:
        return len(self.time_N)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one file held.

    Parameters
    ----------
    signals
        Everything sampled.
    records
        Dated values and facts of the person, with `features.measurements.records.RECORD_COLUMNS`.
    dropped
        What was left out of an otherwise sound file, with place and reason.
    clock
        What the clocks of such devices can't show.
    """

    signals: tuple[Signal, ...] = ()
    records: pd.DataFrame | None = None
    dropped: tuple[Problem, ...] = ()
    clock: DeviceClock = ANY_CLOCK

    @property
    def is_empty(self) -> bool:
        """True where nothing sound was found: no more than that other statements are withdrawn."""
        if any(len(signal) for signal in self.signals):
            return False
        return self.records is None or bool((self.records[AMOUNT] == Amount.WITHDRAWN).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file to read, and what is declared of it.

    Parameters
    ----------
    path
        Where it is.
    name
        Its name in messages, relative to what the user passed.
    subject_label
        Label of the subject where the file itself has none.
    zone
        IANA zone of files whose times are in UTC only; empty where none was declared.
    placement
        Declared placement; empty where none was declared.
    form
        How a table of text is written, as declared.
    onset
        The diagnoses whose onset counts.
    dates_shifted
        Whether all dates were shifted for anonymity, so that they may lie in any year.
    codes
        The vocabulary's code of a hospital's own `system|code` of FHIR, as declared.
    export
        What the other files of one export say that this one needs
        (`features.sources.records.fhir_export`); None for a file on its own.
    """

    path: Path
    name: str
    subject_label: str
    zone: str = ""
    placement: str = ""
    form: TableForm = field(default_factory=TableForm)
    onset: OnsetCodes = STROKE
    dates_shifted: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    export: Any = None


BY_SUBJECT = ("minutes", "daily", "strides", "samples")
"""Parts of `Collected` that hold tables by subject label."""


@dataclass(slots=True, kw_only=True)
class Collected:
    """Everything that the files of an import hold.

    Parameters
    ----------
    minutes, daily, strides, samples
        Tables by subject label: parts of minutes, values of single recordings by day, strides, and
        beats and heart rates of sessions. They become minutes and values by day once the files of
        a subject are all there (`features.biomarkers.reduction.whole_subject`).
    records
        Records of all subjects.
    read, dropped, unreadable
        Files read with their format; what was left out of them; files that gave nothing.
    """

    minutes: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    daily: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    strides: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    samples: dict[str, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    records: list[pd.DataFrame] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)
    dropped: list[Problem] = field(default_factory=list)
    unreadable: list[Problem] = field(default_factory=list)

    def add(self, other: Collected) -> None:
        """Add what was collected of other files."""
        for part in BY_SUBJECT:
            for subject, tables in getattr(other, part).items():
                getattr(self, part)[subject] += tables
        self.records += other.records
        self.read |= other.read
        self.dropped += other.dropped
        self.unreadable += other.unreadable

    def subjects(self) -> set[str]:
        """Return everybody of whom there is a recording."""
        return {subject for part in BY_SUBJECT for subject in getattr(self, part)}


LIBRARY_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    TypeError,
    UnicodeError,
    ValueError,
    struct.error,
)
"""What libraries raise on bytes that no device wrote; each was observed. None is a bug of this
project as long as only the library's own call stands inside `wrap_library_errors`."""


@contextmanager
def wrap_library_errors(
    file: SourceFile, where: str, advice: str = "copy or export it again"
) -> Iterator[None]:
    """Turn whatever a library raises on bad bytes into a SourceUnreadable with file and place."""
    try:
        yield
    except SourceUnreadable:
        raise
    except LIBRARY_FAULTS as error:
        raise SourceUnreadable(
            file.name, where, f"cannot be read ({type(error).__name__}: {error})", advice
        ) from error


def problem(
    file: SourceFile, where: str, found: str, advice: str = "", *, cause: str = ""
) -> Problem:
    """Return a problem of one place in an otherwise sound file.

    Parameters
    ----------
    where
        Record, sector, field or quantity.
    found, advice, cause
        As in `Problem`; no advice where nothing needs to be done.
    """
    return Problem(file=file.name, row=None, field=where, found=found, advice=advice, cause=cause)
