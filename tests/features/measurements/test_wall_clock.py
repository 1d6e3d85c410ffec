"""What a written time means: offsets, zones, declared forms, and all that is not a time."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from features.measurements.wall_clock import (
    advice_on_times,
    nights,
    read_instants,
    read_time,
    read_times,
    read_times_in,
    sleep_episodes,
    strptime_form,
    to_wall_clock,
)

MOMENTS = st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(2250, 1, 1))
OFFSETS = st.integers(min_value=-14 * 60 + 1, max_value=14 * 60).filter(lambda m: m != 0)
ZONES = st.sampled_from(
    ["Europe/Oslo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
)
FORMS = {
    "DD.MM.YYYY": "%d.%m.%Y",
    "M/D/YYYY": "%m/%d/%Y",
    "YYYYMMDD": "%Y%m%d",
    "DD-MMM-YYYY": "%d-%b-%Y",
    "D/M/YYYY HH:mm:ss": "%d/%m/%Y %H:%M:%S",
    "M/D/YYYY h:mm:ss A": "%m/%d/%Y %I:%M:%S %p",
    "YYYY-MM-DDTHH:mm": "%Y-%m-%dT%H:%M",
}


def text(*cells: object) -> pd.Series:
    return pd.Series(cells, dtype=object)


@given(st.lists(st.tuples(MOMENTS, OFFSETS), min_size=1, max_size=5), ZONES)
def test_a_time_with_an_offset_keeps_its_own_wall_clock(
    moments: list[tuple[dt.datetime, int]], zone: str
) -> None:
    aware = [m.replace(tzinfo=dt.timezone(dt.timedelta(minutes=o))) for m, o in moments]
    times = read_times(text(*(time.isoformat() for time in aware)), zone=zone)
    assert times.time_N.astype("datetime64[us]").tolist() == [m for m, _ in moments]
    assert not times.in_utc_N.any()
    assert not times.bad_N.any()
    assert times.offset_N.astype("timedelta64[m]").astype(int).tolist() == [o for _, o in moments]


@given(MOMENTS, ZONES, st.sampled_from(["Z", "z", "+00:00", "+0000", "-00:00"]))
def test_utc_becomes_the_declared_zone_as_zoneinfo_has_it(
    moment: dt.datetime, zone: str, offset: str
) -> None:
    written = f"{moment.isoformat()}{offset}"
    time, in_utc = read_time(written, zone=zone)
    local = moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert (time.to_pydatetime(), in_utc) == (local, False)
    assert read_time(written) == (pd.Timestamp(moment), True)
    assert to_wall_clock(np.array([moment], dtype="datetime64[us]"), zone)[0] == np.datetime64(
        local
    )


@given(MOMENTS, st.sampled_from(sorted(FORMS)))
def test_a_declared_form_is_read_as_it_was_written_and_nothing_else_is(
    moment: dt.datetime, form: str
) -> None:
    written = moment.strftime(FORMS[form])
    time, in_utc = read_time(written, form=form)
    assert (time.to_pydatetime(), in_utc) == (
        dt.datetime.strptime(written, FORMS[form]), False,
    )  # fmt: skip
    others = text(*(moment.strftime(FORMS[f]) for f in FORMS if f != form), moment.isoformat())
    if form not in {"DD.MM.YYYY", "M/D/YYYY", "YYYYMMDD"}:
        assert read_times(others, form=form).bad_N.all()


@given(st.text(alphabet="0123456789-/.:TZ+ \u0663", max_size=20))
def test_a_time_is_read_only_if_it_is_written_as_iso_8601(cell: str) -> None:
    times = read_times(text(cell))
    if not np.isnat(times.time_N[0]):
        day = str(times.time_N[0])[:10]
        assert cell.strip().startswith(day)
        assert cell.isascii()
    else:
        assert times.bad_N[0] == bool(cell.strip())


@pytest.mark.parametrize(
    "cell",
    [
        "2024-03-05T24:00", "2024-03-05T23:59:60", "2024-W10-2", "2024-065", "2024-03", "2024",
        "20240305", "09:30", "2024-03-05T09", "\u0662\u0660\u0662\u0664-03-05", "0024-03-05", "9999-12-31",
        "2263-01-01T00:00:00Z", "2023-02-29", "2024-03-05T09:30+25:00", "2024-03-05-05",
        "2024-03-05 09:30 CET", "today", "5", "NaT", "nan",
    ],
)  # fmt: skip
def test_what_is_no_whole_time_is_left_out_and_never_bent(cell: str) -> None:
    times = read_times(text(cell, "2024-03-05"))
    assert times.bad_N.tolist() == [True, False]
    assert str(times.time_N[1])[:10] == "2024-03-05"
    with pytest.raises(ContractError, match="where a time is expected"):
        read_time(cell)


@pytest.mark.parametrize(
    ("cell", "wall"),
    [
        (" 2024-03-05 ", "2024-03-05T00:00:00.000000000"),
        ("2024-03-05t09:30:15,25z", "2024-03-05T09:30:15.250000000"),
        ("2024-03-05 09:30:15 +0100", "2024-03-05T09:30:15.000000000"),
        ("2024-03-05T09:30:15.123456789-05", "2024-03-05T09:30:15.123456789"),
        # XML Schema gives a day an offset: it stays a day in any zone.
        ("2024-03-05Z", "2024-03-05T00:00:00.000000000"),
        ("2024-03-05-05:00", "2024-03-05T00:00:00.000000000"),
    ],
)
def test_lawful_ways_to_write_a_time_are_read(cell: str, wall: str) -> None:
    zone = "" if cell.endswith("z") else "America/New_York"
    assert str(read_times(text(cell), zone=zone).time_N[0]) == wall


def test_a_date_beyond_nanoseconds_is_none_in_any_column() -> None:
    far = pd.Series(np.array(["9999-12-31", "2024-03-05"], dtype="datetime64[us]"))
    for cells in (far, far.dt.tz_localize("UTC"), text(dt.date(9999, 12, 31), dt.date(2024, 3, 5))):
        times = read_times(cells)
        assert times.bad_N.tolist() == [True, False]
        assert [str(t)[:10] for t in times.time_N] == ["NaT", "2024-03-05"]
    instants = read_instants(
        text("2024-03-05T01:00:00+02:00", "2024-03-04T23:00:00Z", "2024-03-05")
    )
    assert instants.astype("datetime64[h]").tolist()[:2] == [dt.datetime(2024, 3, 4, 23)] * 2
    assert np.isnat(instants[2])
    assert read_times(text("31.12.9999"), form="DD.MM.YYYY").bad_N.all()


def test_dates_by_type_need_no_declared_form_and_missing_ones_are_missing() -> None:
    cells = text(dt.date(2024, 3, 5), None, pd.NaT, pd.NA, float("nan"), "05.03.2024", 20240305)
    times = read_times(cells, form="DD.MM.YYYY")
    assert [str(t)[:10] for t in times.time_N] == [
        "2024-03-05", *["NaT"] * 4, "2024-03-05", "NaT",
    ]  # fmt: skip
    assert times.bad_N.tolist() == [False] * 6 + [True]
    assert str(read_times(pd.Series([20240305]), form="YYYYMMDD").time_N[0])[:10] == "2024-03-05"
    assert read_times(pd.Series([20240305])).bad_N.all()
    assert read_times(pd.Series(pd.to_timedelta(["1D"]))).bad_N.all()
    assert len(read_times(pd.Series([], dtype=object)).time_N) == 0


@given(st.dates(min_value=dt.date(1990, 1, 1), max_value=dt.date(2060, 1, 1)))
def test_another_order_of_day_and_month_is_a_fault_of_the_column(day: dt.date) -> None:
    for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y/%m/%d"):
        times = read_times(text(day.strftime(form)))
        assert times.other_order_N[0]
        assert "date_format" in advice_on_times(times)
    day_first = read_times(text(day.strftime("%d/%m/%Y")), form="M/D/YYYY")
    assert day_first.other_order_N[0] == (day.day > 12)
    assert read_times(text(day.strftime("%d.%m.%y")), form="M/D/YYYY").other_order_N[0]


def test_a_day_that_no_calendar_has_is_a_slip_of_its_row() -> None:
    times = read_times(text("31/02/2024", "13/14/2024", "2024-03-05"), form="D/M/YYYY")
    assert times.bad_N.all()
    # ISO 8601 beside a declared form is what a spreadsheet makes of a day taken for a month.
    assert times.other_order_N.tolist() == [False, False, True]


def test_a_column_may_be_written_in_several_forms_of_one_order() -> None:
    cells = text("4/12/2024", "4/13/2024 12:00:00 AM", "2024-04-14", "never", "14/4/2024", "")
    times = read_times_in(cells, ("M/D/YYYY", "M/D/YYYY h:mm:ss A", ""))
    assert [str(t)[:10] for t in times.time_N] == [
        "2024-04-12", "2024-04-13", "2024-04-14", "NaT", "NaT", "NaT",
    ]  # fmt: skip
    assert times.bad_N.tolist() == [False, False, False, True, True, False]
    assert times.other_order_N.tolist() == [False] * 4 + [True, False]


@pytest.mark.parametrize(
    "form",
    [
        "DD.mm.YYYY", "dd.MM.yyyy", "HH:MM DD.MM.YYYY", "DD.MM", "YYYY", "DD.MM.YYYY hh:mm",
        "DD.MM.YYYY HH:mm A", "DD.MM.YYYY mm", "DD.MM.YYYY and more", "MMM/MM/DD/YYYY", "",
    ],
)  # fmt: skip
def test_a_form_that_could_be_misread_is_none(form: str) -> None:
    with pytest.raises(ContractError, match="is not a form of dates"):
        strptime_form(form)


def test_a_night_in_pieces_is_the_night_of_waking_and_a_nap_stays_on_its_day() -> None:
    start = pd.to_datetime(
        pd.Series(["2024-03-04T23:40", "2024-03-05T02:00", "2024-03-05T14:00", "2024-03-04T18:00"])
    )
    end = pd.to_datetime(
        pd.Series(["2024-03-05T01:00", "2024-03-05T07:00", "2024-03-05T15:00", None])
    )
    assert [str(day)[:10] for day in nights(start, end)] == ["2024-03-05"] * 4


def test_instants_are_in_utc_and_need_an_offset() -> None:
    written = ["2024-03-05T10:30:00+02:00", "2024-03-05T03:30:00-05:00", "2024-03-05T08:30:00Z",
               "2024-03-05T14:00:00+0530"]  # fmt: skip
    assert set(read_instants(pd.Series(written))) == {pd.Timestamp("2024-03-05T08:30").to_numpy()}
    assert pd.isna(read_instants(pd.Series(["", "2024-03-05", "2024-03-05T08:30:00", "x"]))).all()


def test_the_wall_clock_less_its_offset_is_the_instant() -> None:
    written = ["2024-03-05T10:00:00+01:00", "2024-03-05 04:00:00 -0500", "2024-03-05T09:00Z", ""]
    for zone in ("", "Asia/Kolkata"):
        times = read_times(pd.Series([*written, "2024-03-05"], dtype=object), zone=zone)
        instants = times.time_N - times.offset_N
        assert (instants[:3] == np.datetime64("2024-03-05T09:00")).all()
        assert np.isnat(times.offset_N[3:]).all()
    zoned = pd.Series(pd.to_datetime(written[:3], utc=True, format="ISO8601"))
    for zone in ("", "Asia/Kolkata"):
        times = read_times(zoned, zone=zone)
        assert (times.time_N - times.offset_N == np.datetime64("2024-03-05T09:00")).all()


@pytest.mark.parametrize("zone", ["GMT+0530", "UTC+05:30", "Asia/Kolkata"])
def test_a_zone_may_be_a_fixed_offset(zone: str) -> None:
    utc = np.array(["2024-03-05T20:00"], dtype="datetime64[ns]")
    assert to_wall_clock(utc, zone)[0] == np.datetime64("2024-03-06T01:30")


def test_pieces_of_a_sleep_belong_together_until_an_hour_lies_between() -> None:
    hour = 3600 * 10**9
    start = np.array([8, 0, 3, 3]) * hour
    end = np.array([9, 2, 7, 7]) * hour
    group = np.array([0, 0, 0, 1])
    began, ended = sleep_episodes(group, start, end)
    assert (began // hour).tolist() == [8, 0, 3, 3]
    began, ended = sleep_episodes(group, np.where(start, start - 1, 0), end)
    assert (ended // hour).tolist() == [9, 9, 9, 7]
    assert (-(-began // hour)).tolist() == [0, 0, 0, 3]


OTHER_CENTURIES = ["2608-03-05", "4200-03-05", "1500-03-05", "0001-01-01"]


@pytest.mark.parametrize("written", OTHER_CENTURIES)
def test_years_that_nanoseconds_cannot_hold_are_no_times(written: str) -> None:
    text = pd.Series([written, "2024-03-05", ""])
    times = read_times(text)
    assert np.isnat(times.time_N).tolist() == [True, False, True]
    assert times.bad_N.tolist() == [True, False, False]
    declared = read_times(pd.Series([written.replace("-", ".")]), form="YYYY.MM.DD")
    assert declared.bad_N.tolist() == [True]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_nor_are_those_of_a_typed_column(unit: str) -> None:
    times = np.array([*OTHER_CENTURIES, "2024-03-05"], dtype=f"datetime64[{unit}]")
    found = read_times(pd.Series(times)).time_N
    assert np.isnat(found).tolist() == [True] * 4 + [False]
    zoned = read_times(pd.Series(times).dt.tz_localize("UTC")).time_N
    assert np.isnat(zoned).tolist() == [True] * 4 + [False]
