"""ActiLife's epoch tables in the forms of its versions and countries."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import SourceUnreadable
from features.recording import Quantity, Reading, Signal, SourceFile
from features.sources.devices.actigraph_csv import read
from features.tables.text_tables import TableForm

NO_LIMIT = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MIDNIGHT = dt.datetime(2024, 3, 4)
FORMS = {
    "M/d/yyyy": "{0.month}/{0.day}/{0.year}",
    "MM/dd/yyyy": "{0:%m/%d/%Y}",
    "dd/MM/yyyy": "{0:%d/%m/%Y}",
    "d.M.yyyy": "{0.day}.{0.month}.{0.year}",
    "dd.MM.yyyy": "{0:%d.%m.%Y}",
    "yyyy-MM-dd": "{0:%Y-%m-%d}",
    "yyyy. MM. dd.": "{0:%Y. %m. %d.}",
    "M/d/yy": "{0.month}/{0.day}/{0:%y}",
    "d-MMM-yy": "{0.day}-{0:%b}-{0:%y}",
    # Windows writes a country's own separator in the place of the one in the form.
    "dd/MM/yy": "{0:%d-%m-%y}",
}


def opened(path: Path, **declared: str) -> Reading:
    zone = declared.pop("zone", "")
    form = TableForm.model_validate(declared)
    (reading,) = read(
        SourceFile(path=path, name=path.name, subject_label="x", form=form, zone=zone)
    )
    return reading


def header(
    form: str = "M/d/yyyy",
    start: dt.datetime = MIDNIGHT,
    *,
    epoch: str = "00:01:00",
    mode: int = 13,
) -> str:
    day, later = (FORMS[form].format(time) for time in (start, start + dt.timedelta(days=9)))
    return (
        f"------------ Data Table File Created By ActiGraph wGT3XBT ActiLife v6.13.4 Firmware v1.9.2"
        f" date format {form} Filter Normal -----------\nSerial Number: MOS2A00000001\n"
        f"Start Time {start:%H:%M:%S}\nStart Date {day}\nEpoch Period (hh:mm:ss) {epoch}\n"
        f"Download Time 10:00:00\nDownload Date {later}\nCurrent Memory Address: 0\n"
        f"Current Battery Voltage: 4.0     Mode = {mode}\n{'-' * 50}\n"
    )


def dated(times: list[dt.datetime], form: str = "M/d/yyyy", clock: str = "%H:%M:%S") -> list[str]:
    return [
        f"{FORMS[form].format(time)},{time.strftime(clock)},{n},{n + 1},{n + 2},{n % 7}"
        for n, time in enumerate(times)
    ]


def minutes(count: int, start: dt.datetime = MIDNIGHT) -> list[dt.datetime]:
    return [start + dt.timedelta(minutes=n) for n in range(count)]


def written(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "epochs.csv"
    file.write_text("\n".join(line.rstrip("\n") for line in lines) + "\n", "utf-8")
    return file


def times_of(signal: Signal) -> list[dt.datetime]:
    return list(signal.time_N.astype("datetime64[us]").tolist())


NAMES = "Date,Time,Axis1,Axis2,Axis3,Steps"


def test_columns_follow_the_mode_or_their_names(samples: Path) -> None:
    folder = samples / "ggirread"
    plain = opened(folder / "ActiGraph13.csv")
    assert [s.quantity for s in plain.signals] == [Quantity.COUNTS, Quantity.STEPS]
    assert (plain.signals[0].epoch_s, str(plain.signals[0].time_N[0])[:19]) == (
        15.0,
        "2013-08-26T09:00:00",
    )
    full = opened(folder / "ActiGraph61.csv")
    counts, steps, posture = full.signals
    assert counts.placement == "waist"
    assert float(counts.values_NC[0, 0]) == pytest.approx((325**2 + 85**2 + 176**2) ** 0.5)
    assert float(steps.values_NC[0, 0]) == 2
    assert posture.values_NC[0].tolist() == [0, 1, 0, 0]  # The five seconds of standing.
    # The header's own date contradicts its date format; the rows' time stamps decide. Their `Z` is
    # no UTC, as the recording starts at that time on the device's clock.
    named = opened(folder / "ActiGraph13_timestamps_headers.csv", zone="Europe/Oslo")
    assert str(named.signals[0].time_N[1])[:19] == "2017-09-12T15:00:01"
    assert float(named.signals[0].values_NC[2, 0]) == pytest.approx((113**2 + 9**2 + 29**2) ** 0.5)
    assert named.dropped == ()


def test_damaged_rows_and_headers_are_reported(samples: Path, tmp_path: Path) -> None:
    lines = (samples / "ggirread" / "ActiGraph13.csv").read_text().splitlines()
    broken = tmp_path / "x.csv"
    broken.write_text("\n".join([*lines[:20], "1,2", "a,b,c,d", *lines[22:], ""]))
    reading = opened(broken)
    assert [problem.row for problem in reading.dropped] == [21, 22]
    # A row that is left out still took its time.
    whole = opened(samples / "ggirread" / "ActiGraph13.csv").signals[0].time_N
    assert reading.signals[0].time_N[10] == whole[12]
    for text, words in (
        ("\n".join(lines[:10]), "no epoch follows"),
        ("\n".join([lines[0], *lines[5:]]), "has no line"),
        ("\n".join([*lines[:10], "1,2,3,4,5", ""]), "5 columns without names"),
        ("\n".join([*lines, ""]).replace("00:00:15", "00:00:00"), "impossible"),
        ("\n".join([*lines, ""]).replace("date format M/d/yyyy", ""), "M/d/yyyy, MM/dd/yyyy"),
        ("\n".join([*lines, ""]).replace("8/26/2013", "26/8/2013"), "declare the form"),
        ("\n".join([*lines, ""]).replace("8/26/2013", "10/26/2013"), "is not a start"),
    ):
        broken.write_text(text)
        with pytest.raises(SourceUnreadable, match=words):
            opened(broken)


def test_a_last_row_without_its_end_is_no_epoch(samples: Path, tmp_path: Path) -> None:
    data = (samples / "ggirread" / "ActiGraph13.csv").read_bytes()
    whole = len(opened(samples / "ggirread" / "ActiGraph13.csv").signals[0])
    cut = tmp_path / "cut.csv"
    cut.write_bytes(data[:-2])  # Every cell is there, but who knows how many digits the last had.
    reading = opened(cut)
    assert len(reading.signals[0]) == whole - 1
    assert (reading.dropped[0].row, "no line end" in reading.dropped[0].message) == (1000, True)


@given(
    st.sampled_from(sorted(FORMS)),
    st.datetimes(min_value=dt.datetime(2005, 1, 1), max_value=dt.datetime(2024, 1, 1)),
    st.booleans(),
)
@NO_LIMIT
def test_dates_are_in_the_form_that_the_header_names(
    tmp_path: Path, form: str, start: dt.datetime, has_dates: bool
) -> None:
    times = minutes(5, start.replace(second=0, microsecond=0))
    rows = dated(times, form)
    lines = [NAMES, *rows] if has_dates else [row.split(",", 2)[2] for row in rows]
    reading = opened(written(tmp_path, header(form, times[0]), *lines))
    assert times_of(reading.signals[0]) == times
    assert reading.dropped == ()


@given(st.permutations(range(6)), st.integers(min_value=0, max_value=6), st.booleans())
@NO_LIMIT
def test_rows_with_a_date_are_dated_by_it_in_any_order_and_once(
    tmp_path: Path, order: list[int], cut: int, has_header_again: bool
) -> None:
    times = [*minutes(3), *minutes(3, MIDNIGHT + dt.timedelta(days=2))]
    rows = dated(times)
    shuffled = [rows[n] for n in order]
    again = [header(), NAMES] if has_header_again else []
    lines = [*shuffled, *again, *(shuffled[cut:] if cut < 6 or not again else rows)]
    reading = opened(written(tmp_path, header(), NAMES, *lines))
    assert times_of(reading.signals[0]) == times
    assert reading.signals[1].values_NC.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert reading.dropped == ()


def test_a_recording_joined_to_itself_counts_once_without_dates_too(tmp_path: Path) -> None:
    rows = [row.split(",", 2)[2] for row in dated(minutes(4))]
    once = opened(written(tmp_path, header(), *rows))
    twice = opened(written(tmp_path, header(), *rows, header(), *rows))
    for a, b in zip(once.signals, twice.signals, strict=True):
        assert np.array_equal(a.time_N, b.time_N)
        assert np.array_equal(a.values_NC, b.values_NC)


def test_of_rows_of_one_time_with_other_counts_the_later_is_kept_and_that_is_said(
    tmp_path: Path,
) -> None:
    rows = [*dated(minutes(3)), "3/4/2024,00:01:00,9,9,9,9"]
    reading = opened(written(tmp_path, header(), NAMES, *rows))
    assert reading.signals[1].values_NC.ravel().tolist() == [0, 9, 2]
    assert [(problem.row, problem.field) for problem in reading.dropped] == [(13, "time")]


VARIANTS = {
    "quoted": lambda line: ",".join(f'"{cell}"' for cell in line.split(",")),
    "semicolon": lambda line: line.replace(",", ";"),
    "tab": lambda line: line.replace(",", "\t"),
    "trailing": lambda line: f"{line},,",
    "blanks": lambda line: line.replace(",", " , "),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("how", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n"])
def test_neither_separators_quotes_encoding_nor_line_ends_change_an_epoch(
    tmp_path: Path, variant: str, how: str, end: str
) -> None:
    file = tmp_path / "epochs.csv"
    for has_dates in (True, False):
        rows = dated(minutes(4))
        lines = [NAMES, *rows] if has_dates else [row.split(",", 2)[2] for row in rows]
        text = header() + "\n".join(VARIANTS[variant](line) for line in lines) + "\n"
        if end == "\r\r\n":
            text = header() + text.removeprefix(header()).replace("\n", "\n\n")
        file.write_bytes(text.replace("\n", "\r\n" if end != "\n" else end).encode(how))
        reading = opened(file)
        assert times_of(reading.signals[0]) == minutes(4)
        assert reading.signals[1].values_NC.ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        ("Date,Time,Activity,Activity (Horizontal),3rd Axis,Steps", 3),
        (" Date, Epoch, Activity, Activity (Horizontal), 3rd Axis, Steps", 3),
        ("date,time,axis1,axis2,vm,steps", 2),
        ("Date,Time,Axis1,HR,Lux,Steps", 1),
    ],
)
def test_the_names_of_each_version_are_known_and_one_axis_is_enough(
    tmp_path: Path, names: str, axes: int
) -> None:
    reading = opened(written(tmp_path, header(), names, *dated(minutes(3))))
    expected = [sum((n + axis) ** 2 for axis in range(axes)) ** 0.5 for n in range(3)]
    assert reading.signals[0].values_NC.ravel().tolist() == pytest.approx(expected)
    assert reading.signals[1].values_NC.ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("Date,Time,X,Y,Z,Steps", "no column Axis1 or Activity; found: Date, Time, X"),
        ("Date,Time,Axis1,Activity,Axis3,Steps", "two columns of one meaning"),
        ("Date,Hour,Axis1,Axis2,Axis3,Steps", "no time of day"),
    ],
)
def test_columns_that_leave_a_doubt_refuse_the_file(tmp_path: Path, names: str, words: str) -> None:
    with pytest.raises(SourceUnreadable, match=words):
        opened(written(tmp_path, header(), names, *dated(minutes(3))))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([NAMES, *dated(minutes(3)), "13/4/2024,00:03:00,1,1,1,1"], "'13/4/2024' is not a date as M/D"),
        ([NAMES, *dated(minutes(3)), "4.3.24,00:03:00,1,1,1,1"], "'4.3.24' is not a date as M/D"),
        ([NAMES, *dated([MIDNIGHT + dt.timedelta(seconds=15 * n) for n in range(5)])], "by 15 s"),
        (
            ["Time,Axis1,Axis2,Axis3,Steps",
             *(row.split(",", 1)[1] for row in dated([*minutes(2), *minutes(2, MIDNIGHT.replace(hour=9))]))],
            "no column has its date",
        ),
        ([NAMES.replace(",", ";"), "3/4/2024;00:00:00;1.234;1;1;1"], "thousands or a fraction"),
    ],
)  # fmt: skip
def test_rows_that_leave_a_doubt_refuse_the_file(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    with pytest.raises(SourceUnreadable, match=words):
        opened(written(tmp_path, header(), *lines))


def test_a_declared_form_replaces_that_of_the_header(tmp_path: Path) -> None:
    rows = dated(minutes(3), "dd/MM/yyyy")
    file = written(
        tmp_path, header("dd/MM/yyyy").replace("date format dd/MM/yyyy", ""), NAMES, *rows
    )
    with pytest.raises(SourceUnreadable, match="the header names no form of dates"):
        opened(file)
    assert times_of(opened(file, date_format="DD/MM/YYYY").signals[0]) == minutes(3)


def test_hours_of_a_clock_of_twelve_and_decimal_commas_are_read(tmp_path: Path) -> None:
    start = MIDNIGHT.replace(hour=11, minute=58)
    rows = dated(minutes(4, start), clock="%I:%M:%S %p")
    lines = [NAMES, *rows]
    text = [line.replace(",", ";").replace(";1;2;3;", ";1,0;2;3;") for line in lines]
    reading = opened(written(tmp_path, header(start=start), *text))
    assert times_of(reading.signals[0]) == minutes(4, start)
    assert reading.signals[0].values_NC[1, 0] == pytest.approx(14**0.5)


def test_stamps_in_utc_become_the_wall_clock_of_the_declared_zone(tmp_path: Path) -> None:
    rows = [f"{time.isoformat()}Z,{n},1,1,1" for n, time in enumerate(minutes(3))]
    file = written(
        tmp_path, header(start=MIDNIGHT.replace(hour=7)), "TimeStamp,axis1,axis2,axis3,steps", *rows
    )
    reading = opened(file)
    assert times_of(reading.signals[0]) == minutes(3)
    assert "UTC" in reading.dropped[0].found
    local = opened(file, zone="Europe/Oslo")
    assert times_of(local.signals[0]) == minutes(3, MIDNIGHT.replace(hour=1))
    assert local.dropped == ()
