"""A source of recordings becomes a cohort."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, TEXT, TIME, WEAR_TIME
from contracts.errors import CohortInvalid, ContractError
from features.cohort import read_cohort
from features.importing import Imported, grow_cohort, import_source

STEPS = "LOINC//41950-7"


def active(minutes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(200, 900, minutes)


def test_a_folder_of_real_files_imports_what_is_sound_and_reports_the_rest(
    samples: Path, tmp_path: Path, daily: Callable[[Imported, str], list[float]]
) -> None:
    done = import_source(samples, tmp_path / "cohort")
    assert {"gt3x/TAS1H30182785_2019-09-17.gt3x", "fit/MonitoringFile.fit"} <= set(done.read)
    refused = {Path(problem.file).name for problem in done.unreadable}
    assert {"activity-filecrc.fit", "genea_testfile.bin", "observation_no_subject.json"} <= refused
    assert len(done.read) + len(done.unreadable) == sum(
        1 for p in samples.rglob("*") if p.is_file()
    )
    report = json.loads((tmp_path / "cohort" / "metadata" / "import.json").read_text())
    assert len(report["unreadable"]) == len(done.unreadable)
    assert read_cohort(tmp_path / "cohort").digest == done.cohort.digest
    assert 3142 + 31 in daily(done, STEPS)


def test_the_same_source_gives_the_same_cohort(samples: Path, tmp_path: Path) -> None:
    folder = samples / "ggirread"
    first = import_source(folder, tmp_path / "one")
    assert import_source(folder, tmp_path / "two").cohort.digest == first.cohort.digest


def test_nothing_sound_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "bad.bin").write_bytes(b"\1\2\3" * 100)
    (tmp_path / "source" / "empty.gt3x").write_bytes(b"")
    with pytest.raises(CohortInvalid) as caught:
        import_source(tmp_path / "source", tmp_path / "cohort")
    assert {problem.file for problem in caught.value.problems} == {"bad.bin", "empty.gt3x"}
    assert not (tmp_path / "cohort").exists()
    with pytest.raises(ContractError, match="does not exist"):
        import_source(tmp_path / "nowhere", tmp_path / "cohort")
    with pytest.raises(ContractError, match="is not a known format"):
        import_source(tmp_path / "source", tmp_path / "cohort", format_name="nobody-knows")


def test_people_without_anything_dated_make_no_cohort(tmp_path: Path) -> None:
    patient = {"resourceType": "Patient", "id": "a", "gender": "female", "birthDate": "1950-01-01"}
    (tmp_path / "patients.ndjson").write_text(json.dumps(patient))
    with pytest.raises(CohortInvalid, match="nothing dated"):
        import_source(tmp_path / "patients.ndjson", tmp_path / "cohort")


def test_a_day_below_the_wear_threshold_is_kept_with_its_wear(
    tmp_path: Path, awd: Callable[..., None], daily: Callable[[Imported, str], list[float]]
) -> None:
    counts = active(2 * 1440)
    counts[1440 + 300 :] = 0
    awd(tmp_path / "x.AWD", "x", counts)
    done = import_source(tmp_path / "x.AWD", tmp_path / "cohort")
    assert daily(done, WEAR_TIME) == [24.0, 5.0]
    assert len(daily(done, "REHABCAST//ACTIVITY_COUNTS")) == 2


def test_recordings_of_nobody_make_a_simulated_cohort_that_no_person_is_added_to(
    tmp_path: Path, awd: Callable[..., None], import_map: Callable[[str], Path]
) -> None:
    awd(tmp_path / "x.AWD", "x", active(1440))
    awd(tmp_path / "y.AWD", "y", active(1440, 1))
    declared = import_map("simulated = true\n")
    done = import_source(tmp_path / "x.AWD", tmp_path / "cohort", map_file=declared)
    assert done.cohort.provenance.simulated
    with pytest.raises(ContractError, match="has simulated people and the source real ones"):
        grow_cohort(tmp_path / "y.AWD", tmp_path / "cohort")


def test_a_device_change_is_an_event_on_its_day(tmp_path: Path, awd: Callable[..., None]) -> None:
    source = tmp_path / "source"
    awd(source / "p" / "a.AWD", "p", active(1440), "04-Mar-2024", "V1")
    awd(source / "p" / "b.AWD", "p", 3 * active(1440), "05-Mar-2024", "V2")
    events = import_source(source, tmp_path / "cohort").cohort.events
    change = events[events[CODE] == "REHABCAST//DEVICE_CHANGE"]
    assert change[TIME].dt.strftime("%Y-%m-%d").tolist() == ["2024-03-05"]
    # Told by its maker: with the serial number, everybody would be a group of their own.
    assert events.loc[events[CODE] == "REHABCAST//DEVICE", TEXT].tolist() == ["Actiwatch"]


def values(done: Imported) -> list[tuple[object, ...]]:
    """Return everything that a cohort says, without its files."""
    events = done.cohort.events.astype(object).fillna("")
    return list(events.itertuples(index=False, name=None))


@pytest.mark.parametrize("cut", [700, 1440, 2000])
def test_a_recording_split_copied_and_renamed_gives_the_cohort_of_the_whole(
    tmp_path: Path, awd: Callable[..., None], cut: int
) -> None:
    counts = active(3 * 1440)
    day, clock = np.datetime64("2024-03-04T00:00") + np.array([0, cut]), "%d-%b-%Y"
    awd(tmp_path / "whole" / "p" / "x.AWD", "p", counts)
    awd(tmp_path / "split" / "p" / "b.AWD", "p", counts[:cut])
    later = pd.Timestamp(day[1])
    awd(tmp_path / "split" / "p" / "a.AWD", "p", counts[cut:], later.strftime(clock))
    second = tmp_path / "split" / "p" / "a.AWD"
    second.write_text(second.read_text().replace("00:00", f"{later:%H:%M}", 1))
    older = counts[: cut // 2]
    awd(tmp_path / "older" / "p" / "a.AWD", "p", counts)
    awd(tmp_path / "older" / "p" / "b.AWD", "p", older)
    shutil.copy(tmp_path / "older" / "p" / "b.AWD", tmp_path / "older" / "p" / "0 copy.AWD")
    packed = tmp_path / "older" / "p" / "c.AWD.gz"
    packed.write_bytes(gzip.compress((tmp_path / "older" / "p" / "a.AWD").read_bytes()))
    results = [
        import_source(tmp_path / name, tmp_path / "made" / name)
        for name in ("whole", "split", "older")
    ]
    whole, *others = map(values, results)
    assert others == [whole, whole]
    assert not any(problem.needs_action for done in results for problem in done.dropped)


def test_dates_before_1990_need_to_be_declared_as_shifted(
    tmp_path: Path, awd: Callable[..., None]
) -> None:
    awd(tmp_path / "x.AWD", "x", active(2 * 1440), "04-Mar-1950")
    with pytest.raises(CohortInvalid, match="dates_shifted = true"):
        import_source(tmp_path / "x.AWD", tmp_path / "cohort")
    plan = tmp_path / "map.toml"
    plan.write_text("dates_shifted = true\n")
    done = import_source(tmp_path / "x.AWD", tmp_path / "cohort", map_file=plan)
    days = done.cohort.events.loc[done.cohort.events[CODE] == WEAR_TIME, TIME]
    assert days.astype(str).tolist() == ["1950-03-04", "1950-03-05"]


def test_two_devices_on_one_wrist_do_not_sleep_twice(
    tmp_path: Path, awd: Callable[..., None], daily: Callable[[Imported, str], list[float]]
) -> None:
    counts = active(2 * 1440)
    counts[1320:1800] = 0
    counts[1320:1800:20] = 30
    for name in ("one", "two"):
        for serial in ("V1", "V2")[: 1 if name == "one" else 2]:
            awd(tmp_path / name / "p" / f"{serial}.AWD", "p", counts, serial=serial)
    one, two = (import_source(tmp_path / n, tmp_path / f"{n} made") for n in ("one", "two"))
    slept = daily(one, "REHABCAST//SLEEP")
    assert len(slept) == 1
    assert 6 < slept[0] < 9
    assert daily(two, "REHABCAST//SLEEP") == slept
    assert daily(two, WEAR_TIME) == daily(one, WEAR_TIME)


def test_two_devices_on_the_affected_wrist_are_one_arm(
    tmp_path: Path, awd: Callable[..., None], daily: Callable[[Imported, str], list[float]]
) -> None:
    plan = tmp_path / "map.toml"
    plan.write_text(
        'people = "people.csv"\n[placement]\n"*left*" = "left wrist"\n"*right*" = "right wrist"\n'
    )
    (tmp_path / "people.csv").write_text("subject,affected_arm\np,left\n")
    for name, files in (("one", ["left", "right"]), ("two", ["left", "left again", "right"])):
        for number, file in enumerate(files):
            serial = "V9" if file == "right" else f"V{number}"
            awd(tmp_path / name / "p" / f"{file}.AWD", "p", active(1440), serial=serial)
    one, two = (
        import_source(tmp_path / n, tmp_path / f"{n} made", map_file=plan) for n in ("one", "two")
    )
    for code in ("REHABCAST//ARM_USE", "REHABCAST//ARM_USE_RATIO"):
        assert len(daily(one, code)) == 1
        assert daily(two, code) == daily(one, code)


def test_an_affected_arm_and_a_device_without_movement_give_no_arm_use(
    tmp_path: Path, fit_walk: bytes
) -> None:
    plan = tmp_path / "map.toml"
    plan.write_text('people = "people.csv"\n[placement]\n"*" = "left wrist"\n')
    (tmp_path / "people.csv").write_text("subject,affected_arm\np,left\n")
    (tmp_path / "source" / "p").mkdir(parents=True)
    (tmp_path / "source" / "p" / "walk.fit").write_bytes(fit_walk)
    done = import_source(tmp_path / "source", tmp_path / "cohort", map_file=plan)
    assert not done.cohort.events[CODE].str.contains("ARM_USE").any()


@pytest.fixture
def fit_walk(samples: Path) -> bytes:
    return (samples / "fit" / "garmin-fenix-5-walk.fit").read_bytes()
