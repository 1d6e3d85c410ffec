"""Clock, sleep, heart, muscle, range of motion, gait, intensity, therapy: against known truths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from contracts.errors import ContractError
from features.biomarkers import clock, gait, heart, intensity, muscle, sleep, therapy
from features.biomarkers.epochs import minutes_of
from features.biomarkers.range_of_motion import daily_range
from features.recording import Quantity, Signal

START = np.datetime64("2024-03-04T10:00:00", "ns")


def signal(values: np.ndarray, quantity: Quantity, rate: float, placement: str = "") -> Signal:
    step = np.arange(len(values)) * (1e9 / rate)
    return Signal(
        subject_label="x",
        quantity=quantity,
        time_N=START + step.round().astype("timedelta64[ns]"),
        values_NC=values.astype(np.float32).reshape(len(values), -1),
        epoch_s=1 / rate,
        placement=placement,
    )


def minutes(start: str, count: int) -> np.ndarray:
    return np.datetime64(start, "ns") + np.arange(count) * np.timedelta64(60, "s")


def test_the_clock_tells_daylight_saving_from_gaps_and_resets() -> None:
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
        (jump,) = clock.jumps(time, 60.0)
        assert jump.kind == kind
        assert moved is None or jump.minutes == moved
    (jump,) = clock.jumps(autumn, 60.0)
    assert (jump.kind, jump.minutes) == ("daylight saving", -60)
    kept = time[clock.rows_with_known_date(reset, 60.0)]
    assert len(kept) == 60
    once = back[clock.last_of_repeated_times(back)]
    assert (np.diff(once) == np.timedelta64(60, "s")).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=60))
def test_a_clock_set_back_any_number_of_times_tells_each_time_once(steps: list[int]) -> None:
    time = START + np.array(steps) * np.timedelta64(60, "s")
    kept = time[clock.last_of_repeated_times(time)]
    assert (np.diff(kept) > np.timedelta64(0)).all()
    assert kept[-1] == time[-1]


def test_wall_clock_of_utc_follows_the_zone() -> None:
    utc = np.array(["2003-03-30T00:59", "2003-03-30T01:00"], dtype="datetime64[ns]")
    local = clock.to_wall_clock(utc, "Europe/Oslo").astype("datetime64[m]").astype(str)
    assert local.tolist() == ["2003-03-30T01:59", "2003-03-30T03:00"]


def test_sleep_is_the_longest_quiet_stretch_of_the_night_and_worn() -> None:
    time = minutes("2024-03-04T18:00", 18 * 60)
    hour = (np.arange(len(time)) / 60) + 18
    quiet = ((hour >= 23) & (hour < 31)) | ((hour >= 19) & (hour < 20))
    generator = np.random.default_rng(0)
    counts = np.where(quiet, 0, generator.integers(600, 3000, len(time))).astype(float)
    table = pd.DataFrame(
        {
            "time": time,
            "counts": counts,
            "is_worn": True,
            "placement": "left wrist",
            "device": "ActiGraph 1",
        }
    )
    flags = sleep.asleep(table)
    assert flags is not None
    assert flags.sum() / 60 == pytest.approx(8, abs=0.2)
    assert not flags[hour < 20].any()  # An hour on the sofa is no night.
    off = sleep.asleep(table.assign(is_worn=hour < 26))
    assert off is not None
    assert off.sum() / 60 == pytest.approx(3, abs=0.2)
    turned = table.assign(turn_deg=np.where(quiet, 1.0, 40.0))
    by_angle = sleep.asleep(turned)
    assert by_angle is not None
    assert by_angle.sum() / 60 == pytest.approx(8, abs=0.2)
    assert sleep.asleep(table.assign(placement="hip")) is None
    by_maker = sleep.asleep(table.assign(device="Actiwatch 1"))
    assert by_maker is not None
    assert by_maker.sum() / 60 == pytest.approx(8, abs=0.2)


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
    from pathlib import Path

    place = Path(str(shared)) / "welltory_covid_hrv" / "data" / "hrv_measurements.csv.gz"
    table = pd.read_csv(place).head(400)
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


def test_muscle_measures_on_signals_of_known_content() -> None:
    rate, seconds = 1000.0, 60
    t = np.arange(int(rate * seconds)) / rate
    generator = np.random.default_rng(0)
    sine = 100 * np.sin(2 * np.pi * 90 * t)
    np.testing.assert_allclose(muscle.median_frequency(sine, rate), 90, atol=1)
    # A rectified sine has the mean 2 / pi of its height.
    assert muscle.envelope(sine, rate)[5000:-5000].mean() == pytest.approx(200 / np.pi, rel=0.02)
    assert muscle.fatigue_slope(90 - 6 * np.arange(60) / 60) == pytest.approx(-6)
    burst = np.where(np.arange(len(t)) // 1000 % 2 == 0, 1.0, 0.0)
    noise = generator.normal(0, 100, len(t))
    one, other = muscle.envelope(noise * burst, rate), muscle.envelope(noise * (1 - burst), rate)
    assert muscle.co_contraction(one, one) == pytest.approx(1)
    assert muscle.co_contraction(one, other) < 0.25
    day = muscle.daily_muscle(signal(np.stack([sine, sine], axis=1), Quantity.MUSCLE, rate))
    assert set(day["code"]) == {
        muscle.ACTIVITY, muscle.MEDIAN, muscle.FATIGUE, muscle.CO_CONTRACTION,
    }  # fmt: skip
    with pytest.raises(ValueError, match="200 Hz or more"):
        muscle.daily_muscle(signal(sine, Quantity.MUSCLE, 50.0))


def inertial(angles_deg: np.ndarray, rate: float, placement: str) -> tuple[Signal, Signal]:
    """What a unit measures that turns about its x axis by the given angles."""
    turned = Rotation.from_euler("x", angles_deg[:, None], degrees=True)
    pull = turned.inv().apply([0.0, 0.0, 1.0])
    spin = np.zeros_like(pull)
    spin[:, 0] = np.gradient(angles_deg) * rate
    return (
        signal(pull, Quantity.ACCELERATION, rate, placement),
        signal(spin, Quantity.ROTATION, rate, placement),
    )


def test_a_known_rotation_is_found_by_paired_units() -> None:
    rate, seconds = 100.0, 40
    t = np.arange(int(rate * seconds)) / rate
    bend = np.where(t < 5, 0, 45 * (1 - np.cos(2 * np.pi * 0.2 * (t - 5))))
    near = inertial(np.zeros_like(t), rate, "upper arm")
    far = inertial(bend, rate, "forearm")
    found = daily_range(near, far).set_index("code")["numeric_value"]
    assert found["REHABCAST//JOINT_PEAK"] == pytest.approx(90, abs=2)
    low, high = np.percentile(bend, [5, 95])
    assert found["REHABCAST//JOINT_RANGE"] == pytest.approx(high - low, abs=3)
    # Both units turning alike is no joint movement.
    together = daily_range(inertial(bend, rate, "a"), inertial(bend, rate, "b"))
    assert together["numeric_value"].max() < 2
    with pytest.raises(ValueError, match="sampled together"):
        daily_range(near, inertial(bend[:-5], rate, "c"))


def walk(step_hz: float, seconds: int, rate: float = 100.0) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    beat = 2 * np.pi * step_hz * t
    generator = np.random.default_rng(0)
    vertical = 0.98 + 0.25 * np.sin(beat) + 0.12 * np.sin(2 * beat + 0.6)
    sideways = 0.1 * np.sin(beat / 2)
    forward = 0.15 * np.sin(beat + 0.9) + 0.05 * np.sin(2 * beat)
    return np.stack([vertical, sideways, forward], axis=1) + generator.normal(0, 0.02, (len(t), 3))


def test_gait_of_a_metronome_walk() -> None:
    pytest.importorskip("skdh")
    rest = np.array([1.0, 0, 0]) + np.random.default_rng(1).normal(0, 0.005, (6000, 3))
    values = np.concatenate([rest, walk(1.9, 180), rest])
    strides = gait.strides_of(
        signal(values, Quantity.ACCELERATION, 100.0, "lower back"), height_m=1.7
    )
    found = gait.daily_gait(strides).set_index("code")["numeric_value"]
    assert found[gait.STEPS] == pytest.approx(1.9 * 180, rel=0.03)
    assert found["REHABCAST//CADENCE"] == pytest.approx(60 * 1.9, rel=0.03)
    assert found["REHABCAST//WALKING_BOUTS"] == 1
    assert found["REHABCAST//WALKING_TIME"] == pytest.approx(3, abs=0.2)
    assert found["REHABCAST//STRIDE_TIME_VARIABILITY"] < 3
    assert found["REHABCAST//STEP_ASYMMETRY"] < 3
    assert 0.5 < found["REHABCAST//GAIT_SPEED"] < 2.5
    nobody = gait.strides_of(signal(rest, Quantity.ACCELERATION, 100.0, "lower back"))
    assert gait.daily_gait(nobody).empty


def test_a_day_in_two_pieces_has_the_gait_of_both() -> None:
    pytest.importorskip("skdh")
    rest = np.array([1.0, 0, 0]) + np.random.default_rng(1).normal(0, 0.005, (6000, 3))
    walks = [np.concatenate([rest, walk(hz, 120), rest]) for hz in (1.7, 2.1)]
    morning, evening = (signal(w, Quantity.ACCELERATION, 100.0, "lower back") for w in walks)
    evening = replace(evening, time_N=evening.time_N + np.timedelta64(6, "h"))
    strides = pd.concat([gait.strides_of(morning), gait.strides_of(evening)], ignore_index=True)
    found = gait.daily_gait(strides).set_index("code")["numeric_value"]
    assert found[gait.STEPS] == pytest.approx(120 * (1.7 + 2.1), rel=0.03)
    assert found["REHABCAST//WALKING_BOUTS"] == 2
    assert found["REHABCAST//WALKING_TIME"] == pytest.approx(4, abs=0.3)


def test_amplitude_deviation_is_the_librarys_and_an_offset_leaves_it_alone() -> None:
    metrics = pytest.importorskip("skdh.activity")
    moved = np.random.default_rng(0).normal((0.1, 0.2, 0.9), 0.2, (6000, 3)).astype(np.float32)
    magnitude_N = intensity.magnitude(moved)
    start_E = np.arange(0, 6000, 500)
    ours_E = intensity.amplitude_deviation(magnitude_N, start_E).reshape(12, 500).mean(axis=1)
    np.testing.assert_allclose(ours_E, metrics.metric_mad(moved.astype(float), wlen=500), rtol=1e-6)
    shifted = intensity.amplitude_deviation(magnitude_N + 0.05, start_E)
    np.testing.assert_allclose(shifted.reshape(12, 500).mean(axis=1), ours_E, rtol=1e-9)


def test_the_minutes_hold_the_mean_amplitude_deviation() -> None:
    raw = np.zeros((12_000, 3))
    raw[:, 2] = 1 + 0.3 * np.sin(2 * np.pi * np.arange(12_000) / 100)
    minutes = minutes_of(signal(raw, Quantity.ACCELERATION, 100.0))
    # The mean of a rectified sine is 2 / pi of its height.
    np.testing.assert_allclose(minutes["mad_sum"] / minutes["n"], 0.3 * 2 / np.pi, rtol=0.01)


def test_enmo_and_counts() -> None:
    still = np.tile(np.array([0, 0, 1], dtype=np.float32), (18000, 1))
    assert intensity.enmo(intensity.magnitude(still)).max() == pytest.approx(0)
    assert intensity.enmo(intensity.magnitude(2 * still)).mean() == pytest.approx(1)
    swing = still.copy()
    swing[:, 2] += 0.3 * np.sin(2 * np.pi * np.arange(18000) / 30)  # 1 Hz at 30 Hz.
    # Half of a sine of 0.3 g lies above gravity; its mean is 0.3 / pi.
    assert intensity.enmo(intensity.magnitude(swing)).mean() == pytest.approx(0.3 / np.pi, rel=0.02)
    pytest.importorskip("agcounts")
    assert not intensity.actigraph_counts(still, 30).any()
    counts = intensity.actigraph_counts(swing, 30)
    assert counts.shape == (10, 3)
    assert counts[:, 2].min() > 1000
    with pytest.raises(ContractError, match="not defined at 37 Hz"):
        intensity.actigraph_counts(swing, 37)


def test_adherence_is_the_share_of_the_plan_in_the_week_before() -> None:
    days = pd.date_range("2024-03-04", periods=10)
    received = pd.Series(30.0, index=days).drop(days[3])
    share = therapy.adherence(received, 210.0)
    assert share.index[0] == days[6]
    assert share.iloc[0] == pytest.approx(6 * 30 / 210)
    with pytest.raises(ValueError, match="is none"):
        therapy.adherence(received, 0)
