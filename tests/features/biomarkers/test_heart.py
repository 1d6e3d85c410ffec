from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.biomarkers import heart
from features.recording import Quantity, Signal

START = np.datetime64("2024-03-04T10:00:00", "ns")


def test_variability_has_its_closed_form_and_forgets_ectopic_beats() -> None:
    even = np.tile([800.0, 840.0], 60)
    found = heart.variability(even)
    assert found[heart.RMSSD] == pytest.approx(40)
    assert found[heart.SDNN] == pytest.approx(20 * np.sqrt(120 / 119))
    ectopic = even.copy()
    ectopic[50] = 400
    assert heart.variability(ectopic)[heart.RMSSD] == pytest.approx(40, abs=1)
    assert heart.variability(even[:10]) == {}
    assert heart.variability(np.full(100, 50.0)) == {}


def test_recomputed_variability_agrees_with_that_of_another_maker(shared: object) -> None:

    file = Path(str(shared)) / "welltory_covid_hrv" / "data" / "hrv_measurements.csv.gz"
    table = pd.read_csv(file).head(400)
    ours = [
        heart.variability(np.array(text.split(","), dtype=float)).get(heart.RMSSD)
        for text in table["rr_data"]
    ]
    both = pd.DataFrame({"ours": ours, "theirs": table["rmssd"]}).dropna().astype(float)
    # They clean beats by rules of their own; where there is nothing to clean, all digits agree.
    assert len(both) > 350
    assert both.corr(method="spearman").iloc[0, 1] > 0.8
    assert ((both["ours"] / both["theirs"] - 1).abs()).median() < 0.001


def test_heart_rate_reserve_and_recovery() -> None:
    assert heart.reserve_used(60, 60, 50) == 0
    assert heart.reserve_used(208 - 35, 60, 50) == pytest.approx(1)
    time = START + np.arange(200) * np.timedelta64(1, "s")
    rate = np.where(np.arange(200) < 100, 150.0, 150.0 - 0.4 * (np.arange(200) - 99))
    assert heart.recovery(time, rate) == pytest.approx(rate.max() - rate[60])
    assert heart.recovery(time[:30], rate[:30]) is None


def beats(low: int, high: int) -> pd.DataFrame:
    """Return a part of an hour of beats with a pause of a minute after half of it."""
    interval = np.random.default_rng(0).normal(850, 20, 4000)
    interval[2000] += 60_000
    time = START + (np.cumsum(interval) * 1e6).astype("timedelta64[ns]")
    interval[2000] -= 60_000
    return heart.samples_of(of(Quantity.BEAT_INTERVAL, time[low:high], interval[low:high], 1.0))


def of(quantity: Quantity, time: np.ndarray, values: np.ndarray, epoch_s: float) -> Signal:
    return Signal(
        subject_label="1",
        quantity=quantity,
        time_N=time,
        values_NC=values.astype(np.float32)[:, None],
        epoch_s=epoch_s,
        placement="chest",
        device="d",
    )


def rates(low: int, high: int) -> pd.DataFrame:
    """Return a part of a session of 20 min with its peak after 10."""
    second = np.arange(1200)
    rate = np.where(second < 600, 90 + second / 10, 150 - (second - 600) / 8).clip(60)
    time = START + second * np.timedelta64(1_000_000_000, "ns")
    return heart.samples_of(of(Quantity.HEART_RATE, time[low:high], rate[low:high], 1.0))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(beats, 4000), (rates, 1200)]),
    st.lists(st.integers(1, 1199), max_size=3),
    st.integers(0, 1000),
    st.randoms(use_true_random=False),
)
def test_beats_and_sessions_of_several_files_are_those_of_the_whole(
    recording: tuple[Callable[[int, int], pd.DataFrame], int],
    cuts: list[int],
    begin: int,
    random: Random,
) -> None:
    part, length = recording
    bounds = [0, *sorted(cuts), length]
    tables = [part(low, high) for low, high in pairwise(bounds) if high > low]
    tables += [part(begin, length), part(0, begin + 1)]
    random.shuffle(tables)
    pd.testing.assert_frame_equal(heart.daily_values(tables), heart.daily_values([part(0, length)]))


def test_a_rate_of_a_whole_day_in_hourly_files_is_no_session() -> None:
    time = START + np.arange(0, 8 * 3600, 5) * np.timedelta64(1_000_000_000, "ns")
    hours = [
        heart.samples_of(of(Quantity.HEART_RATE, part, np.full(len(part), 80.0), 5.0))
        for part in np.split(time, 8)
    ]
    assert heart.daily_values(hours).empty
    assert len(heart.daily_values(hours[:2])) == 2
    monitored = of(Quantity.HEART_RATE, time[::12], np.full(480, 80.0), 60.0)
    assert heart.samples_of(monitored).empty
