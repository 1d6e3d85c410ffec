"""The value of a day: from all that several sources state of one person, day and quantity.

One rule for every format.

Within one source: the amounts of intervals add up, no time counted twice (`part_amounts`); sleep is
the union of its intervals; running totals count by their increases; readings are averaged. A
source's figure of the whole day stands beside its parts, never added to them: of amounts the larger
counts, since a total can't be less than its parts; of anything else the figure of the day.

Of several sources one counts, never their sum and never the loudest. Each criterion decides only
where those before it do not:

1. the source that covers most hours of the day with this quantity (hours of the clock that its
   intervals and readings touch);
2. for what is averaged, the source with more readings;
3. the source that recorded most hours of the person's day, with whatever quantity;
4. for amounts the larger, because a device that is not carried only misses; for anything else the
   figure of the whole day, then the value that its file holds more often, then the smaller one.

A figure of a whole day has no hours: it covers as much, and stands for as many readings, as the
best source of that day and quantity. A value stated once for a day or moment (a score, a table's
cell) counts before anything of that day that is computed from several.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import CODE, NUMBER, TEXT, TIME
from contracts.errors import Problem
from contracts.vocabulary import vocabulary
from features.measurements.amounts import (
    increases,
    largest,
    number_groups,
    part_amounts,
    union_hours,
)
from features.measurements.coverage import Rows, ends, nanoseconds, numbers_of, ranked_groups
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
from features.measurements.wall_clock import nights, sleep_episodes

SLEEP = "REHABCAST//SLEEP"
LONGEST = pd.Timedelta(hours=36)
"""A longer interval is not of one day."""

NEVER = np.iinfo(np.int64).min + 1
"""Stands for an unknown time: before all others."""


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
    records, problems = within_a_day(records)
    day = _days(records)
    quantity_N, first_Q = number_groups(
        *numbers_of(records, [SUBJECT_LABEL, CODE]), nanoseconds(day)
    )
    is_single = (records[AMOUNT] == str(Amount.ONCE)).to_numpy()
    single_N, undecided = _latest(records, quantity_N, np.flatnonzero(is_single))
    has_single_Q = np.zeros(len(first_Q), dtype=np.bool_)
    has_single_Q[quantity_N[single_N]] = True
    rest_N = np.flatnonzero(~is_single & ~has_single_Q[quantity_N])
    rest = records.iloc[rest_N].assign(day=day.iloc[rest_N], quantity=quantity_N[rest_N])
    counted, open_totals = _counted(rest)
    columns = [SUBJECT_LABEL, TIME, CODE, NUMBER, TEXT]
    values = pd.concat([records.iloc[single_N][columns], counted[columns]], ignore_index=True)
    return DayValues(values=values, problems=[*problems, *undecided, *open_totals])


def within_a_day(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Leave out what lasts for several days, or ends before it begins."""
    if not records[END].notna().any():
        return records, []
    lasts = records[END] - records[TIME]
    long, backwards = lasts > LONGEST, lasts < pd.Timedelta(0)
    problems = each(
        records[long],
        lambda row: f"{row[TIME]:%Y-%m-%d} to {row[END]:%Y-%m-%d} is more than a day",
        "export values of single days or shorter",
        "intervals of several days",
    )
    problems += each(
        records[backwards],
        lambda row: f"it ends at {row[END]}, before it begins at {row[TIME]}",
        "correct its times in the source",
        "intervals that end before they begin",
    )
    return (records[~long & ~backwards] if problems else records), problems


def _days(records: pd.DataFrame) -> pd.Series:
    """Return each record's day: of waking for sleep, else that on which it begins."""
    # A running total at midnight closes the day before.
    running = records[AMOUNT] == str(Amount.RUNNING)
    begins = records[TIME].mask(running, records[TIME] - pd.Timedelta(seconds=1))
    day: pd.Series = begins.dt.normalize()
    asleep = ((records[CODE] == SLEEP) & records[END].notna()).to_numpy()
    if not asleep.any():
        return day
    sleep = records[asleep]
    sleeper_N, _ = number_groups(*numbers_of(sleep, [SUBJECT_LABEL, SOURCE]))
    bounds = sleep_episodes(sleeper_N, nanoseconds(sleep[TIME]), nanoseconds(sleep[END]))
    start, end = (pd.Series(pd.to_datetime(bound), index=sleep.index) for bound in bounds)
    # What looks like sleep for days is no one night: each piece keeps its own day.
    endless = end - start > LONGEST
    start, end = start.mask(endless, sleep[TIME]), end.mask(endless, sleep[END])
    day[asleep] = nights(start, end).astype(day.dtype)
    return day


def _latest(records: pd.DataFrame, quantity_N: Rows, single_N: Rows) -> tuple[Rows, list[Problem]]:
    """Of a day's single values keep that with the latest time; equally late ones must agree.

    Of values of one moment the one changed last counts, if all say when that was.
    """
    quantity = quantity_N[single_N]
    if not pd.Series(quantity).duplicated().any():
        return single_N, []
    rows = records.iloc[single_N]
    last = (rows[TIME] == rows.groupby(quantity)[TIME].transform("max")).to_numpy()
    rows, quantity, single_N = rows[last], quantity[last], single_N[last]
    newest = _changed_last(rows[UPDATED], quantity)
    rows, quantity, single_N = rows[newest], quantity[newest], single_N[newest]
    differ = np.zeros(len(rows), dtype=np.bool_)
    several = pd.Series(quantity).duplicated(keep=False).to_numpy()
    if several.any():
        said = content(rows[several], [NUMBER, TEXT])
        differ[several] = said.groupby(quantity[several]).transform("nunique") > 1
    problems = each(
        rows[differ],
        lambda row: f"{row[TIME]:%Y-%m-%d} has several different values at the same time",
        "keep the right one in the source, or give each its time of day",
        "different values of one person, day and quantity",
    )
    first = ~pd.Series(quantity).duplicated().to_numpy()
    return single_N[~differ & first], problems


def _changed_last(updated: pd.Series, group_N: Rows) -> NDArray[np.bool_]:
    """Return which rows of each group were changed last; all where one does not say when."""
    if updated.isna().all() or not pd.Series(group_N).duplicated().any():
        return np.ones(len(group_N), dtype=np.bool_)
    groups = updated.groupby(group_N)
    known = updated.notna().groupby(group_N).transform("all")
    return np.asarray(~known | (updated == groups.transform("max")), dtype=np.bool_)


def _counted(records: pd.DataFrame) -> tuple[pd.DataFrame, list[Problem]]:
    """Return one value for each person, code and day: of the source that counts."""
    if records.empty:
        return records, []
    group_N, first_G = number_groups(records["quantity"].to_numpy(), *numbers_of(records, [SOURCE]))
    codes = records[CODE].iloc[first_G]
    added_G = codes.map({code: is_added_up(code) for code in codes.unique()}).to_numpy(dtype=bool)
    total_G, problems = _totals(records, group_N, added_G)
    stated_G = _amounts(records, group_N, len(first_G))
    value_G = np.where(added_G, np.fmax(total_G, stated_G), total_G)
    value_G = np.where(np.isnan(value_G), stated_G, value_G)
    order = ranked_groups(records, group_N, first_G, added_G, ~np.isnan(total_G), value_G)
    order = order[~np.isnan(value_G[order])]
    quantity = records["quantity"].to_numpy()[first_G[order]]
    chosen_G = order[~pd.Series(quantity).duplicated().to_numpy()]
    values = records.iloc[first_G[chosen_G]].copy()
    values[TIME], values[NUMBER], values[TEXT] = values["day"], value_G[chosen_G], None
    return values, problems


def _totals(
    records: pd.DataFrame, group_N: Rows, added_G: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], list[Problem]]:
    """Return each group's figure of the whole day, NaN where there is none.

    Of several the one changed last counts. If that isn't known, of amounts the larger, because it
    was read later in the day; anything else must agree.
    """
    is_total = (records[AMOUNT] == str(Amount.TOTAL)).to_numpy()
    if not is_total.any():
        return np.full(len(added_G), np.nan), []
    rows, group = records[is_total], group_N[is_total]
    newest = _changed_last(rows[UPDATED], group)
    rows, group = rows[newest], group[newest]
    differ = (rows.groupby(group)[NUMBER].transform("nunique") > 1).to_numpy() & ~added_G[group]
    problems = each(
        rows[differ],
        lambda row: f"one source gives several different values for {row[TIME]:%Y-%m-%d}",
        "keep the right one in the source",
        "different values of one person, day and quantity",
    )
    value_N = rows[NUMBER].to_numpy()[~differ]
    return largest(group[~differ], value_N, len(added_G)), problems


def _amounts(records: pd.DataFrame, group_N: Rows, groups: int) -> NDArray[np.float64]:
    """Return what the parts, intervals, readings or running totals of each group come to."""
    value_G = np.full(groups, np.nan)
    updated_N = np.where(records[UPDATED].notna(), nanoseconds(records[UPDATED]), NEVER)
    for amount, rows in records.groupby(AMOUNT, sort=True).indices.items():
        group, number = group_N[rows], records[NUMBER].to_numpy()[rows]
        start, end = nanoseconds(records[TIME])[rows], ends(records)[rows]
        if amount == Amount.PART:
            found_G = part_amounts(group, start, end, number, updated_N[rows], groups)
        elif amount == Amount.INTERVAL:
            found_G = union_hours(group, start, end, groups)
        elif amount == Amount.RUNNING:
            counter = pd.factorize(records[TEXT].iloc[rows])[0]
            found_G = increases(group, counter, start, number, groups)
        elif amount == Amount.READING:
            found_G = np.bincount(group, number, groups) / np.maximum(
                np.bincount(group, minlength=groups), 1
            )
        else:
            continue
        there_G = np.bincount(group, minlength=groups) > 0
        value_G = np.fmax(value_G, np.where(there_G, found_G, np.nan))
    return value_G
