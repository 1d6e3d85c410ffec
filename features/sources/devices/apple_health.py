"""Apple Health `export.xml`: its records as they stand, read as a stream.

An export holds everything that phone, watch and apps have written, often several times, in millions
of records. Each becomes one statement of the app or device that made it (`sourceName`; the
`device` attribute changes with every start of the phone). Which counts is decided afterwards.

Clock: where a record names the time zone in which it was made (`HKTimeZone`), that is its wall
clock. Otherwise it is the wall clock of the written offset, which is that of the phone when it
wrote the export. The same record in two exports that were written in two zones happened once: the
newer export counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from contracts.errors import ContractError, Problem
from features.measurements.device_clocks import DeviceClock
from features.measurements.records import BIRTH_DATE, FILE, VERSION, records
from features.measurements.wall_clock import read_time, read_times
from features.recording import Reading, SourceFile, problem
from features.sources.devices.health_records import KINDS, SLEEP, SLEEP_STATE, HealthRecords
from features.sources.devices.health_xml import HealthXml
from features.sources.format import Format

PREFIXES = ("HKQuantityTypeIdentifier", "HKCategoryTypeIdentifier", "HKDataType")
AWAKE = {SLEEP_STATE + "InBed", SLEEP_STATE + "Awake"}
SEXES = {"HKBiologicalSexMale": "male", "HKBiologicalSexFemale": "female"}
BORN = "HKCharacteristicTypeIdentifierDateOfBirth"


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield the records of the export, and sex and birth date of its owner."""
    xml = HealthXml(file)
    export = _Export(file, xml)
    xml.feed(export)
    table = export.records.table()
    table = pd.concat([records(export.facts), table], ignore_index=True)
    table[FILE], table[VERSION] = file.name, export.version
    dropped = [*export.problems, *export.records.problems]
    # Nothing needs to be done about the rest: no such character is part of a number or a time,
    # and most types of an export are not about recovery.
    if xml.replaced:
        found = f"{xml.replaced} character(s) that XML forbids were replaced"
        dropped.append(problem(file, "*", found))
    dropped += [
        problem(file, kind, f"{count} record(s) of a type that no biomarker uses were left out")
        for kind, count in sorted(export.skipped.items())
    ]
    yield Reading(records=table, dropped=tuple(dropped))


class _Export:
    """Takes the elements of an export."""

    def __init__(self, file: SourceFile, xml: HealthXml) -> None:
        self.file, self.xml = file, xml
        self.records = HealthRecords(file)
        self.skipped: Counter[str] = Counter()
        self.problems: list[Problem] = []
        self.facts: list[tuple[object, ...]] = []
        self.version = np.nan
        self._taken = False
        self._correlations = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take a record, or what is known of its owner and of the export."""
        if tag == "Record":
            self._record(attributes)
        elif tag == "MetadataEntry":
            if self._taken and attributes.get("key") == "HKTimeZone":
                self.records.set_zone(attributes.get("value", ""))
        elif tag in {"Workout", "ActivitySummary"}:
            self.skipped[tag] += 1
        elif tag == "Correlation":
            self._correlations += 1
        elif tag == "Me":
            self._person(attributes)
        elif tag == "ExportDate":
            self._exported(attributes.get("value", ""))

    def end(self, tag: str) -> None:
        """Note that what follows is not about the record any more."""
        if tag == "Record":
            self._taken = False
        elif tag == "Correlation":
            self._correlations -= 1

    def data(self, text: str) -> None:
        """Leave out text between elements: an export has none."""

    def close(self) -> None:
        """Have nothing to end."""

    def _record(self, attributes: dict[str, str]) -> None:
        name = attributes.get("type", "Record")
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        if name in KINDS:
            if name != SLEEP or attributes.get("value") not in AWAKE:
                self._taken = True
                self.records.add(name, attributes, self.xml.line)
        elif not self._correlations:
            # The records of a correlation stand once more outside it.
            self.skipped[name] += 1

    def _person(self, me: dict[str, str]) -> None:
        label = self.file.subject_label
        sex = SEXES.get(me.get("HKCharacteristicTypeIdentifierBiologicalSex", ""))
        if sex:
            self.facts.append((label, None, "REHABCAST//SEX", None, sex))
        if me.get(BORN):
            try:
                self.facts.append((label, read_time(me[BORN])[0], BIRTH_DATE, None, None))
            except ContractError as error:
                found = f"{error.reason}, the birth date was left out"
                self.problems.append(problem(self.file, "Me", found, error.what_to_do))

    def _exported(self, written: str) -> None:
        """Take when the export was written: of one record in two exports the newer counts."""
        times = read_times(pd.Series([written], dtype=object))
        utc = times.time_N[0] - times.offset_N[0]
        self.version = np.nan if np.isnat(utc) else float(utc.astype("datetime64[s]").astype(int))


SINCE = "2007-01-01"
"""The first phone that could state anything is of 2007."""

FORMAT = Format(
    name="apple-health",
    title="Apple Health export",
    matches=lambda head: b"<HealthData" in head or b"<!DOCTYPE HealthData" in head,
    read=read,
    clock=DeviceClock(since=SINCE, factory_dates=()),
)
