"""Fitbit days: the Web API's and Takeout's JSON, and Fitabase's daily tables."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.errors import SourceUnreadable
from features.measurements.device_clocks import DeviceClock
from features.recording import Reading, SourceFile
from features.sources.devices.fitbit_days import (
    DISTANCE,
    RESTING,
    SLEEP,
    STEPS,
    DayColumns,
    read_days,
)
from features.sources.devices.fitbit_json import is_document, read_document
from features.sources.format import Format, column_names, text_of
from features.tables.text_tables import read_text_table

SUBJECT = "Id"
DATES = ("ActivityDate", "ActivityDay", "SleepDay")
DATE_FORMS = (
    "M/D/YYYY", "M/D/YYYY h:mm:ss A", "M/D/YYYY h:mm A", "M/D/YYYY HH:mm:ss", "M/D/YYYY HH:mm", "",
)  # fmt: skip
"""Fitabase writes the month first, with or without midnight; ISO 8601 can't be misread."""

VALUES = {
    "TotalSteps": (STEPS, 1.0),
    "StepTotal": (STEPS, 1.0),
    "TotalDistance": (DISTANCE, 1.0),
    "TotalMinutesAsleep": (SLEEP, 1 / 60),
    "RestingHeartRate": (RESTING, 1.0),
}
ACTIVE, LIGHT, SEDENTARY = (
    ("VeryActiveMinutes", "FairlyActiveMinutes"), "LightlyActiveMinutes", "SedentaryMinutes",
)  # fmt: skip
"""Columns of Fitabase's tables dailyActivity, dailySteps, dailyIntensities and sleepDay (Fitabase
data dictionary: distance in km)."""

WITHIN_DAYS = ({SUBJECT, "ActivityHour"}, {SUBJECT, "ActivityMinute"}, {SUBJECT, "value", "logId"})


WEB_SECTIONS = {"Body", "Foods", "Activities", "Sleep", "Food Log"}


def read(file: SourceFile) -> Iterator[Reading]:
    """Yield the days of one file."""
    with file.path.open("rb") as stream:
        is_json = text_of(stream.read(64))[:1] in {"{", "["}
    if is_json:
        yield read_document(file)
        return
    table = read_text_table(file.path, file.name, file.form, as_written=("Id",))
    date = next((name for name in DATES if name in table.cells), "")
    if not date or SUBJECT not in table.cells:
        raise SourceUnreadable(
            file.name, "row 1",
            f"no columns {SUBJECT} and {DATES[0]}; found: {', '.join(map(str, table.cells))}",
            "put the columns' names into the first row, or declare how the table is written in"
            " [[files]] of the map",
        )  # fmt: skip
    columns = DayColumns(
        subject=SUBJECT,
        date=date,
        forms=DATE_FORMS,
        values=VALUES,
        active=ACTIVE,
        light=LIGHT,
        sedentary=SEDENTARY,
    )
    yield read_days(file, table, columns)


def _matches(head: bytes) -> bool:
    if is_document(text_of(head)):
        return True
    names = set(column_names(head))
    used = {*VALUES, *ACTIVE}
    return SUBJECT in names and bool(names & set(DATES)) and bool(names & used)


def is_unnamed_series(head: bytes) -> bool:
    """Recognise a list of times and values without a name of what they are."""
    text = text_of(head)
    return text[:1] == "[" and '"dateTime"' in text and '"value"' in text


def is_web_export(head: bytes) -> bool:
    """Recognise what Fitbit's website exported: sections with a name, each above a header."""
    lines = [line.strip().strip('"') for line in text_of(head).splitlines()[:2]]
    return len(lines) == 2 and lines[0] in WEB_SECTIONS and "," in lines[1]


def is_within_days(head: bytes) -> bool:
    """Recognise Fitabase's tables of parts of a day."""
    names = set(column_names(head))
    return any(wanted <= names for wanted in WITHIN_DAYS)


SINCE = "2009-01-01"
"""The first Fitbit is of September 2009."""

FORMAT = Format(
    name="fitbit",
    title="Fitbit daily export",
    matches=_matches,
    read=read,
    clock=DeviceClock(since=SINCE, factory_dates=()),
)
