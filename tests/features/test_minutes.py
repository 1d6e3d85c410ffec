from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import SUBJECT, TIME, WEAR_TIME
from features.importing.assemble import unaffected_arm_use, wear_by_minute
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
    # One device a subject has a posture, as `posture.by_one_device` leaves it.
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
        waking = (asleep[TIME] + pd.Timedelta(hours=12)).dt.normalize()
        np.testing.assert_allclose(
            found.loc[subject, "REHABCAST//SLEEP"], asleep.groupby(waking).size() / 60, rtol=1e-6
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
