"""Open mHealth data points: checked, each one statement, on the wearer's clock."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.measurements.reconcile import Reconciled, reconcile
from features.measurements.records import BEATS
from features.recording import Reading, SourceFile
from features.sources import formats

STEPS, RATE, SLEEP = "LOINC//41950-7", "REHABCAST//HEART_RATE", "REHABCAST//SLEEP"
VERSIONS = {
    "step-count": ("omh", "3.0", "step_count", "steps"),
    "heart-rate": ("omh", "2.0", "heart_rate", "beats/min"),
    "sleep-duration": ("omh", "2.0", "sleep_duration", "h"),
    "total-sleep-time": ("ieee", "1.0", "total_sleep_time", "h"),
    "rr-interval": ("omh", "1.0", "rr_interval", "ms"),
    "physical-activity": ("ieee", "1.0", "base_movement_quantity", "steps"),
}
Point = dict[str, Any]


def interval(start: str = "09:00", end: str = "10:00", offset: str = "+01:00") -> Point:
    start, end = (t if len(t) > 5 else f"2024-03-06T{t}:00{offset}" for t in (start, end))
    return {"time_interval": {"start_date_time": start, "end_date_time": end}}


def moment(time: str = "09:00") -> Point:
    return {"date_time": f"2024-03-06T{time}:00+01:00"}


def point(name: str, value: float, frame: Point, *, key: str = "1", **more: Any) -> Point:
    namespace, version, field, unit = VERSIONS[name]
    header = {
        "id": key, "creation_date_time": "2024-03-08T10:00:00Z", "user_id": "p",
        "schema_id": {"namespace": namespace, "name": name, "version": version},
    }  # fmt: skip
    body = {field: {"value": value, "unit": unit}, "effective_time_frame": frame}
    if name == "physical-activity":
        body["activity_name"] = "walking"
    for place in (header, body):
        place |= {field: more[field] for field in more if (field in HEADER) == (place is header)}
    return {"header": header, "body": body}


HEADER = {"creation_date_time", "user_id", "acquisition_provenance", "modality"}


@pytest.fixture
def decided(tmp_path: Path) -> Callable[..., Reconciled]:
    """Reads documents, a file each, and decides over their records."""

    def decide(*documents: Any, zone: str = "") -> Reconciled:
        tables = []
        for n, document in enumerate(documents):
            path = tmp_path / f"{n}.json"
            path.write_text(json.dumps(document))
            file = SourceFile(path=path, name=path.name, subject_label="somebody", zone=zone)
            tables += [reading.records for reading in formats.read(file)]
        return reconcile([table for table in tables if table is not None])

    return decide


def days(found: Reconciled, code: str = STEPS) -> dict[str, float]:
    rows = found.values[found.values["code"] == code]
    return dict(zip(rows["time"].dt.strftime("%m-%d"), rows["numeric_value"], strict=True))


Decide = Callable[..., Reconciled]


def test_what_cannot_be_used_is_one_problem_a_schema_and_cause(
    read: Callable[[Path], Reading], written: Callable[[Any], Path]
) -> None:
    good = point("step-count", 1500, interval(), key="g")
    bad = [point("step-count", 5, interval(), key=f"b{n}") for n in range(7)]
    bad[0]["body"]["step_count"]["unit"] = bad[1]["body"]["step_count"]["unit"] = "strides"
    bad[2]["body"]["step_count"]["value"] = -5
    bad[3]["body"]["effective_time_frame"] = interval("2024-02-30T10:00:00Z")
    bad[4]["body"]["effective_time_frame"] = interval("10:00", "09:00")
    bad[5]["header"]["schema_id"]["version"] = "1.9"
    bad[6]["header"].pop("schema_id")
    foreign = copy.deepcopy(good)
    foreign["header"]["schema_id"]["name"] = "mood"
    reading = read(written([good, *bad, foreign]))
    assert reading.records is not None
    usable = reading.records[reading.records["amount"] != "unusable"]
    assert usable["numeric_value"].tolist() == [1500]
    assert usable["subject_label"].tolist() == ["p"]
    found = {problem.field: problem for problem in reading.dropped}
    assert "omh:mood:3.0" in found
    words = [problem.message for problem in reading.dropped]
    for word in ("does not conform to omh:step-count:3.0", "-5", "'2024-02-30T10:00:00Z'",
                 "ends before it starts", "1.9 is not one of omh:step-count:3.0", "schema_id"):  # fmt: skip
        assert any(word in text for text in words), word
    assert "(at [1])" in words[0]
    assert reading.dropped[0].field == "step-count"
    assert reading.dropped[0].cause == reading.dropped[1].cause


@pytest.mark.parametrize("together", [True, False])
def test_points_add_up_each_once_in_a_list_or_files(decided: Decide, together: bool) -> None:
    points = [
        point("step-count", 500, interval(f"{h:02d}:00", f"{h + 1:02d}:00"), key=str(h))
        for h in range(9, 12)
    ]
    twice = [*points, *points[:1]]
    found = decided(twice) if together else decided(*twice)
    assert days(found) == {"03-06": 1500}


def test_lines_and_series_are_read_like_lists(
    tmp_path: Path, read: Callable[[Path], Reading]
) -> None:
    points = [
        point("step-count", 500, interval(f"{h:02d}:00", f"{h + 1:02d}:00"), key=str(h))
        for h in range(9, 12)
    ]
    (tmp_path / "lines").write_text("\n".join(json.dumps(one) for one in points))
    series = points[0] | {"body": [one["body"] for one in points]}
    (tmp_path / "series").write_text(json.dumps(series))
    for name in ("lines", "series"):
        table = read(tmp_path / name).records
        assert table is not None
        assert days(reconcile([table, table])) == {"03-06": 1500}


def test_the_version_created_last_counts_and_takes_the_others_with_it(decided: Decide) -> None:
    old = point("step-count", 900, interval(), creation_date_time="2024-03-07T01:00:00+02:00")
    new = point("step-count", 500, interval(), creation_date_time="2024-03-07T00:00:00Z")
    assert days(decided(old, new)) == days(decided(new, old)) == {"03-06": 500}
    new["body"]["step_count"]["value"] = -1
    assert days(decided(old, new)) == days(decided([new, old])) == {}
    new["body"] = {"step_count": "?"}
    assert days(decided(old, new)) == {}


def test_one_id_of_two_people_names_two_points(decided: Decide) -> None:
    both = [point("step-count", 500, interval(), user_id=user) for user in ("1", "01", "12E4")]
    found = decided(both).values
    assert sorted(found["subject_label"]) == ["01", "1", "12E4"]


@pytest.mark.parametrize("user", [None, ""])
def test_without_a_user_the_file_says_whose_it_is(decided: Decide, user: str | None) -> None:
    found = decided(point("step-count", 500, interval(), user_id=user)).values
    assert found["subject_label"].tolist() == ["somebody"]


def test_a_total_beside_its_hours_is_not_added_and_two_sources_are_not(decided: Decide) -> None:
    hours = [
        point("step-count", 1000, interval(f"{h:02d}:00", f"{h + 1:02d}:00"), key=str(h))
        for h in range(9, 14)
    ]
    whole = point("step-count", 5200, interval("00:00", "2024-03-07T00:00:00+01:00"), key="d")
    assert days(decided([*hours, whole])) == {"03-06": 5200}
    other = [copy.deepcopy(one) for one in hours[:3]]
    for n, one in enumerate(other):
        one["header"] |= {"id": f"o{n}", "acquisition_provenance": {"source_name": "band"}}
        one["body"]["step_count"]["value"] = 4000
    assert days(decided([*hours, *other])) == {"03-06": 5000}
    activity = point("physical-activity", 1000, interval(), key="a")
    assert days(decided([hours[0], activity])) == {"03-06": 1000}


@pytest.mark.parametrize(
    "frame",
    [
        interval("23:10", "2024-03-07T06:40:00+01:00"),
        {"time_interval": {"start_date_time": "2024-03-06T23:10:00+01:00",
                           "duration": {"value": 7.5, "unit": "h"}}},
        {"time_interval": {"end_date_time": "2024-03-07T06:40:00+01:00",
                           "duration": {"value": 450, "unit": "min"}}},
        interval("2024-03-06t23:10:00.5+01:00", "2024-03-07t06:40:00+01:00"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["sleep-duration", "total-sleep-time"])
def test_sleep_belongs_to_the_day_of_waking_however_its_interval_is_written(
    decided: Decide, frame: Point, name: str
) -> None:
    assert days(decided(point(name, 7, frame)), SLEEP) == {"03-07": 7}


def test_a_part_of_a_day_counts_for_its_date_but_a_night_has_none(decided: Decide) -> None:
    def part(word: str) -> Point:
        return {"time_interval": {"date": "2024-03-06", "part_of_day": word}}

    steps = [point("step-count", 100, part(w), key=w) for w in ("morning", "night")]
    assert days(decided(steps)) == {"03-06": 200}
    assert days(decided(point("heart-rate", 60, part("evening"))), RATE) == {"03-06": 60}
    nap = point("sleep-duration", 1, part("afternoon"), key="n")
    night = point("sleep-duration", 8, part("night"))
    assert days(decided([nap, night]), SLEEP) == {"03-06": 1}


@pytest.mark.parametrize("word", ["maximum", "minimum", "median", "standard deviation", "count"])
def test_a_statistic_is_no_measurement(decided: Decide, word: str) -> None:
    mean = point("heart-rate", 70, moment(), descriptive_statistic="average")
    other = point("heart-rate", 168, moment("12:00"), key="2", descriptive_statistic=word)
    assert days(decided([mean, other]), RATE) == {"03-06": 70}


def test_an_average_amount_is_not_the_amount_of_its_interval(decided: Decide) -> None:
    total = point("step-count", 700, interval(), descriptive_statistic="sum")
    mean = point("step-count", 9000, interval(), key="2", descriptive_statistic="average",
                 descriptive_statistic_denominator="d")  # fmt: skip
    assert days(decided([total, mean])) == {"03-06": 700}


def test_utc_takes_the_zone_of_the_map_and_an_offset_keeps_its_clock(decided: Decide) -> None:
    late = interval("2024-03-06T02:00:00Z", "2024-03-06T02:30:00Z")
    own = interval("2024-03-06T23:00:00-05:00", "2024-03-06T23:30:00-05:00")
    for frame in (late, interval("2024-03-06T02:00:00", "2024-03-06T02:30:00")):
        both = [point("step-count", 900, frame), point("step-count", 50, own, key="2")]
        assert days(decided(both)) == {"03-06": 950}
        assert days(decided(both, zone="America/New_York")) == {"03-05": 900, "03-06": 50}


def test_days_in_utc_are_said(
    read: Callable[[Path], Reading], written: Callable[[Any], Path]
) -> None:
    points = [point("step-count", n, interval(offset="Z"), key=str(n)) for n in (1, 2)]
    (said,) = read(written(points)).dropped
    assert "2 data point(s) are in UTC" in said.message
    assert "time_zone" in said.advice


def test_each_beat_interval_is_a_record(
    read: Callable[[Path], Reading], written: Callable[[Any], Path]
) -> None:
    points = [
        point("rr-interval", 800 + n, {"date_time": f"2024-03-06T10:00:0{n}+01:00"}, key=str(n))
        for n in range(3)
    ]
    points.append(point("rr-interval", 900, moment(), key="m", descriptive_statistic="maximum"))
    records = read(written([*points[::-1], *points])).records
    assert records is not None
    beats = records[(records["code"] == BEATS) & (records["amount"] == "reading")]
    # Which of them count is decided over all files (`importing.beats`).
    assert sorted(beats["numeric_value"]) == [800, 800, 801, 801, 802, 802]
    assert beats["time"].min() == pd.Timestamp("2024-03-06 10:00")
