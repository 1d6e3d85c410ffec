from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from contracts.errors import Problem
from features.biomarkers.minute_parts import join_minutes
from features.importing.collect import reduce_reading
from features.recording import Collected, Quantity, Reading, Signal, SourceFile

FILE = SourceFile(path=Path("x"), name="x", subject_label="1")
RATE = 10


def piece(start: str, minutes: float, level: float, placement: str = "left wrist") -> Reading:
    count = int(minutes * 60 * RATE)
    step = np.arange(count, dtype=np.int64) * (1_000_000_000 // RATE)
    signal = Signal(
        subject_label="1",
        quantity=Quantity.ACCELERATION,
        time_N=np.datetime64(start, "ns") + step.astype("timedelta64[ns]"),
        values_NC=np.full((count, 3), level, dtype=np.float32),
        epoch_s=1 / RATE,
        placement=placement,
    )
    return Reading(signals=(signal,))


def collected(*readings: Reading) -> Collected:
    found = Collected()
    for reading in readings:
        reduce_reading(FILE, reading, found, {})
    return found


def test_a_clock_set_back_from_one_piece_to_the_next_keeps_the_later_minutes() -> None:
    found = collected(piece("2024-03-04T10:00", 120, 1.0), piece("2024-03-04T11:00", 120, 2.0))
    problems: list[Problem] = []
    minutes = join_minutes(found.minutes["1"], problems)
    assert len(minutes) == 180
    assert (minutes["n"] == 60 * RATE).all(), "a repeated minute would have twice the samples"
    assert (minutes["low_x"].to_numpy() == np.repeat([1.0, 2.0], [60, 120])).all()
    (problem,) = problems
    assert problem.message.startswith("60 minute(s) occur twice")


def test_pieces_that_meet_inside_a_minute_lose_nothing() -> None:
    found = collected(piece("2024-03-04T10:00", 10.5, 1.0), piece("2024-03-04T10:10:30", 9.5, 2.0))
    minutes = join_minutes(found.minutes["1"])
    assert minutes["n"].tolist() == [60 * RATE] * 20
    assert found.dropped == []


def test_two_wrists_at_the_same_time_are_two_devices() -> None:
    found = collected(
        piece("2024-03-04T10:00", 5, 1.0), piece("2024-03-04T10:00", 5, 1.0, "right wrist")
    )
    assert len(join_minutes(found.minutes["1"])) == 10
    assert found.dropped == []


def test_a_signal_unfit_for_a_biomarker_is_a_problem_and_the_rest_of_the_file_counts() -> None:
    """One muscle channel sampled too slowly ended the import of everybody."""
    wrist = piece("2024-03-04T10:00", 10, 1.0)
    (acceleration,) = wrist.signals
    slow = replace(
        acceleration,
        quantity=Quantity.MUSCLE,
        values_NC=acceleration.values_NC[:, :1],
        epoch_s=1 / RATE,
    )
    found = collected(Reading(signals=(slow, acceleration)))
    (problem,) = found.dropped
    assert (problem.file, problem.field) == ("x", "muscle")
    assert f"{RATE} Hz" in problem.found
    assert problem.advice
    assert len(join_minutes(found.minutes["1"])) == 10
