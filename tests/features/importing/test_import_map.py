"""What an import map declares, and what becomes of it in a cohort."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, ONSET, SUBJECT, TIME, WEAR_TIME
from contracts.errors import CohortInvalid, ContractError
from features.importing import Imported, import_source
from features.importing.import_map import read_import_map

STEPS = "LOINC//41950-7"


def active(minutes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(200, 900, minutes)


def test_folders_name_subjects_and_a_map_adds_what_files_do_not_say(
    tmp_path: Path, awd: Callable[..., None]
) -> None:
    source = tmp_path / "source"
    for arm in ("left", "right"):
        counts = active(2 * 1440)
        counts[1440:] = counts[1440:] // (4 if arm == "left" else 1)
        awd(source / "anna" / f"{arm}.AWD", "", counts)
    awd(source / "bo" / "wrist.AWD", "", active(1440, seed=1))
    (source / "people.csv").write_text(
        "subject,onset,enrolment,age,sex,affected_arm\n"
        "anna,2024-02-20,2024-03-04,70,female,left\nbo,2024-03-04,,55,male,\n"
    )
    plan = source / "plan.toml"
    plan.write_text(
        'name = "clinic"\npeople = "people.csv"\n'
        '[placement]\n"*/left.AWD" = "left wrist"\n"*/right.AWD" = "right wrist"\n'
    )
    done = import_source(source, tmp_path / "cohort", map_file=plan)
    events = done.cohort.events
    assert done.cohort.provenance.name == "clinic"
    anna = events[events[SUBJECT] == 1]
    assert anna.loc[anna[CODE] == ONSET, TIME].item() == pd.Timestamp("2024-02-20")
    ratio = anna.loc[anna[CODE] == "REHABCAST//ARM_USE_RATIO", NUMBER].tolist()
    # Counts per minute of 120 or more are use; a quarter of 200 to 900 is so in about 6 of 10.
    assert ratio[0] == 1
    assert 0.5 < ratio[1] < 0.75
    assert set(events.loc[events[CODE] == "REHABCAST//AGE", NUMBER]) == {70, 55}
    rules = {rule.rule: rule.rows for rule in done.cohort.provenance.rules}
    assert rules["no enrolment in the source: the first recorded day stands for it"] == 1


def test_muscle_and_inertial_tables_need_declared_columns_rates_and_units(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]], import_map: Callable[[str], Path]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    t = np.arange(20_000) / 1000
    emg = pd.DataFrame({"biceps": np.sin(2 * np.pi * 90 * t), "triceps": np.sin(180 * np.pi * t)})
    emg["biceps"] = emg["biceps"].astype(object)
    emg.loc[7, "biceps"] = "broken"
    emg.to_csv(source / "emg_1.csv", index=False)
    text = (
        '[[signals]]\nfiles = "emg_*.csv"\nquantity = "muscle"\ncolumns = ["biceps", "triceps"]\n'
        'unit = "mV"\nrate_hz = 1000\nstart = "2024-03-04T10:00:00"\n'
    )
    done = import_source(source, tmp_path / "cohort", map_file=import_map(text))
    assert daily(done, "REHABCAST//MUSCLE_MEDIAN_FREQUENCY") == [pytest.approx(90, abs=0.5)]
    assert [(p.row, p.field) for p in done.dropped] == [(9, "biceps")]
    for broken, words in (
        (text.replace('"mV"', '"furlong"'), "use one of uV, mV, V"),
        (text.replace('start = "2024-03-04T10:00:00"', ""), "so that days are known"),
        (text.replace("1000", "0"), "greater than 0"),
        ('time_zone = "Middle/Earth"', "not an IANA time zone"),
        ('nonsense = "yes"', "not a map for recordings"),
    ):
        with pytest.raises(ContractError, match=words):
            read_import_map(import_map(broken))
    wrong = text.replace('"biceps", "triceps"', '"biceps", "deltoid"')
    with pytest.raises(CohortInvalid, match="no column deltoid; found: biceps, triceps"):
        import_source(source, tmp_path / "other", map_file=import_map(wrong))


def test_actigraph_counts_of_raw_data_are_made_when_asked(
    samples: Path,
    tmp_path: Path,
    daily: Callable[[Imported, str], list[float]],
    import_map: Callable[[str], Path],
) -> None:
    pytest.importorskip("agcounts")
    plan = import_map("actigraph_counts = true\n")
    file = samples / "ggirread" / "ax3_testfile.cwa"
    done = import_source(file, tmp_path / "cohort", map_file=plan)
    (counts,) = daily(done, "REHABCAST//ACTIVITY_COUNTS")
    assert counts > 1000
    plain = import_source(file, tmp_path / "plain")
    assert daily(plain, "REHABCAST//ACTIVITY_COUNTS") == []


def test_two_recordings_of_a_day_at_the_lower_back_make_one_day_of_gait(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]], import_map: Callable[[str], Path]
) -> None:
    pytest.importorskip("skdh")
    source = tmp_path / "source" / "7"
    source.mkdir(parents=True)
    rate, step_hz, seconds = 100, 1.9, 120
    t = np.arange(rate * seconds) / rate
    beat = 2 * np.pi * step_hz * t
    walk = np.stack(
        [
            0.98 + 0.25 * np.sin(beat) + 0.12 * np.sin(2 * beat + 0.6),
            0.1 * np.sin(beat / 2),
            0.15 * np.sin(beat + 0.9) + 0.05 * np.sin(2 * beat),
        ],
        axis=1,
    )
    rest = np.tile([1.0, 0.0, 0.0], (30 * rate, 1))
    noise = np.random.default_rng(0)
    for hour in (9, 15):
        values = np.concatenate([rest, walk, rest])
        table = pd.DataFrame(values + noise.normal(0, 0.01, values.shape), columns=["x", "y", "z"])
        start = pd.Timestamp("2024-03-04") + pd.Timedelta(hours=hour)
        table["t"] = start + pd.to_timedelta(np.arange(len(table)) * 10, unit="ms")
        table.to_parquet(source / f"{hour}.parquet")
    plan = import_map(
        '[[signals]]\nfiles = "*.parquet"\nquantity = "acceleration"\ncolumns = ["x", "y", "z"]\n'
        'unit = "g"\nrate_hz = 100\ntime = "t"\nplacement = "lower back"\n',
    )
    done = import_source(tmp_path / "source", tmp_path / "cohort", map_file=plan)
    assert daily(done, STEPS) == [pytest.approx(2 * step_hz * seconds, rel=0.03)]
    assert daily(done, "REHABCAST//WALKING_BOUTS") == [2]
    assert not [p for p in done.dropped if "second value" in p.message]


def test_joints_in_a_file_of_two_units_give_the_angle_they_were_turned_by(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]], import_map: Callable[[str], Path]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    rate = 100
    t = np.arange(40 * rate) / rate
    bend = np.where(t < 5, 0, 45 * (1 - np.cos(2 * np.pi * 0.2 * (t - 5))))
    turned = np.radians(bend)
    still, spin = np.zeros_like(t), np.gradient(bend) * rate
    axes = {
        "near_a": (still, still, still + 1), "near_r": (still, still, still),
        "far_a": (still, np.sin(turned), np.cos(turned)), "far_r": (spin, still, still),
    }  # fmt: skip
    table = pd.DataFrame({f"{k}{c}": v for k, vs in axes.items() for c, v in zip("xyz", vs)})  # noqa: B905
    table.to_csv(source / "7.csv", index=False)
    entries = "".join(
        f'[[signals]]\nfiles = "*.csv"\nquantity = "{quantity}"\nunit = "{unit}"\nrate_hz = 100\n'
        f'columns = ["{k}x", "{k}y", "{k}z"]\nstart = "2024-03-04T10:00:00"\nplacement = "{place}"\n'
        for k, quantity, unit, place in (
            ("near_a", "acceleration", "g", "upper arm"),
            ("near_r", "rotation", "deg/s", "upper arm"),
            ("far_a", "acceleration", "g", "forearm"),
            ("far_r", "rotation", "deg/s", "forearm"),
        )
    )
    plan = import_map(entries + '[[joints]]\nnear = "upper arm"\nfar = "forearm"\n')
    done = import_source(source, tmp_path / "cohort", map_file=plan)
    assert daily(done, "REHABCAST//JOINT_PEAK") == [pytest.approx(90, abs=2)]
    low, high = np.percentile(bend, [5, 95])
    assert daily(done, "REHABCAST//JOINT_RANGE") == [pytest.approx(high - low, abs=3)]


def test_a_tiring_muscle_and_its_partner_are_measured_from_a_file(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]], import_map: Callable[[str], Path]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    rate, seconds = 1000, 60
    t = np.arange(rate * seconds) / rate
    # From 120 Hz to 90 Hz within the minute: the instantaneous frequency falls by 30 Hz/min.
    tiring = 0.1 * np.sin(2 * np.pi * (120 * t - 15 * t**2 / 60))
    pd.DataFrame({"biceps": tiring, "triceps": tiring}).to_parquet(source / "emg.parquet")
    text = (
        '[[signals]]\nfiles = "emg*"\nquantity = "muscle"\ncolumns = ["biceps", "triceps"]\n'
        'unit = "mV"\nrate_hz = 1000\nstart = "2024-03-04T10:00:00"\n'
    )
    done = import_source(source, tmp_path / "cohort", map_file=import_map(text))
    assert daily(done, "REHABCAST//MUSCLE_FATIGUE") == [pytest.approx(-30, abs=1.5)]
    assert daily(done, "REHABCAST//CO_CONTRACTION") == [pytest.approx(1, abs=0.01)]
    assert daily(done, "REHABCAST//MUSCLE_ACTIVITY") == [pytest.approx(200 / np.pi, rel=0.05)]


def test_adherence_to_a_plan_is_computed_from_therapies_in_a_record(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]], import_map: Callable[[str], Path]
) -> None:
    patient = {"resourceType": "Patient", "id": "p1", "gender": "female"}
    therapies = [
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91251008"}]},
            "subject": {"reference": "Patient/p1"},
            "performedPeriod": {
                "start": f"2024-05-{day:02}T10:00:00Z", "end": f"2024-05-{day:02}T10:30:00Z",
            },
        }
        for day in range(1, 9)
    ]  # fmt: skip
    source = tmp_path / "record.ndjson"
    source.write_text("\n".join(json.dumps(resource) for resource in [patient, *therapies]))
    plan = import_map("planned_therapy_min_a_week = 420\n")
    done = import_source(source, tmp_path / "cohort", map_file=plan)
    assert daily(done, "REHABCAST//THERAPY") == [30] * 8
    assert daily(done, "REHABCAST//ADHERENCE") == [0.5, 0.5]


@pytest.mark.parametrize(
    ("times", "zone", "hours"),
    [
        # Told in UTC: days are those of the declared zone, here across the change to summer time.
        (["2024-03-30T23:30:00Z", "2024-03-31T00:30:00Z", "2024-03-31T01:30:00Z"], "Europe/Oslo",
         ["00:30", "01:30", "03:30"]),
        # With their own offsets: the wall clock is what is written, whatever the map says.
        (["2024-03-31T00:30:00+01:00", "2024-03-31T01:30:00+01:00", "2024-03-31T03:30:00+02:00"],
         "Asia/Tokyo", ["00:30", "01:30", "03:30"]),
        (["2024-03-31T00:30:00", "2024-03-31T01:30:00", "2024-03-31T03:30:00"],
         "Asia/Tokyo", ["00:30", "01:30", "03:30"]),
        (["2024-03-30T23:30:00Z", "2024-03-31T00:30:00Z", "2024-03-31T01:30:00Z"], "",
         ["23:30", "00:30", "01:30"]),
    ],
)  # fmt: skip
def test_a_table_gives_its_wall_clock(
    tmp_path: Path, times: list[str], zone: str, hours: list[str], import_map: Callable[[str], Path]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    pd.DataFrame({"t": times, "hr": [60, 70, 80]}).to_csv(source / "7.csv", index=False)
    text = (
        f'time_zone = "{zone}"\n[[signals]]\nfiles = "7.csv"\nquantity = "heart rate"\n'
        'columns = ["hr"]\nunit = "/min"\nrate_hz = 0.0166\ntime = "t"\n'
    )
    done = import_source(source, tmp_path / "cohort", map_file=import_map(text))
    minutes = pd.read_parquet(tmp_path / "cohort" / "recordings" / "minutes" / "7.parquet")
    assert minutes[TIME].dt.strftime("%H:%M").tolist() == hours
    assert any("days in UTC" in p.message for p in done.dropped) == (not zone)


def test_a_session_with_age_and_resting_rate_gives_the_reserve(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]]
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    time = pd.date_range("2024-03-04T10:00", periods=1200, freq="s").astype(str)
    rate = np.where(np.arange(1200) < 900, 120.0, 120.0 - 0.2 * (np.arange(1200) - 899))
    pd.DataFrame({"t": time, "hr": rate}).to_csv(source / "7.csv", index=False)
    (source / "days.csv").write_text("Id,ActivityDate,RestingHeartRate\n7,2024-03-04,60\n")
    (source / "people.csv").write_text("subject,age\n7,50\n")
    plan = source / "plan.toml"
    plan.write_text(
        'people = "people.csv"\n[[signals]]\nfiles = "7.csv"\nquantity = "heart rate"\n'
        'columns = ["hr"]\nunit = "/min"\nrate_hz = 1\ntime = "t"\n'
    )
    done = import_source(source, tmp_path / "cohort", map_file=plan)
    (share,) = daily(done, "REHABCAST//HEART_RATE_RESERVE")
    assert share == pytest.approx((rate.mean() - 60) / (208 - 35 - 60), abs=0.01)
    (fall,) = daily(done, "REHABCAST//HEART_RATE_RECOVERY")
    assert fall >= 0


def test_a_clock_reset_and_a_clock_set_back_are_reported(
    tmp_path: Path, daily: Callable[[Imported, str], list[float]], import_map: Callable[[str], Path]
) -> None:
    time = pd.date_range("2024-03-04", periods=3000, freq="min")
    set_back = time[:2000].append(time[1900:])
    reset = set_back.append(pd.date_range("1990-01-01", periods=50, freq="min"))
    source = tmp_path / "source"
    source.mkdir()
    pd.DataFrame({"when": reset.astype(str), "c": 300}).to_csv(source / "c.csv", index=False)
    plan = import_map(
        '[[signals]]\nfiles = "c.csv"\nquantity = "activity counts"\ncolumns = ["c"]\n'
        'unit = "{count}"\nrate_hz = 0.016666666666666666\ntime = "when"\nplacement = "wrist"\n',
    )
    done = import_source(source, tmp_path / "cohort", map_file=plan)
    messages = " ".join(str(problem) for problem in done.dropped)
    assert "set back" in messages
    assert "50 sample(s) without a date" in messages
    assert "device without power" in messages
    assert "100 sample(s)" in messages
    assert daily(done, WEAR_TIME) == [24.0, 24.0, 2.0]
