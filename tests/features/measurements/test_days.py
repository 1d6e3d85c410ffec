"""One value for each person, day and quantity, whatever the order and number of files."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import grouped
from features.measurements.reconcile import reconcile
from features.measurements.records import Amount, records

STEPS, RATE, SLEEP = "LOINC//41950-7", "REHABCAST//HEART_RATE", "REHABCAST//SLEEP"
RESTING = "LOINC//40443-4"
DAY = pd.Timestamp("2024-03-05")
Row = dict[str, Any]


def stated(amount: Amount, value: float, start: str = "00:00", end: str = "", **more: Any) -> Row:
    row: Row = {
        "subject_label": "p", "code": STEPS, "amount": amount, "numeric_value": value,
        "time": pd.Timestamp(f"2024-03-05 {start}"), "file": "a",
    }  # fmt: skip
    if end:
        row["end"] = pd.Timestamp(f"2024-03-05 {end}" if len(end) < 6 else end)
    return row | more


def values(rows: list[Row]) -> dict[tuple[str, str], float]:
    found = reconcile([records(rows)]).values
    days = found["time"].dt.strftime("%m-%d")
    return dict(zip(zip(found["code"], days, strict=True), found["numeric_value"], strict=True))


def value(rows: list[Row]) -> float:
    (found,) = values(rows).values()
    return found


times = st.integers(0, 22 * 60)
source_names = st.sampled_from(["phone", "watch", "ring"])


@st.composite
def several_sources(draw: st.DrawFn) -> list[Row]:
    """Statements of all kinds by three sources about two quantities of one day."""
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        start = DAY + pd.Timedelta(minutes=draw(times))
        end = start + pd.Timedelta(minutes=draw(st.integers(0, 100)))
        code = draw(st.sampled_from([STEPS, RATE]))
        kinds = [Amount.PART, Amount.TOTAL] if code == STEPS else [Amount.READING, Amount.TOTAL]
        amount = draw(st.sampled_from(kinds))
        is_total = amount is Amount.TOTAL
        rows.append(
            {
                "subject_label": "p", "code": code, "amount": amount, "file": "a",
                "time": DAY if is_total else start, "end": pd.NaT if is_total else end,
                "numeric_value": float(draw(st.integers(40, 150))), "source": draw(source_names),
            }
        )  # fmt: skip
    return rows


def hours_of(row: Row) -> set[int]:
    if row["amount"] is Amount.TOTAL:
        return set()
    return set(range(row["time"].hour, max(row["end"] - pd.Timedelta(1), row["time"]).hour + 1))


def number_of(code: str, totals: list[float], parts: list[float]) -> float | None:
    if code == STEPS:
        return max([sum(parts), *totals])
    if totals:
        return totals[0]
    return sum(parts) / len(parts) if parts else None


def model(rows: list[Row]) -> dict[str, float]:
    """Say in plain words which source counts, for rows whose parts do not overlap."""
    unique = list({tuple(map(str, row.values())): row for row in rows}.values())
    touched: dict[str, set[int]] = defaultdict(set)
    groups: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in unique:
        touched[row["source"]] |= hours_of(row)
        groups[row["code"]][row["source"]].append(row)
    day = {name: len(hours) for name, hours in touched.items()}
    candidates: dict[str, list[tuple[str, bool, int, int, float]]] = defaultdict(list)
    for code, sources in groups.items():
        parts = {s: [r for r in of if r["amount"] is not Amount.TOTAL] for s, of in sources.items()}
        cover = {s: len(set().union(*map(hours_of, of))) for s, of in parts.items()}
        for name, of in sources.items():
            totals = [r["numeric_value"] for r in of if r["amount"] is Amount.TOTAL]
            if code == RATE and len(set(totals)) > 1:
                totals = []
            number = number_of(code, totals, [r["numeric_value"] for r in parts[name]])
            hours = max(cover.values()) if totals else cover[name]
            count = max(map(len, parts.values())) if totals else len(parts[name])
            day[name] = max(day[name], hours)
            if number is not None:
                candidates[code].append((name, bool(totals), hours, count, number))
    chosen = {}
    for code, of_code in candidates.items():
        key = by_amount if code == STEPS else by_readings
        chosen[code] = max(of_code, key=lambda c, key=key: key(c, day[c[0]]))[-1]
    return chosen


def by_amount(candidate: tuple[str, bool, int, int, float], day: int) -> tuple[float, ...]:
    _, _, hours, _, number = candidate
    return hours, day, number


def by_readings(candidate: tuple[str, bool, int, int, float], day: int) -> tuple[float, ...]:
    _, is_total, hours, count, number = candidate
    return hours, count, day, is_total, -number


def overlap(rows: list[Row]) -> bool:
    parts = [r for r in rows if r["amount"] is Amount.PART]
    return any(
        (a["source"] == b["source"] and a["time"] < b["end"] and b["time"] < a["end"])
        or a["time"] == b["time"]
        for n, a in enumerate(parts) for b in parts[:n]
    )  # fmt: skip


@settings(max_examples=25)
@given(several_sources())
def test_the_best_covered_source_counts(rows: list[Row]) -> None:
    if not overlap(rows):
        found = {code: number for (code, _), number in values(rows).items()}
        assert found == pytest.approx(model(rows))


@settings(max_examples=8)
@given(several_sources(), st.randoms(), st.integers(0, 8), st.integers(-400, 400))
def test_neither_order_files_copies_names_nor_other_people_matter(
    rows: list[Row], order: Any, cut: int, shift: int
) -> None:
    expected = values(rows)
    mixed = list(rows)
    order.shuffle(mixed)
    assert values(mixed) == expected
    renamed = {"phone": "Z", "watch": "a", "ring": "m"}
    assert values([row | {"source": renamed[row["source"]]} for row in rows]) == expected
    halves = [mixed[:cut], [row | {"file": "b"} for row in mixed[cut:]]]
    parts = [records(half) for half in halves if half]
    found = reconcile([*parts, records([row | {"file": "copy"} for row in rows])]).values
    assert sorted(found["numeric_value"]) == sorted(expected.values())
    other = reconcile([records([*rows, *(row | {"subject_label": "q"} for row in rows)])]).values
    assert len(other) == 2 * len(expected)
    later = pd.Timedelta(days=shift)
    moved = [row | {"time": row["time"] + later, "end": row["end"] + later} for row in rows]
    assert sorted(values(moved).values()) == sorted(expected.values())


night = st.lists(
    st.tuples(st.integers(0, 4 * 1440), st.integers(1, 600), st.sampled_from(["watch", "ring"])),
    min_size=1, max_size=6,
)  # fmt: skip


def asleep(start: int, length: int, source: str) -> Row:
    begin = DAY + pd.Timedelta(minutes=start)
    return stated(Amount.INTERVAL, np.nan, code=SLEEP, source=source) | {
        "time": begin, "end": begin + pd.Timedelta(minutes=length)
    }  # fmt: skip


@settings(max_examples=12)
@given(night, st.data(), st.integers(-300, 300))
def test_sleep_in_pieces_or_on_other_days_is_the_same_sleep(
    spans: list[tuple[int, int, str]], data: st.DataObject, shift: int
) -> None:
    expected = values([asleep(*span) for span in spans])
    pieces = []
    for start, length, source in spans:
        cut = data.draw(st.integers(0, length))
        pieces += [(start, cut, source), (start + cut, length - cut, source)]
    in_pieces = values([asleep(*piece) for piece in pieces if piece[1]])
    assert set(in_pieces) == set(expected)
    if len({source for *_, source in spans}) == 1:
        assert in_pieces == pytest.approx(expected)
    moved = values([asleep(s + shift * 1440, length, name) for s, length, name in spans])
    days = {(pd.Timestamp(f"2024-{d}") + pd.Timedelta(days=shift)) for _, d in expected}
    assert {day.strftime("%m-%d") for day in days} == {day for _, day in moved}
    assert sorted(moved.values()) == pytest.approx(sorted(expected.values()))


def test_a_night_belongs_to_the_day_of_waking_and_a_nap_to_its_own() -> None:
    nap = asleep(17 * 60 + 40, 40, "watch")
    assert values([nap]) == {(SLEEP, "03-05"): pytest.approx(2 / 3)}
    stages = [asleep(17 * 60 + 40, 15, "watch"), asleep(17 * 60 + 58, 22, "watch")]
    assert set(values(stages)) == {(SLEEP, "03-05")}
    assert set(values([asleep(22 * 60, 60, "watch")])) == {(SLEEP, "03-06")}
    assert set(values([asleep(23 * 60, 100, "w"), asleep(1600, 300, "w")])) == {(SLEEP, "03-06")}


def test_a_total_is_not_added_to_its_parts_and_covers_as_much_as_the_best() -> None:
    hours = [stated(Amount.PART, 1000, f"{h}:00", f"{h + 1}:00", source="phone") for h in (9, 10)]
    total = stated(Amount.TOTAL, 5200, source="band")
    assert value([*hours, total]) == 5200
    assert value([*hours, total | {"source": "phone"}]) == 5200
    assert value([*hours, total | {"numeric_value": 400.0}]) == 2000


def test_the_loudest_mean_does_not_count() -> None:
    watch = [stated(Amount.READING, 70, f"{h}:00", code=RATE, source="watch") for h in (8, 9)]
    bike = stated(Amount.READING, 165, "18:00", code=RATE, source="bike")
    assert value([*watch, bike]) == 70
    figure = stated(Amount.TOTAL, 58, code=RESTING, source="watch")
    readings = [stated(Amount.READING, 72, f"{h}:00", code=RESTING, source="app") for h in (8, 9)]
    assert value([figure, *readings]) == 58


def test_a_reading_that_a_file_holds_more_often_weighs_more_but_averages_once() -> None:
    often = [stated(Amount.READING, 70, "9:00", code=RATE, source="phone")] * 5
    once = stated(Amount.READING, 60, "9:00", code=RATE, source="other")
    assert value([*often, once]) == 70
    assert value([*often, stated(Amount.READING, 80, "9:30", code=RATE, source="phone")]) == 75


def test_an_impossible_reading_goes_and_leaves_the_others() -> None:
    rows = [
        stated(Amount.READING, v, f"{h}:00", code=RATE) for h, v in ((8, 0), (9, 70), (10, 999))
    ]
    decided = reconcile([records(rows)])
    assert decided.values["numeric_value"].tolist() == [70]
    (problem,) = grouped(decided.problems)
    assert problem.count == 2
    assert "value 0 is impossible" in problem.message


def test_a_running_total_at_midnight_closes_the_day_before() -> None:
    at = [("2024-03-05 10:00", 400.0), ("2024-03-05 20:00", 900.0), ("2024-03-06 00:00", 950.0)]
    rows = [stated(Amount.RUNNING, v, text_value="walk") | {"time": pd.Timestamp(t)} for t, v in at]
    assert values(rows) == {(STEPS, "03-05"): 950}


@pytest.mark.parametrize(
    ("end", "word"), [("2024-03-08 00:00", "more than a day"), ("2024-03-04 00:00", "before it")]
)
def test_intervals_of_no_day_are_left_out_and_named(end: str, word: str) -> None:
    decided = reconcile([records([stated(Amount.PART, 10, "9:00", end, place="7")])])
    assert decided.values.empty
    (problem,) = grouped(decided.problems)
    assert problem.row == 7
    assert word in problem.found


def test_single_values_of_a_moment_must_agree_unless_one_was_changed_later() -> None:
    rows = [stated(Amount.ONCE, number, place=str(number)) for number in (4000, 5000)]
    decided = reconcile([records(rows)])
    assert decided.values.empty
    assert "several different values" in decided.problems[0].found
    for n, row in enumerate(rows):
        row["updated"] = pd.Timestamp(f"2024-03-0{8 - n}")
    assert value(rows) == value(rows[::-1]) == 4000
    later = stated(Amount.ONCE, 6000, "10:00", updated=pd.Timestamp("2024-03-01"))
    assert value([*rows, later]) == 6000


def test_figures_of_one_day_by_one_source_that_differ_count_only_if_they_are_amounts() -> None:
    totals = [stated(Amount.TOTAL, number) for number in (3000, 8000)]
    assert value(totals) == 8000
    changed = [row | {"updated": pd.Timestamp(f"2024-03-0{9 - n}")} for n, row in enumerate(totals)]
    assert value(changed) == 3000
    rates = [row | {"code": RESTING, "numeric_value": 50.0 + n} for n, row in enumerate(totals)]
    decided = reconcile([records(rates)])
    assert decided.values.empty
    assert "one source gives several different values" in decided.problems[0].found


def test_a_single_value_counts_before_what_is_computed() -> None:
    assert value([stated(Amount.ONCE, 70), stated(Amount.TOTAL, 5000)]) == 70
