"""Apple Health `export.xml`, streamed, so that an export of gigabytes needs no memory.

Every interval carries its offset from UTC, and its wall clock is taken as written. A phone and a
watch both count the same steps, so of several sources the one with the most on a day is taken, as
Apple advises against adding them. What runs over midnight counts for the day on which it started;
sleep for the day on which it ended.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import defusedxml.ElementTree
import pandas as pd
from defusedxml import DefusedXmlException

from contracts.errors import Problem, SourceUnreadable
from features.measurements.records import BIRTH_DATE, records
from features.recording import Reading, SourceFile, problem
from features.sources.format import Format

TIME_FORM = "%Y-%m-%d %H:%M:%S %z"
PREFIXES = ("HKQuantityTypeIdentifier", "HKCategoryTypeIdentifier", "HKDataType")


class _Kind(NamedTuple):
    """How one type of record becomes a day's value."""

    code: str
    factors: dict[str, float]
    summed: bool


KINDS = {
    "StepCount": _Kind("LOINC//41950-7", {"count": 1}, summed=True),
    "DistanceWalkingRunning": _Kind(
        "REHABCAST//DISTANCE", {"km": 1, "m": 0.001, "mi": 1.609344}, summed=True
    ),
    "AppleExerciseTime": _Kind("REHABCAST//ACTIVE_TIME", {"min": 1, "s": 1 / 60}, summed=True),
    "RestingHeartRate": _Kind("LOINC//40443-4", {"count/min": 1, "count/s": 60}, summed=False),
    "HeartRate": _Kind("REHABCAST//HEART_RATE", {"count/min": 1, "count/s": 60}, summed=False),
    "HeartRateVariabilitySDNN": _Kind("REHABCAST//SDNN", {"ms": 1, "s": 1000}, summed=False),
    "WalkingSpeed": _Kind(
        "REHABCAST//GAIT_SPEED", {"m/s": 1, "km/hr": 1 / 3.6, "mi/hr": 0.44704}, summed=False
    ),
}
SLEEP_CODE = "REHABCAST//SLEEP"
ADVICE = "correct it in the app and export again if it is needed"
SEXES = {"HKBiologicalSexMale": "male", "HKBiologicalSexFemale": "female"}


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield the days of the export, and sex and birth date of its owner."""
    days = _Days()
    skipped: Counter[str] = Counter()
    dropped: list[Problem] = []
    facts: list[tuple[Any, ...]] = []
    number = 0
    try:
        for _, element in defusedxml.ElementTree.iterparse(
            str(file.path), events=("end",), forbid_dtd=False
        ):
            if element.tag in {"Record", "Workout", "ActivitySummary"}:
                number += 1
                if fault := _record(element, days, skipped):
                    where = f"record {number} ({element.get('type', element.tag)})"
                    dropped.append(
                        problem(file, where, f"{fault}, the record was left out", ADVICE)
                    )
            elif element.tag == "Me":
                facts += _person(file.subject_label, element)
            if element.tag != "HealthData":
                element.clear()
    except (
        ElementTree.ParseError,
        DefusedXmlException,
        LookupError,
        OSError,
        ValueError,
    ) as error:
        raise SourceUnreadable(
            file.name,
            f"after record {number}",
            f"not well-formed XML ({error}), the export is damaged or cut short",
            "export it again",
        ) from error
    dropped += [
        # Nothing needs to be done: most types of an export are not about recovery.
        problem(file, kind, f"{count} record(s) of a type that no biomarker uses were left out")
        for kind, count in sorted(skipped.items())
    ]
    yield Reading(records=records([*facts, *days.rows(file.subject_label)]), dropped=tuple(dropped))


class _Days:
    """Sums and means by day, kind and source."""

    def __init__(self) -> None:
        self.total: dict[tuple[str, Any, str], float] = defaultdict(float)
        self.count: Counter[tuple[str, Any, str]] = Counter()

    def add(self, code: str, day: Any, source: str, value: float) -> None:
        self.total[code, day, source] += value
        self.count[code, day, source] += 1

    def rows(self, subject: str) -> list[tuple[Any, ...]]:
        summed = {kind.code for kind in KINDS.values() if kind.summed} | {SLEEP_CODE}
        best: dict[tuple[str, Any], float] = {}
        for (code, day, source), total in sorted(self.total.items()):
            key = (code, day, source)
            value = total if code in summed else total / self.count[key]
            best[code, day] = max(value, best.get((code, day), -math.inf))
        return [(subject, pd.Timestamp(day), code, v, None) for (code, day), v in best.items()]


def _record(element: Any, days: _Days, skipped: Counter[str]) -> str:
    """Add one record to the days; return what is wrong with it, or an empty string."""
    name = str(element.get("type", element.tag))
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    if element.tag != "Record" or name not in {*KINDS, "SleepAnalysis"}:
        skipped[name] += 1
        return ""
    try:
        start = datetime.strptime(element.get("startDate", ""), TIME_FORM)
        end = datetime.strptime(element.get("endDate", ""), TIME_FORM)
    except ValueError as error:
        return f"its dates cannot be read ({error})"
    if end < start:
        return "it ends before it starts"
    source = str(element.get("sourceName", ""))
    if name == "SleepAnalysis":
        if "Asleep" in str(element.get("value", "")):
            days.add(SLEEP_CODE, end.date(), source, (end - start).total_seconds() / 3600)
        return ""
    kind, unit = KINDS[name], str(element.get("unit", ""))
    if unit not in kind.factors:
        return f"its unit is {unit!r}, expected {', '.join(kind.factors)}"
    try:
        value = float(element.get("value", ""))
    except ValueError:
        return f"{element.get('value')!r} where a number is expected"
    if not math.isfinite(value) or value < 0:
        return f"a value of {value} is impossible"
    days.add(kind.code, start.date(), source, value * kind.factors[unit])
    return ""


def _person(subject: str, me: Any) -> list[tuple[Any, ...]]:
    facts: list[tuple[Any, ...]] = []
    sex = SEXES.get(me.get("HKCharacteristicTypeIdentifierBiologicalSex", ""))
    if sex:
        facts.append((subject, None, "REHABCAST//SEX", None, sex))
    born = pd.to_datetime(
        me.get("HKCharacteristicTypeIdentifierDateOfBirth", ""), errors="coerce", format="%Y-%m-%d"
    )
    if not pd.isna(born):
        facts.append((subject, born, BIRTH_DATE, None, None))
    return facts


FORMAT = Format(
    name="apple-health",
    title="Apple Health export",
    matches=lambda head: b"<HealthData" in head or b"<!DOCTYPE HealthData" in head,
    read=read,
)
