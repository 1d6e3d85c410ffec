"""The value of a day: from all that several sources state of one person, day and quantity.

One rule for every format. Within one source parts add up, an interval that contains others stands
for them, overlapping sleep counts once, readings are averaged. Of several sources one counts: the
one that covers most hours of the day, never the one with the largest value. Between sources that
cover equally much, the one that recorded more of the person's day counts; for amounts that are left
then the larger, because a device that is not carried only misses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import vocabulary
from features.measurements.plausible import each
from features.measurements.records import (
    AMOUNT,
    END,
    SOURCE,
    SUBJECT_LABEL,
    UPDATED,
    Amount,
    content,
)
from features.measurements.wall_clock import nights

SLEEP = "REHABCAST//SLEEP"
LONGEST = pd.Timedelta(hours=36)
"""A longer interval is not of one day."""

KEY = [SUBJECT_LABEL, CODE, "day"]
_HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DayValues:
    """Values by person, code and day, and what was left out.

    Parameters
    ----------
    values
        Columns subject_label, time (the day, or the moment of a single value), code, number, text.
    problems
        What could not be decided.
    """

    values: pd.DataFrame
    problems: list[Problem]


def is_added_up(code: str) -> bool:
    """Return whether a day's value is an amount, such as steps, by its unit per day."""
    entry = vocabulary().get(code)
    return entry is not None and entry.unit.endswith("/d")


def day_values(records: pd.DataFrame) -> DayValues:
    """Turn dated records into one value for each person, code and day.

    Parameters
    ----------
    records
        Dated records of assessments and daily values, each statement once.
    """
    records, problems = _within_a_day(records)
    dated = records.assign(day=_days(records))
    single = dated[AMOUNT] == str(Amount.ONCE)
    once, undecided = _latest(dated[single])
    several = dated[~single]
    several = several[~pd.MultiIndex.from_frame(several[KEY]).isin(_keys(once))]
    counted = _chosen(_by_source(several))
    values = pd.concat([once, counted.assign(**{TIME: counted["day"], TEXT: None})])
    columns = [SUBJECT_LABEL, TIME, CODE, NUMBER, TEXT]
    return DayValues(
        values=values[columns].reset_index(drop=True), problems=[*problems, *undecided]
    )


def _keys(table: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(table[KEY])


def _within_a_day(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    long = (records[END] - records[TIME]) > LONGEST
    return records[~long], each(
        records[long],
        lambda row: f"{row[TIME]:%Y-%m-%d} to {row[END]:%Y-%m-%d} is more than a day",
        "export values of single days or shorter",
        "intervals of several days",
    )


def _days(records: pd.DataFrame) -> pd.Series:
    """Return each record's day: of waking for sleep, else that on which it begins."""
    day = records[TIME].dt.normalize()
    asleep = (records[CODE] == SLEEP) & records[END].notna()
    day = day.mask(asleep, nights(records[TIME], records[END]))
    # A running total at midnight closes the day before.
    running = records[AMOUNT] == str(Amount.RUNNING)
    return day.mask(running, (records[TIME] - pd.Timedelta(seconds=1)).dt.normalize())


def _latest(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Of a day's single values keep that with the latest time; equally late ones must agree."""
    if records.empty:
        return records, []
    # Records of one moment that were changed later are newer.
    last = records.groupby(KEY, sort=False)[TIME].transform("max")
    kept = records[records[TIME] == last]
    values = content(kept, [NUMBER, TEXT])
    differ = values.groupby([kept[name] for name in KEY]).transform("nunique") > 1
    problems = each(
        kept[differ],
        lambda row: f"{row[TIME]:%Y-%m-%d} has several different values at the same time",
        "keep the right one in the source, or give each its time of day",
        "different values of one person, day and quantity",
    )
    return kept[~differ].drop_duplicates(KEY), problems


def _by_source(records: pd.DataFrame) -> pd.DataFrame:
    """Return one value for each person, code, day and source, with the hours that it covers."""
    key = [*KEY, SOURCE]
    tables = []
    for amount, rows in records.groupby(AMOUNT, sort=True):
        if amount == Amount.PART:
            value = _parts(rows, key)
        elif amount == Amount.TOTAL:
            value = _totals(rows, key)
        elif amount == Amount.INTERVAL:
            value = _union_hours(rows, key)
        elif amount == Amount.RUNNING:
            value = _increases(rows, key)
        else:
            value = rows.groupby(key, sort=True)[NUMBER].mean()
        tables.append(value.rename(NUMBER).reset_index().assign(amount=amount))
    if not tables:
        return pd.DataFrame(columns=[*key, NUMBER, "hours", "records", "all_hours", "all_records"])
    values = pd.concat(tables, ignore_index=True)
    total = values["amount"] == str(Amount.TOTAL)
    # A day's total stands for its parts; the larger counts, as a total can't be less than they are.
    added = values[CODE].map(is_added_up)
    stands = total.groupby([values[name] for name in key]).transform("any") & ~added
    values = values[~stands | total]
    values = values.groupby(key, as_index=False, sort=True)[NUMBER].max()
    return values.merge(_coverage(records, key), on=key).merge(
        _coverage(records, [SUBJECT_LABEL, "day", SOURCE]).rename(
            columns={"hours": "all_hours", "records": "all_records"}
        ),
        on=[SUBJECT_LABEL, "day", SOURCE],
    )


def _coverage(records: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Return how many hours of the day each group touches, and how many records it has."""
    rows = records.reset_index(drop=True)
    whole_day = (rows[AMOUNT] == str(Amount.TOTAL)).to_numpy()
    start_N = rows[TIME].to_numpy().astype("datetime64[ns]").astype(np.int64)
    end_N = rows[END].where(rows[END].notna(), rows[TIME]).to_numpy().astype("datetime64[ns]")
    last_N = np.maximum(end_N.astype(np.int64) - 1, start_N)
    last_N = np.where(whole_day, start_N, last_N)
    first_N = start_N // _HOUR_NS
    count_N = last_N // _HOUR_NS - first_N + 1
    at_N = np.repeat(np.arange(len(rows)), count_N)
    step_N = np.arange(len(at_N)) - np.repeat(np.cumsum(count_N) - count_N, count_N)
    touched = rows[key].iloc[at_N].assign(hour=first_N[at_N] + step_N)
    hours = touched.drop_duplicates().groupby(key, sort=False).size().rename("hours")
    return pd.concat(
        [hours, rows.groupby(key, sort=False).size().rename("records")], axis=1
    ).reset_index()


def _chosen(values: pd.DataFrame) -> pd.DataFrame:
    """Choose one source for each person, code and day."""
    added = values[CODE].map(is_added_up).astype(bool)
    ranked = values.assign(
        readings=values["records"].mask(added, 0), amount_of=values[NUMBER].where(added, 0.0)
    )
    order = ["hours", "readings", "all_hours", "all_records", "amount_of"]
    ranked = ranked.sort_values([*order, SOURCE], ascending=[False] * len(order) + [True])
    return ranked.drop_duplicates(KEY)


def _totals(rows: pd.DataFrame, key: list[str]) -> pd.Series:
    """Of several totals of one source the larger amount, else the one stated last."""
    added = rows[CODE].map(is_added_up)
    latest = rows.sort_values([TIME, UPDATED, NUMBER], na_position="first")
    last = latest.groupby(key, sort=True)[NUMBER].last()
    largest = rows[added].groupby(key, sort=True)[NUMBER].max()
    return largest.reindex(last.index).fillna(last)


def _parts(rows: pd.DataFrame, key: list[str]) -> pd.Series:
    ordered = rows.sort_values([*key, TIME, END], na_position="first", kind="stable")
    groups = ordered.groupby(key, sort=False).ngroup().to_numpy()
    start_N, end_N = _bounds(ordered)
    overlapping = _overlapping_groups(groups, start_N, end_N)
    value_N = ordered[NUMBER].to_numpy(dtype=float)
    updated_N = ordered[UPDATED].to_numpy().astype("datetime64[ns]").astype(np.int64)
    total = ordered.groupby(key, sort=False)[NUMBER].sum()
    for group in overlapping:
        at = np.flatnonzero(groups == group)
        rows_of = list(zip(start_N[at], end_N[at], value_N[at], updated_N[at], strict=True))
        total.iloc[group] = _amount(rows_of)
    return total


def _bounds(rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    start = rows[TIME].to_numpy().astype("datetime64[ns]").astype(np.int64)
    end = rows[END].where(rows[END].notna(), rows[TIME]).to_numpy()
    return start, end.astype("datetime64[ns]").astype(np.int64)


def _overlapping_groups(
    group_N: NDArray[np.int64], start_N: NDArray[np.int64], end_N: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the groups, each in order of start, in which an interval begins before another ends."""
    latest = pd.Series(end_N).groupby(group_N).cummax().to_numpy()
    same = np.concatenate([[False], group_N[1:] == group_N[:-1]])
    before = np.concatenate([[np.iinfo(np.int64).min], latest[:-1]])
    return np.unique(group_N[same & (start_N < before)])


def _amount(rows: list[tuple[int, int, float, int]]) -> float:
    """Add up intervals; one that contains others counts as they do, or as itself if that is more.

    Of two values of the very same interval the one that was changed last counts, else the larger.
    """
    by_bounds: dict[tuple[int, int], tuple[int, float]] = {}
    moments = 0.0
    outer = [(start, end) for start, end, _, _ in rows if end > start]
    for start, end, value, updated in rows:
        if end == start:
            if not any(low <= start < high for low, high in outer):
                moments += value
            continue
        known = by_bounds.get((start, end), (np.iinfo(np.int64).min, -np.inf))
        by_bounds[start, end] = max(known, (updated, value))
    left = sorted(by_bounds, key=lambda bounds: (bounds[0], -bounds[1]))
    total = moments
    while left:
        start, end = left.pop(0)
        inside = [bounds for bounds in left if bounds[1] <= end]
        left = [bounds for bounds in left if bounds[1] > end]
        parts = [
            (low, high, by_bounds[low, high][1], by_bounds[low, high][0]) for low, high in inside
        ]
        total += max(by_bounds[start, end][1], _amount(parts) if parts else 0.0)
    return total


def _union_hours(rows: pd.DataFrame, key: list[str]) -> pd.Series:
    """Return the hours that at least one interval covers."""
    ordered = rows.sort_values([*key, TIME, END], kind="stable")
    start_N, end_N = _bounds(ordered)
    group_N = ordered.groupby(key, sort=False).ngroup().to_numpy()
    latest_N = pd.Series(end_N).groupby(group_N).cummax().to_numpy()
    same = np.concatenate([[False], group_N[1:] == group_N[:-1]])
    before_N = np.where(same, np.concatenate([[0], latest_N[:-1]]), start_N)
    new_N = np.maximum(latest_N - np.maximum(start_N, before_N), 0)
    hours = pd.Series(new_N / _HOUR_NS, index=ordered.index)
    return hours.groupby([ordered[name] for name in key], sort=False).sum()


def _increases(rows: pd.DataFrame, key: list[str]) -> pd.Series:
    """Add up by how much running totals rose in a day, for each counter (`text_value`).

    A total below the one before has started again at zero, as it does at the beginning of a day.
    """
    counter = [*key, TEXT]
    ordered = rows.assign(**{TEXT: rows[TEXT].fillna("")}).sort_values(
        [*counter, TIME, NUMBER], kind="stable"
    )
    before = ordered.groupby(counter, sort=False)[NUMBER].shift(fill_value=0.0)
    risen = ordered[NUMBER] - before
    new = risen.where(risen >= 0, ordered[NUMBER])
    return new.groupby([ordered[name] for name in key], sort=False).sum()
