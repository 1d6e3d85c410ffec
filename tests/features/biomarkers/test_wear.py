from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.biomarkers.epochs import minutes_of
from features.biomarkers.minute_parts import join_minutes
from features.biomarkers.wear import worn, zero_runs
from features.recording import Quantity, Signal

RATE = 10
START = np.datetime64("2024-03-04T00:00:00", "ns")


def signal(values: np.ndarray, quantity: Quantity, epoch_s: float) -> Signal:
    step = np.timedelta64(round(epoch_s * 1e9), "ns")
    return Signal(
        subject_label="x",
        quantity=quantity,
        time_N=START + np.arange(len(values)) * step,
        values_NC=values.astype(np.float32).reshape(len(values), -1),
        epoch_s=epoch_s,
        placement="left wrist",
        device="d",
    )


def moving(hours: float, generator: np.random.Generator) -> np.ndarray:
    noise = generator.normal(0, 0.2, (int(hours * 3600 * RATE), 3))
    return np.array([0, 0, 1]) + noise


def still(hours: float, generator: np.random.Generator) -> np.ndarray:
    return np.array([0, 0, 1]) + generator.normal(0, 0.002, (int(hours * 3600 * RATE), 3))


def test_raw_wear_is_the_truth_and_covers_what_the_library_finds_on_the_samples() -> None:
    skdh = pytest.importorskip("skdh.preprocessing")
    generator = np.random.default_rng(0)
    parts = (moving(3, generator), still(4, generator), moving(5, generator), still(2, generator))
    values = np.concatenate([*parts, moving(2, generator)])
    recording = signal(values, Quantity.ACCELERATION, 1 / RATE)
    flags, rule = worn(join_minutes([minutes_of(recording)]))
    assert rule == "stillness (van Hees 2013)"
    library = skdh.AccelThresholdWearDetection(
        sd_crit=0.013, range_crit=0.050, apply_setup_criteria=False
    ).predict(
        time=recording.time_N.astype(np.int64) / 1e9,
        accel=recording.values_NC.astype(np.float64),
        fs=float(RATE),
    )
    theirs = np.zeros(len(values), dtype=bool)
    for start, end in library["wear"]:
        theirs[start : end + 1] = True
    minutes = theirs.reshape(-1, 60 * RATE).mean(axis=1) > 0.5
    assert flags is not None
    assert np.flatnonzero(~flags).tolist() == [*range(180, 420), *range(720, 840)]
    # The library marks a window's first quarter only, so its non-wear ends 45 minutes too soon.
    assert np.flatnonzero(~minutes).tolist() == [*range(180, 375), *range(720, 795)]


def test_a_warm_device_is_worn_however_still_its_wearer() -> None:
    generator = np.random.default_rng(1)
    lying = signal(still(3, generator), Quantity.ACCELERATION, 1 / RATE)
    for celsius, expected in ((32.0, True), (21.0, False)):
        heat = signal(np.full(180, celsius), Quantity.TEMPERATURE, 60.0)
        flags, rule = worn(join_minutes([minutes_of(lying), minutes_of(heat)]))
        assert flags is not None
        assert flags.all() == expected
        assert flags.any() == expected
        assert "warmth" in rule


def test_pieces_of_a_recording_are_judged_like_the_whole() -> None:
    generator = np.random.default_rng(2)
    values = np.concatenate([moving(2, generator), still(2, generator), moving(1, generator)])
    whole = signal(values, Quantity.ACCELERATION, 1 / RATE)
    cut = 77_777
    pieces = [
        Signal(
            subject_label="x",
            quantity=whole.quantity,
            time_N=whole.time_N[part],
            values_NC=whole.values_NC[part],
            epoch_s=whole.epoch_s,
            placement=whole.placement,
            device=whole.device,
        )
        for part in (slice(0, cut), slice(cut, None))
    ]
    one = join_minutes([minutes_of(whole)])
    other = join_minutes([minutes_of(piece) for piece in pieces])
    # The cut halves one second and one epoch of 5 s, of the 12 in its minute.
    by_epoch = ["turn_deg", "mad_sum"]
    pd.testing.assert_frame_equal(one.drop(columns=by_epoch), other.drop(columns=by_epoch))
    assert (one["mad_sum"] != other["mad_sum"]).sum() <= 1
    np.testing.assert_allclose(one["mad_sum"], other["mad_sum"], rtol=1 / 12)
    np.testing.assert_array_equal(worn(one)[0], worn(other)[0])


def test_counts_wear_follows_choi() -> None:
    counts = np.ones(600)
    counts[100:195] = 0  # 95 minutes of zeros: not worn.
    counts[300:340] = 0  # 40 minutes: a quiet time.
    counts[400:500] = 0
    counts[450:452] = 50  # A spike of two minutes with half an hour of zeros on both sides.
    flags = zero_runs(counts)
    assert np.flatnonzero(flags).tolist() == [*range(100, 195), *range(400, 500)]
    counts[450:453] = 50  # Three minutes are no spike: somebody moved it.
    assert not zero_runs(counts)[400:500].any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.0, 0.0, 5.0, np.nan]), min_size=1, max_size=400))
def test_no_minute_with_more_than_a_spike_of_counts_is_unworn(counts: list[float]) -> None:
    array = np.array(counts)
    flags = zero_runs(array)
    assert not np.isnan(array[flags]).any()
    runs = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    assert all(end - start >= 90 for start, end in zip(runs[::2], runs[1::2], strict=True))


def test_what_the_source_says_comes_first_and_nothing_is_judged_from_nothing() -> None:
    zeros = signal(np.zeros(200), Quantity.COUNTS, 60.0)
    declared = signal(np.ones(200), Quantity.WORN, 60.0)
    flags, rule = worn(join_minutes([minutes_of(zeros), minutes_of(declared)]))
    assert rule == "as the source says"
    assert flags is not None
    assert flags.all()
    pulse = signal(np.full(200, 70.0), Quantity.HEART_RATE, 60.0)
    assert worn(join_minutes([minutes_of(pulse)]))[0] is None
