from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import SourceUnreadable
from features.biomarkers.plausible_samples import PLAUSIBLE_RANGES
from features.biomarkers.reduction import reduce_reading, whole_subject
from features.recording import Collected, Quantity, Reading, Signal, SourceFile

FILE = SourceFile(path=Path("x"), name="x.csv", subject_label="p1")
START = np.datetime64("2024-03-04T10:00", "ns")


def signal(
    quantity: Quantity, values: list[float], epoch_s: float = 60.0, start: str = "2024-03-04T10:00"
) -> Signal:
    step = (np.arange(len(values)) * epoch_s * 1e9).astype("timedelta64[ns]")
    return Signal(
        subject_label="p1",
        quantity=quantity,
        time_N=np.datetime64(start, "ns") + step,
        values_NC=np.array(values, dtype=np.float32)[:, None],
        epoch_s=epoch_s,
        placement="left wrist",
    )


def reduced(*signals: Signal, file: SourceFile = FILE) -> Collected:
    found = Collected()
    reduce_reading(file, Reading(signals=signals), found, {})
    return found


def test_impossible_heart_rates_are_counted_and_named_by_reason() -> None:
    found = reduced(signal(Quantity.HEART_RATE, [60, 0, 300, 999, 80, 0]))
    zero, outside = found.dropped
    assert (zero.file, zero.field, zero.count) == ("x.csv", "heart rate", 2)
    assert zero.places == ("2024-03-04 10:01:00", "2024-03-04 10:05:00")
    assert "stands for no measurement" in zero.found
    assert outside.count == 2
    assert "300, 999 where 25 to 220 /min is possible" in outside.found
    assert outside.reason != zero.reason
    minutes = whole_subject(found, "p1").minutes
    assert minutes["heart_rate"].dropna().tolist() == [60, 80]


@given(
    quantity=st.sampled_from([*PLAUSIBLE_RANGES, Quantity.STEPS]),
    values=st.lists(st.floats(-10, 5000, width=32), min_size=1, max_size=30),
    epoch_s=st.sampled_from([1.0, 60.0]),
)
@settings(deadline=None)
def test_no_value_is_left_out_without_being_counted(
    quantity: Quantity, values: list[float], epoch_s: float
) -> None:
    low, high = PLAUSIBLE_RANGES.get(quantity, (0.0, 10 * epoch_s))
    found = reduced(signal(quantity, values, epoch_s))
    impossible = sum(not low <= np.float32(value) <= high for value in values)
    assert sum(problem.count for problem in found.dropped) == impossible
    assert all(problem.advice for problem in found.dropped)


def test_an_impossible_beat_is_named_and_stays_between_its_neighbours() -> None:
    beats = [800.0] * 20 + [5000.0] + [900.0] * 20
    found = reduced(signal(Quantity.BEAT_INTERVAL, beats, 1.0))
    (problem,) = found.dropped
    assert problem.count == 1
    assert "5000 where 300 to 2000 ms is possible" in problem.found
    days = whole_subject(found, "p1").days.set_index("code")["numeric_value"]
    assert days["REHABCAST//RMSSD"] == 0, "800 and 900 were no neighbours"


@pytest.mark.parametrize("epoch_s", [120.0, 300.0])
def test_long_epochs_fill_the_minutes_that_they_last(epoch_s: float) -> None:
    """Wear and sleep count minutes: of two hours in epochs of five 24 minutes were left."""
    count = int(7200 / epoch_s)
    found = reduced(signal(Quantity.COUNTS, [300.0] * count, epoch_s))
    minutes = whole_subject(found, "p1").minutes
    assert len(minutes) == 120
    assert minutes["counts"].sum() == pytest.approx(300 * count)
    assert np.diff(minutes["time"]).max() == np.timedelta64(60, "s")


@pytest.mark.parametrize("epoch_s", [90.0, 600.0, 3600.0, 86_400.0])
def test_epochs_that_show_neither_wear_nor_sleep_are_refused(epoch_s: float) -> None:
    with pytest.raises(SourceUnreadable, match=f"epochs of {epoch_s:g} s"):
        reduced(signal(Quantity.COUNTS, [300.0] * 3, epoch_s))
