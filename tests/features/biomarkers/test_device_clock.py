from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.biomarkers import device_clock

START = np.datetime64("2024-03-04T10:00:00", "ns")


def test_daylight_saving_gaps_and_resets_of_a_clock_are_distinguished(
    minutes: Callable[[str, int], np.ndarray],
) -> None:
    spring = np.concatenate([minutes("2003-03-30T01:00", 60), minutes("2003-03-30T03:00", 60)])
    autumn = np.concatenate([minutes("2003-10-26T01:00", 120), minutes("2003-10-26T02:00", 60)])
    gap = np.concatenate([minutes("2003-03-29T10:00", 60), minutes("2003-03-29T12:00", 60)])
    back = np.concatenate([minutes("2003-03-29T10:00", 60), minutes("2003-03-29T10:20", 60)])
    reset = np.concatenate([minutes("2003-03-29T10:00", 60), minutes("1990-01-01T00:00", 10)])
    kinds = {
        "daylight saving": (spring, 60),
        "gap": (gap, 60),
        "set back": (back, -40),
        "date lost": (reset, None),
    }
    for kind, (time, moved) in kinds.items():
        (jump,) = device_clock.jumps(time, 60.0)
        assert jump.kind == kind
        assert moved is None or jump.minutes == moved
    (jump,) = device_clock.jumps(autumn, 60.0)
    assert (jump.kind, jump.minutes) == ("daylight saving", -60)
    kept = time[device_clock.rows_with_known_date(reset, device_clock.jumps(reset, 60.0))]
    assert len(kept) == 60
    once = np.sort(back[device_clock.last_of_repeated_times(back)])
    assert (np.diff(once) == np.timedelta64(60, "s")).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_a_clock_set_back_any_number_of_times_gives_each_time_once(steps: list[int]) -> None:
    time = START + np.array(steps) * np.timedelta64(60, "s")
    rows = np.flatnonzero(device_clock.last_of_repeated_times(time))
    kept = time[rows]
    assert len(np.unique(kept)) == len(kept)
    assert kept[-1] == time[-1]
    # What is left out lies inside a later stretch: nothing is lost that does not occur again.
    assert kept.min() == time.min()
    assert kept.max() == time.max()


def test_a_recording_that_follows_a_second_time_is_no_clock_that_was_set_back(
    minutes: Callable[[str, int], np.ndarray],
) -> None:
    once = minutes("2003-03-29T10:00", 60)
    values = np.arange(60, dtype=np.float32)[:, None]
    twice = np.concatenate([once, once[:40]])
    (jump,) = device_clock.jumps(twice, 60.0, np.concatenate([values, values[:40]]))
    assert jump.kind == "recorded twice"
    (jump,) = device_clock.jumps(twice, 60.0, np.concatenate([values, 100 + values[:40]]))
    assert jump.kind == "set back"
    assert sorted(twice[device_clock.last_of_repeated_times(twice)]) == list(once)
