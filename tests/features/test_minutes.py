from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import SUBJECT, TIME, WEAR_TIME
from features.importing.assemble import unaffected_arm_use, wear_by_minute
from features.measurements.wall_clock import NIGHT_FROM_HOUR, nights
from features.minutes import days_of, minute_files, write_minutes


def made_up(subject: int, days: int) -> pd.DataFrame:
    generator = np.random.default_rng(subject)
    count = days * 1440
    frame = pd.DataFrame(
        {
            SUBJECT: subject,
            TIME: pd.date_range("2024-03-04", periods=count, freq="min"),
            "placement": "left wrist",
            "device": "d",
            "main": True,
            "worn": generator.random(count) < 0.8,
            "asleep": generator.random(count) < 0.3,
            "enmo_mg": generator.gamma(2, 40, count).astype("float32"),
            "mad_mg": generator.gamma(2, 30, count).astype("float32"),
            "counts": generator.gamma(2, 400, count).astype("float32"),
            "steps": generator.poisson(3, count).astype("float32"),
            "heart_rate": generator.normal(80, 10, count).astype("float32"),
            "use_s": generator.uniform(0, 60, count).astype("float32"),
            "standing": 0.25,
            "sitting": 0.5,
            "lying": 0.25,
            "rises": 1.0,
        }
    )
    other = frame.assign(placement="right wrist", main=False, use_s=30.0)
    other = other.assign(heart_rate=np.nan, steps=np.nan, worn=generator.random(count) < 0.8)
    # One device a subject has a posture, as `posture.of_one_device` leaves it.
    other = other.assign(standing=np.nan, sitting=np.nan, lying=np.nan, rises=np.nan)
    both = pd.concat([frame, other], ignore_index=True)
    both["speaks_for_wear"] = wear_by_minute(both)
    both["other_use_s"] = unaffected_arm_use(both, "left wrist")
    return both


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("minutes")
    for subject in (3, 11, 20):
        write_minutes(made_up(subject, 4), folder)
    return folder


def wide(folder: Path) -> pd.DataFrame:
    table = days_of(minute_files(folder)).to_pandas()
    return table.pivot(index=[SUBJECT, TIME], columns="code", values="numeric_value")


def test_the_query_says_what_pandas_says(folder: Path) -> None:
    found = wide(folder)
    for subject in (3, 11, 20):
        minutes = made_up(subject, 4)
        day = minutes[TIME].dt.normalize()
        main = minutes[minutes["main"] & minutes["worn"]]
        by_day = main.groupby(day)
        truth = {
            "REHABCAST//ACTIVITY": by_day["enmo_mg"].mean(),
            "REHABCAST//AMPLITUDE_DEVIATION": by_day["mad_mg"].mean(),
            "REHABCAST//ACTIVITY_COUNTS": by_day["counts"].mean(),
            "REHABCAST//ACTIVE_TIME": by_day["enmo_mg"].apply(lambda v: (v >= 100).sum()),
            "LOINC//41950-7": by_day["steps"].sum(),
            "REHABCAST//HEART_RATE": by_day["heart_rate"].mean(),
            "LOINC//40443-4": by_day["heart_rate"].quantile(0.05),
            "REHABCAST//UPRIGHT_SHARE": by_day["standing"].mean(),
            "REHABCAST//LYING_TIME": by_day["lying"].sum() / 60,
            "REHABCAST//SIT_TO_STAND": by_day["rises"].sum(),
        }
        for code, values in truth.items():
            np.testing.assert_allclose(
                found.loc[subject, code].dropna(), values.astype(float), rtol=1e-4, err_msg=code
            )
        somewhere = minutes.groupby([day, TIME])["worn"].any().groupby(level=0).sum() / 60
        np.testing.assert_allclose(found.loc[subject, WEAR_TIME].dropna(), somewhere, rtol=1e-6)
        both = minutes[minutes["worn"]].pivot_table(index=TIME, columns="placement", values="use_s")
        both = both.dropna().groupby(both.dropna().index.normalize()).sum()
        np.testing.assert_allclose(
            found.loc[subject, "REHABCAST//ARM_USE_RATIO"].dropna(),
            both["left wrist"] / both["right wrist"],
            rtol=1e-4,
        )
        asleep = minutes[minutes["main"] & minutes["asleep"]]
        window = (asleep[TIME] - pd.Timedelta(hours=12)).dt.normalize()
        slept = asleep[TIME].groupby(window).agg(["min", "max", "size"])
        waking = nights(slept["min"], slept["max"])
        np.testing.assert_allclose(
            found.loc[subject, "REHABCAST//SLEEP"].dropna(),
            slept["size"].groupby(waking).sum() / 60,
            rtol=1e-6,
        )


def test_threads_and_batches_do_not_change_a_byte(folder: Path) -> None:
    files = minute_files(folder)
    whole = days_of(files, threads=2)
    assert days_of(files, threads=1).equals(whole)
    parts = pd.concat([days_of([file]).to_pandas() for file in files], ignore_index=True)
    pd.testing.assert_frame_equal(parts, whole.to_pandas(), check_exact=True)


def test_a_quantity_that_was_not_measured_has_no_value(tmp_path: Path) -> None:
    bare = made_up(1, 2)[
        [SUBJECT, TIME, "placement", "device", "main", "worn", "speaks_for_wear", "counts"]
    ]
    write_minutes(bare[bare["placement"] == "left wrist"], tmp_path)
    assert set(wide(tmp_path).columns) == {WEAR_TIME, "REHABCAST//ACTIVITY_COUNTS"}
    unjudged = bare[bare["placement"] == "left wrist"].assign(worn=None, speaks_for_wear=None)
    write_minutes(unjudged, tmp_path)
    assert set(wide(tmp_path).columns) == {"REHABCAST//ACTIVITY_COUNTS"}


def device(name: str, start: str, count: int, **values: object) -> pd.DataFrame:
    """Return the minutes of one device on a wrist."""
    minutes = {
        SUBJECT: 1,
        TIME: pd.date_range(start, periods=count, freq="min"),
        "placement": "wrist",
        "device": name,
        "main": True,
        "worn": True,
        "speaks_for_wear": True,
    }
    return pd.DataFrame({**minutes, **values})


def on_days(folder: Path, *tables: pd.DataFrame) -> pd.DataFrame:
    write_minutes(pd.concat(tables, ignore_index=True), folder)
    table = days_of(minute_files(folder)).to_pandas()
    return table.assign(day=table[TIME].dt.strftime("%Y-%m-%d")).set_index(["day", "code"])[
        "numeric_value"
    ]


STEPS, HEART, RESTING = "LOINC//41950-7", "REHABCAST//HEART_RATE", "LOINC//40443-4"


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_the_device_that_measured_more_of_a_day_counts_and_not_the_loudest(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    long, short = names
    found = on_days(
        tmp_path,
        device(long, "2024-03-04T08:00", 600, steps=5.0, heart_rate=70.0),
        device(short, "2024-03-04T08:00", 300, steps=50.0, heart_rate=50.0),
    )
    assert found["2024-03-04", STEPS] == 3000
    assert found["2024-03-04", HEART] == 70
    assert found["2024-03-04", RESTING] == 70


def test_between_devices_that_measured_equally_much_the_larger_amount_counts(
    tmp_path: Path,
) -> None:
    found = on_days(
        tmp_path,
        device("a", "2024-03-04T08:00", 300, steps=5.0, heart_rate=70.0),
        device("b", "2024-03-04T08:00", 300, steps=6.0, heart_rate=90.0),
    )
    assert found["2024-03-04", STEPS] == 1800
    # A mean has no larger one: the first by name.
    assert found["2024-03-04", HEART] == 70


def test_each_quantity_has_its_own_device_and_worn_minutes_decide(tmp_path: Path) -> None:
    taken_off = device("a", "2024-03-04T08:00", 900, steps=5.0)
    taken_off.loc[200:, "worn"] = False
    found = on_days(
        tmp_path, taken_off, device("b", "2024-03-04T08:00", 300, steps=2.0, heart_rate=60.0)
    )
    assert found["2024-03-04", STEPS] == 600
    assert found["2024-03-04", HEART] == 60


@settings(max_examples=15, deadline=None)
@given(st.integers(-30_000, 20_000))
def test_shifting_a_recording_by_days_shifts_its_days(days: int) -> None:
    generator = np.random.default_rng(0)
    minutes = device(
        "d", "2024-03-04T09:00", 3000, steps=generator.poisson(3, 3000).astype(float),
        heart_rate=70.0, asleep=generator.random(3000) < 0.3,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        before = on_days(Path(folder) / "a", minutes)
        shift = pd.Timedelta(days=days)
        after = on_days(Path(folder) / "b", minutes.assign(**{TIME: minutes[TIME] + shift}))
    moved = [((pd.Timestamp(day) + shift).strftime("%Y-%m-%d"), code) for day, code in before.index]
    assert list(after.index) == moved
    assert after.tolist() == before.tolist()


@pytest.mark.parametrize(
    ("begin", "count", "day"),
    [
        ("2024-03-04T13:00", 150, "2024-03-04"),  # A nap of the afternoon.
        ("2024-03-04T18:00", 150, "2024-03-05"),  # An evening belongs to the night.
        ("2024-03-04T17:00", 800, "2024-03-05"),  # Asleep from before the evening to the morning.
        ("2024-03-04T23:00", 400, "2024-03-05"),
        ("2024-03-05T01:00", 400, "2024-03-05"),
        ("1950-03-04T23:00", 400, "1950-03-05"),
        ("1950-03-04T13:00", 150, "1950-03-04"),
    ],
)
def test_sleep_counts_for_the_day_of_waking(
    tmp_path: Path, begin: str, count: int, day: str
) -> None:
    found = on_days(tmp_path, device("d", begin, count, asleep=True))
    slept = found.xs("REHABCAST//SLEEP", level="code")
    assert slept.index.tolist() == [day]
    assert slept.iloc[0] == pytest.approx(count / 60)
    start = pd.Series([pd.Timestamp(begin)])
    end = start + pd.Timedelta(minutes=count)
    assert NIGHT_FROM_HOUR % 6 == 0, "the query knows quarters of a day"
    assert nights(start, end).dt.strftime("%Y-%m-%d").tolist() == [day]
