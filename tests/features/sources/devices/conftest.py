"""Writes FIT files: definitions and data of the messages that a test needs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import pandas as pd
import pytest
from fitdecode.utils import compute_crc

FIT_EPOCH_S = 631_065_600
Field = tuple[int, str, int]
"""Number, base type and raw value of a field."""
BASE_TYPES = {"B": 0x02, "H": 0x84, "I": 0x86}


def seconds(written: str) -> int:
    """Return a time in UTC as FIT counts it."""
    return int(pd.Timestamp(written, tz="UTC").timestamp()) - FIT_EPOCH_S


class FitWriter:
    """Messages of one FIT file, in order."""

    def __init__(self) -> None:
        self.body = b""

    def add(self, number: int, fields: Sequence[Field]) -> FitWriter:
        """Add a message by its global number (FIT profile)."""
        self.body += struct.pack("<BBBHB", 0x40, 0, 0, number, len(fields))
        for field, kind, _ in fields:
            self.body += struct.pack("<BBB", field, struct.calcsize(kind), BASE_TYPES[kind])
        self.body += b"\0" + b"".join(struct.pack(f"<{kind}", raw) for _, kind, raw in fields)
        return self

    def file_id(self, kind: int = 4, serial: int = 7) -> FitWriter:
        """Add maker Garmin, product and serial number."""
        return self.add(0, [(0, "B", kind), (1, "H", 1), (2, "H", 3000), (3, "I", serial)])

    def record(self, at: str, rate: int) -> FitWriter:
        """Add a heart rate of an activity."""
        return self.add(20, [(253, "I", seconds(at)), (3, "B", rate)])

    def local(self, at: str, local: str, number: int = 34, field: int = 5) -> FitWriter:
        """Add a pair of UTC and local time; by default that of an activity."""
        return self.add(number, [(253, "I", seconds(at)), (field, "I", seconds(local))])

    def monitoring_info(self, at: str, local: str) -> FitWriter:
        """Begin all-day monitoring."""
        return self.local(at, local, 103, 0)

    def steps(self, at: str, total: int, activity: int = 6) -> FitWriter:
        """Add a running total of steps; 6 is walking, 1 running."""
        return self.add(55, [(253, "I", seconds(at)), (3, "I", total), (5, "B", activity)])

    def heart(self, at: str, rate: int) -> FitWriter:
        """Add a monitored heart rate with the low 16 bits of its time."""
        return self.add(55, [(26, "H", seconds(at) & 0xFFFF), (27, "B", rate)])

    def bytes(self) -> bytes:
        """Return the file."""
        header = struct.pack("<BBHI4s", 14, 0x20, 2140, len(self.body), b".FIT")
        whole = header + struct.pack("<H", compute_crc(header)) + self.body
        return whole + struct.pack("<H", compute_crc(whole))


@pytest.fixture
def fit() -> Callable[[], FitWriter]:
    """Begins a FIT file."""
    return FitWriter
