"""Sources of every format, written from a list of entries, for properties of an import.

Letters: an entry is one statement of a source (a score, a record, an epoch, a message) of one
person. A format writes any list of them as a file; what an import makes of the entries must not
depend on how they are distributed over files, on names, or on order where a format has none.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fitdecode.utils
import numpy as np

START = dt.datetime(2024, 3, 4)
FIT_EPOCH = dt.datetime(1989, 12, 31)
TICKS_1970, TICKS = 621_355_968_000_000_000, 10_000_000


@dataclass(frozen=True)
class Entry:
    """One statement: whose, when, of which kind, how much, and its number in the source."""

    person: str
    at: dt.datetime
    kind: str
    value: float
    number: int

    def shifted(self, days: int) -> Entry:
        return Entry(
            self.person, self.at + dt.timedelta(days=days), self.kind, self.value, self.number
        )


@dataclass(frozen=True)
class Format:
    """How entries become a file.

    Parameters
    ----------
    name, suffix
        For tests and file names.
    draw
        Makes entries of one person from a generator.
    write
        Writes entries of one person, or of several where the format names them itself.
    has_order
        Whether the order of entries in a file means something.
    names_people
        Whether the file itself says whose an entry is.
    map_text
        An import map that the format needs.
    """

    name: str
    suffix: str
    draw: Callable[[np.random.Generator, str], list[Entry]]
    write: Callable[[Sequence[Entry]], bytes]
    has_order: bool = False
    names_people: bool = True
    map_text: str = ""


def spread(generator: np.random.Generator, person: str, kinds: dict[str, tuple[float, float]],
           entries: int = 12, days: int = 4) -> list[Entry]:  # fmt: skip
    """Draw entries of some kinds at different quarters of an hour of some days."""
    at = generator.choice(days * 96, size=entries, replace=False)
    names = list(kinds)
    drawn = []
    for number, quarter in enumerate(sorted(at.tolist())):
        kind = names[int(generator.integers(len(names)))]
        low, high = kinds[kind]
        value = float(generator.integers(int(low), int(high) + 1))
        when = START + dt.timedelta(minutes=15 * int(quarter))
        drawn.append(Entry(person, when, kind, value, number))
    return drawn


# --- FHIR -------------------------------------------------------------------------------------


def _fhir(entry: Entry) -> dict[str, Any]:
    subject = {"reference": f"Patient/{entry.person}"}
    when = entry.at.isoformat() + "+01:00"
    identity = f"{entry.person}-{entry.number}"
    if entry.kind == "therapy":
        end = (entry.at + dt.timedelta(minutes=entry.value)).isoformat() + "+01:00"
        coding = [{"system": "http://snomed.info/sct", "code": "91251008"}]
        return {
            "resourceType": "Procedure", "id": identity, "status": "completed", "subject": subject,
            "code": {"coding": coding}, "performedPeriod": {"start": when, "end": end},
        }  # fmt: skip
    if entry.kind == "stroke":
        coding = [{"system": "http://snomed.info/sct", "code": "230690007"}]
        return {
            "resourceType": "Condition", "id": identity, "subject": subject,
            "code": {"coding": coding}, "onsetDateTime": f"{entry.at:%Y-%m-%d}",
        }  # fmt: skip
    coding, unit = {
        "score": ([{"system": "urn:rehabcast:vocabulary", "code": "FUGL_MEYER_UE"}], "{score}"),
        "steps": ([{"system": "http://loinc.org", "code": "41950-7"}], "/d"),
    }[entry.kind]
    quantity = {"value": entry.value, "code": unit, "system": "http://unitsofmeasure.org"}
    return {
        "resourceType": "Observation", "id": identity, "status": "final", "subject": subject,
        "code": {"coding": coding}, "effectiveDateTime": when, "valueQuantity": quantity,
        "meta": {"versionId": "1"},
    }  # fmt: skip


def _draw_fhir(generator: np.random.Generator, person: str) -> list[Entry]:
    onset = Entry(person, START - dt.timedelta(days=3), "stroke", 0, 99)
    kinds = {"score": (10.0, 60.0), "steps": (100.0, 9000.0), "therapy": (10.0, 60.0)}
    return [onset, *spread(generator, person, kinds)]


def _ndjson(entries: Sequence[Entry]) -> bytes:
    return "\n".join(json.dumps(_fhir(entry)) for entry in entries).encode()


def _bundle(entries: Sequence[Entry]) -> bytes:
    resources = [{"resource": _fhir(entry)} for entry in entries]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": resources}).encode()


# --- Open mHealth -----------------------------------------------------------------------------


def _open_mhealth(entries: Sequence[Entry]) -> bytes:
    points = []
    for entry in entries:
        start, end = entry.at, entry.at + dt.timedelta(minutes=15)
        name, key, unit = {
            "steps": ("step-count", "step_count", "steps"),
            "heart": ("heart-rate", "heart_rate", "beats/min"),
        }[entry.kind]
        interval = {
            f"{side}_date_time": f"{t.isoformat()}+01:00"
            for side, t in (("start", start), ("end", end))
        }
        frame = (
            {"time_interval": interval} if entry.kind == "steps"
            else {"date_time": f"{start.isoformat()}+01:00"}
        )  # fmt: skip
        version = "3.0" if name == "step-count" else "2.0"
        points.append({
            "header": {
                "id": f"{entry.person}-{entry.number}", "user_id": entry.person,
                "creation_date_time": "2024-12-01T10:00:00Z",
                "schema_id": {"namespace": "omh", "name": name, "version": version},
            },
            "body": {key: {"value": entry.value, "unit": unit}, "effective_time_frame": frame},
        })  # fmt: skip
    return json.dumps(points).encode()


def _draw_phone(generator: np.random.Generator, person: str) -> list[Entry]:
    return spread(generator, person, {"steps": (1.0, 900.0), "heart": (50.0, 130.0)})


# --- Apple Health -----------------------------------------------------------------------------


def _apple(entries: Sequence[Entry]) -> bytes:
    rows = []
    for entry in entries:
        kind, unit, value = {
            "steps": ("HKQuantityTypeIdentifierStepCount", ' unit="count"', f"{entry.value:g}"),
            "heart": ("HKQuantityTypeIdentifierHeartRate", ' unit="count/min"', f"{entry.value:g}"),
            "sleep": ("HKCategoryTypeIdentifierSleepAnalysis", "", "HKCategoryValueSleepAnalysisAsleepCore"),
        }[entry.kind]  # fmt: skip
        end = entry.at + dt.timedelta(minutes=15)
        rows.append(
            f'<Record type="{kind}" sourceName="Watch"{unit} startDate="{entry.at} +0100"'
            f' endDate="{end} +0100" value="{value}"/>'
        )
    return (
        '<?xml version="1.0"?>\n<HealthData locale="en_GB">\n'
        + "\n".join(rows)
        + "\n</HealthData>\n"
    ).encode()


def _draw_watch(generator: np.random.Generator, person: str) -> list[Entry]:
    kinds = {"steps": (1.0, 900.0), "heart": (50.0, 130.0), "sleep": (1.0, 1.0)}
    return spread(generator, person, kinds, entries=16)


# --- Fitbit -----------------------------------------------------------------------------------


def _draw_days(generator: np.random.Generator, person: str) -> list[Entry]:
    return [
        Entry(
            person, START + dt.timedelta(days=day), "day", float(generator.integers(100, 9000)), day
        )
        for day in range(6)
    ]


def _fitbit_series(entries: Sequence[Entry]) -> bytes:
    series = [{"dateTime": f"{e.at:%Y-%m-%d}", "value": f"{e.value:g}"} for e in entries]
    return json.dumps({"activities-steps": series}).encode()


def _fitbit_sleep(entries: Sequence[Entry]) -> bytes:
    logs = [
        {
            "logId": 1000 + e.number, "dateOfSleep": f"{e.at:%Y-%m-%d}",
            "startTime": f"{e.at - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%S}.000",
            "endTime": f"{e.at + dt.timedelta(hours=6):%Y-%m-%dT%H:%M:%S}.000",
            "minutesAsleep": int(e.value // 30),
        }
        for e in entries
    ]  # fmt: skip
    return json.dumps({"sleep": logs}).encode()


def _fitabase(entries: Sequence[Entry]) -> bytes:
    rows = [f"{e.person},{e.at.month}/{e.at.day}/{e.at.year},{e.value:g},2.5,700" for e in entries]
    header = "Id,ActivityDate,TotalSteps,TotalDistance,SedentaryMinutes"
    return "\n".join([header, *rows, ""]).encode()


# --- Garmin FIT -------------------------------------------------------------------------------


def _fit_message(local: int, number: int, fields: list[tuple[int, str, int, int]]) -> bytes:
    """One definition and one message: fields are (number, struct letter, base type, value)."""
    sizes = {"B": 1, "H": 2, "I": 4}
    definition = bytes([0x40 | local, 0, 0]) + struct.pack("<HB", number, len(fields))
    definition += b"".join(bytes([f, sizes[letter], base]) for f, letter, base, _ in fields)
    data = bytes([local]) + b"".join(struct.pack(f"<{letter}", v) for _, letter, _, v in fields)
    return definition + data


def _fit(entries: Sequence[Entry]) -> bytes:
    def seconds(at: dt.datetime) -> int:
        return int((at - FIT_EPOCH).total_seconds())

    first = entries[0].at if entries else START
    body = _fit_message(0, 0, [(0, "B", 0x00, 32), (1, "H", 0x84, 1), (3, "I", 0x8C, 77)])
    body += _fit_message(0, 103, [
        (253, "I", 0x86, seconds(first) - 3600), (0, "I", 0x86, seconds(first)),
    ])  # fmt: skip
    for entry in entries:
        at = seconds(entry.at) - 3600
        if entry.kind == "heart":
            body += _fit_message(1, 55, [(253, "I", 0x86, at), (27, "B", 0x02, int(entry.value))])
        else:
            body += _fit_message(1, 55, [
                (253, "I", 0x86, at), (3, "I", 0x86, int(entry.value)), (5, "B", 0x00, 6),
            ])  # fmt: skip
    header = struct.pack("<BBHI4s", 14, 0x20, 2132, len(body), b".FIT")
    header += struct.pack("<H", fitdecode.utils.compute_crc(header))
    whole = header + body
    return whole + struct.pack("<H", fitdecode.utils.compute_crc(whole))


def _draw_monitoring(generator: np.random.Generator, person: str) -> list[Entry]:
    """Running totals of steps that start again each day, and a heart rate now and then."""
    drawn = spread(generator, person, {"steps": (1.0, 900.0), "heart": (50.0, 130.0)}, entries=20)
    total: dict[dt.date, float] = {}
    entries = []
    for entry in drawn:
        value = entry.value
        if entry.kind == "steps":
            day = (entry.at - dt.timedelta(seconds=1)).date()
            value = total[day] = total.get(day, 0.0) + entry.value
        entries.append(Entry(entry.person, entry.at, entry.kind, value, entry.number))
    return entries


# --- ActiGraph, Actiwatch, own tables ---------------------------------------------------------


def _draw_epochs(generator: np.random.Generator, person: str) -> list[Entry]:
    """Minute by minute over two days and a night, so that a file may be split anywhere."""
    steps = generator.integers(0, 40, 3 * 720)
    begin = START + dt.timedelta(hours=6)
    return [
        Entry(person, begin + dt.timedelta(minutes=n), "epoch", float(value), n)
        for n, value in enumerate(steps.tolist())
    ]


def _actigraph_csv(entries: Sequence[Entry]) -> bytes:
    first = entries[0].at if entries else START
    head = [
        "------------ Data File Created By ActiGraph GT3X+ ActiLife v6.13.4 Firmware v3.2.1 date"
        " format M/d/yyyy Filter Normal -----------",
        "Serial Number: NEO1", f"Start Time {first:%H:%M:%S}",
        f"Start Date {first.month}/{first.day}/{first.year}", "Epoch Period (hh:mm:ss) 00:01:00",
        "Download Time 12:00:00", "Download Date 12/31/2025",
        "Current Memory Address: 0", "Current Battery Voltage: 4.01     Mode = 13",
        "--------------------------------------------------",
    ]  # fmt: skip
    rows = [f"{int(e.value) * 20},{int(e.value) * 10},0,{int(e.value)}" for e in entries]
    return "\n".join([*head, *rows, ""]).encode()


def _agd(entries: Sequence[Entry]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.agd"
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("CREATE TABLE settings (settingID INTEGER, settingName, settingValue)")
            database.execute(
                "CREATE TABLE data (dataTimestamp INTEGER, axis1, axis2, axis3, steps)"
            )
            for name, value in (
                ("epochlength", 60),
                ("epochcount", len(entries)),
                ("deviceserial", "N1"),
            ):
                database.execute("INSERT INTO settings VALUES (1, ?, ?)", (name, str(value)))
            rows = [
                (TICKS_1970 + int((e.at - dt.datetime(1970, 1, 1)).total_seconds()) * TICKS,
                 int(e.value) * 20, int(e.value) * 10, 0, int(e.value))
                for e in entries
            ]  # fmt: skip
            database.executemany("INSERT INTO data VALUES (?, ?, ?, ?, ?)", rows)
        return file.read_bytes()


def _awd(entries: Sequence[Entry]) -> bytes:
    first = entries[0].at if entries else START
    head = ["", f"{first:%d-%b-%Y}", f"{first:%H:%M}", "4", "60", "V1", "M"]
    return "\r\n".join([*head, *(str(int(e.value) * 20) for e in entries), ""]).encode()


def _heart_table(entries: Sequence[Entry]) -> bytes:
    rows = [f"{e.at.isoformat()},{e.value + 50:g}" for e in entries]
    return "\n".join(["when,rate", *rows, ""]).encode()


HEART_MAP = """
[[signals]]
files = "*"
quantity = "heart rate"
columns = ["rate"]
unit = "/min"
rate_hz = 0.016666666666666666
time = "when"
"""

FORMATS = (
    Format("fhir-ndjson", ".ndjson", _draw_fhir, _ndjson),
    Format("fhir-bundle", ".json", _draw_fhir, _bundle),
    Format("open-mhealth", ".json", _draw_phone, _open_mhealth),
    Format("apple-health", ".xml", _draw_watch, _apple, names_people=False),
    Format("fitbit-series", ".json", _draw_days, _fitbit_series, names_people=False),
    Format("fitbit-sleep", ".json", _draw_days, _fitbit_sleep, names_people=False),
    Format("fitabase", ".csv", _draw_days, _fitabase),
    Format("garmin-fit", ".fit", _draw_monitoring, _fit, has_order=True, names_people=False),
    Format("actigraph-csv", ".csv", _draw_epochs, _actigraph_csv, has_order=True, names_people=False),
    Format("actigraph-agd", ".agd", _draw_epochs, _agd, has_order=True, names_people=False),
    Format("actiwatch-awd", ".awd", _draw_epochs, _awd, has_order=True, names_people=False),
    Format(
        "signal-table", ".csv", _draw_epochs, _heart_table, names_people=False, map_text=HEART_MAP
    ),
)  # fmt: skip
