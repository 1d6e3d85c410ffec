from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.errors import Problem
from features.biomarkers.minute_parts import join_minutes
from features.biomarkers.reduction import reduce_reading, whole_subject
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


def counted(time: np.ndarray, values: np.ndarray, quantity: Quantity = Quantity.COUNTS) -> Reading:
    signal = Signal(
        subject_label="1",
        quantity=quantity,
        time_N=time,
        values_NC=values.astype(np.float32)[:, None],
        epoch_s=60.0,
        placement="left wrist",
    )
    return Reading(signals=(signal,))


MINUTES = np.datetime64("2024-03-04T10:00", "ns") + np.arange(60) * np.timedelta64(60, "s")


@pytest.mark.parametrize("quantity", [Quantity.COUNTS, Quantity.HEART_RATE, Quantity.TEMPERATURE])
@pytest.mark.parametrize("wrong", ["1970-01-01", "1989-12-31", "2200-01-01", "NaT"])
def test_samples_of_a_clock_without_a_date_are_left_out_and_reported(
    quantity: Quantity, wrong: str
) -> None:
    time = MINUTES.copy()
    time[:5] = np.datetime64(wrong, "ns")
    found = collected(counted(time, np.arange(40, 100), quantity))
    whole = whole_subject(found, "1")
    assert whole.minutes["time"].min() == pd.Timestamp("2024-03-04T10:05")
    assert len(whole.minutes) == 55
    (problem,) = found.dropped
    assert (problem.file, problem.field) == ("x", str(quantity))
    assert "5 sample(s)" in problem.found
    assert "dates_shifted" in problem.advice


def test_shifted_dates_may_lie_in_any_year() -> None:
    found = Collected()
    shifted = MINUTES - np.timedelta64(80 * 365, "D")
    file = replace(FILE, dates_shifted=True)
    reduce_reading(file, counted(shifted, np.arange(60)), found, {})
    assert found.dropped == []
    assert whole_subject(found, "1").minutes["time"].min().year == 1944


def test_a_recording_that_holds_itself_twice_counts_once_and_is_no_change_of_the_clock() -> None:
    once = collected(counted(MINUTES, np.arange(60)))
    twice = collected(counted(np.tile(MINUTES, 2), np.tile(np.arange(60), 2)))
    assert twice.records == []
    assert "follows a second time" in twice.dropped[0].found
    minutes = [whole_subject(found, "1").minutes for found in (once, twice)]
    pd.testing.assert_frame_equal(*minutes)


def test_a_clock_that_was_set_back_loses_only_what_is_repeated() -> None:
    time = np.concatenate([MINUTES, MINUTES[20:30]])
    found = collected(counted(time, np.arange(70)))
    minutes = whole_subject(found, "1").minutes
    assert minutes["counts"].tolist() == [*range(20), *range(60, 70), *range(30, 60)]
    assert [r["code"].iloc[0] for r in found.records] == ["REHABCAST//CLOCK_CHANGE"]


def muscle(minutes: int, seed: int) -> Reading:
    emg = np.random.default_rng(seed).normal(0, 50, minutes * 60 * 500)
    step = np.arange(len(emg), dtype=np.int64) * 2_000_000
    signal = Signal(
        subject_label="1",
        quantity=Quantity.MUSCLE,
        time_N=MINUTES[0] + step.astype("timedelta64[ns]"),
        values_NC=emg.astype(np.float32)[:, None],
        epoch_s=0.002,
    )
    return Reading(signals=(signal,))


def test_of_two_recordings_of_muscle_on_a_day_the_longer_counts_in_any_order() -> None:
    short, long = muscle(1, 0), muscle(2, 1)
    alone, one, other = (
        whole_subject(collected(*readings), "1").days
        for readings in ((long,), (short, long), (long, short))
    )
    pd.testing.assert_frame_equal(one, alone)
    pd.testing.assert_frame_equal(other, alone)


def test_a_days_own_speed_is_that_of_the_device_that_moved_longer() -> None:
    slow, fast = (
        counted(MINUTES[:count], np.full(count, speed), Quantity.SPEED)
        for count, speed in ((40, 0.5), (20, 1.5))
    )
    (signal,) = fast.signals
    fast = Reading(signals=(replace(signal, device="other"),))
    for readings in ((slow, fast), (fast, slow), (slow, fast, slow)):
        days = whole_subject(collected(*readings), "1").days
        assert days["numeric_value"].tolist() == [0.5]
