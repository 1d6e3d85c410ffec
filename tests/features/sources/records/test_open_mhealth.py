"""Open mHealth data points: checked, and summed up by day."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from features.recording import Reading

STEPS = "LOINC//41950-7"


POINT: dict[str, Any] = {
    "header": {
        "uuid": "1",
        "schema_id": {"namespace": "omh", "name": "step-count", "version": "3.0"},
        "source_creation_date_time": "2020-02-05T07:25:00Z",
    },
    "body": {
        "step_count": {"value": 1500, "unit": "steps"},
        "effective_time_frame": {
            "time_interval": {
                "start_date_time": "2020-02-05T23:25:00-08:00",
                "end_date_time": "2020-02-05T23:55:00-08:00",
            }
        },
    },
}


def test_open_mhealth_points_are_checked_against_their_schema(
    read: Callable[[Path], Reading],
    values: Callable[[Reading, str], dict[str, float]],
    written: Callable[[Any], Path],
) -> None:
    bad = copy.deepcopy(POINT)
    bad["body"]["step_count"]["unit"] = "strides"
    foreign = copy.deepcopy(POINT)
    foreign["header"]["schema_id"]["name"] = "mood"
    reading = read(written([POINT, POINT, bad, foreign]))
    assert values(reading, STEPS) == {"2020-02-05": 3000}
    first, second = reading.dropped
    assert first.field == "[2]"
    assert "does not conform to omh:step-count:3.0" in first.message
    assert "omh:mood:3.0" in second.field


def test_beat_intervals_of_open_mhealth_become_a_signal(
    read: Callable[[Path], Reading], written: Callable[[Any], Path]
) -> None:
    points = []
    for second in range(3):
        point = copy.deepcopy(POINT)
        point["header"]["schema_id"] = {"namespace": "omh", "name": "rr-interval", "version": "1.0"}
        point["body"] = {
            "rr_interval": {"value": 800 + second, "unit": "ms"},
            "effective_time_frame": {"date_time": f"2020-02-05T10:00:0{second}Z"},
        }
        points.append(point)
    (signal,) = read(written(points)).signals
    assert signal.values_NC[:, 0].tolist() == [800, 801, 802]
