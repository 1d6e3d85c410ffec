"""The numbers of the report page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from contracts.cohort import CODE, ENROLMENT, NUMBER, SUBJECT, TEXT, TIME, WEAR_TIME, RuleCount
from contracts.errors import Problem
from contracts.groups import MINIMUM_SHOWN
from contracts.vocabulary import NOT_RECORDED, Kind, vocabulary
from features.past.groups import WORN_DAY_HOURS
from features.plausibility import CAUSES
from features.report.small_cells import hidden_groups

EVERYBODY = "everybody"
MOST_LABELS = 8
"""A fact with more labels than this is not used for grouping."""

REFERENCES = (WEAR_TIME, "LOINC//41950-7", "LOINC//40443-4")
"""What a day must hold to count as recorded: the first of these that the cohort has."""

MOST_WEEKS = 13
AGE = "REHABCAST//AGE"
AGE_EDGES, AGE_LABELS = [0, 55, 75, 200], ["under 55", "55 to under 75", "75 and over"]


def daily(events: pd.DataFrame) -> pd.DataFrame:
    """Return daily values with their day and week since enrolment."""
    words = vocabulary()
    kinds = {code: entry.kind for code, entry in words.items()}
    values = events[events[CODE].map(kinds) == Kind.DAILY]
    enrolment = events[events[CODE] == ENROLMENT].set_index(SUBJECT)[TIME].dt.normalize()
    day = values[TIME].dt.normalize()
    since = (day - values[SUBJECT].map(enrolment)).dt.days
    return values[[SUBJECT, CODE, NUMBER]].assign(day=day, week=np.floor_divide(since, 7))


def groups(events: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each grouping of the subjects: a label by subject, everybody first."""
    subjects = pd.Index(sorted(events[SUBJECT].unique()))
    labels = {EVERYBODY: pd.Series(EVERYBODY, index=subjects)}
    words = vocabulary()
    for code, rows in events[events[TIME].isna()].groupby(CODE):
        facts = rows.drop_duplicates(SUBJECT).set_index(SUBJECT)
        if code == AGE:
            label = pd.cut(facts[NUMBER], AGE_EDGES, right=False, labels=AGE_LABELS).astype(object)
        elif words[str(code)].is_numeric:
            continue
        else:
            label = facts[TEXT]
        if 2 <= label.nunique() <= MOST_LABELS:
            labels[words[str(code)].name] = label.reindex(subjects).fillna(NOT_RECORDED)
    return labels


def wear(days: pd.DataFrame) -> dict[str, Any]:
    """Return the wear of all subject-days that have a device; nothing of fewer than 11 people."""
    hours = days.loc[days[CODE] == WEAR_TIME, NUMBER]
    subjects = int(days.loc[days[CODE] == WEAR_TIME, SUBJECT].nunique())
    if subjects < MINIMUM_SHOWN:
        return {}
    return {
        "days": len(hours),
        "subjects": subjects,
        "median": float(hours.median()),
        "below": int((hours < WORN_DAY_HOURS).sum()),
        "share_below": float((hours < WORN_DAY_HOURS).mean()),
        "none": int((hours == 0).sum()),
    }


def reference(days: pd.DataFrame) -> str | None:
    """Return the code by which a day counts as recorded, None where the cohort has none of them."""
    present = set(days[CODE])
    return next((code for code in REFERENCES if code in present), None)


def missing_by_week(
    days: pd.DataFrame, grouped: Mapping[str, pd.Series]
) -> dict[str, pd.DataFrame]:
    """Return the share of missing days, by group (rows) and week (columns).

    A subject's days run from the first to the last with the reference code. Without wear time a
    day with steps, or with a resting heart rate, counts as worn. Cells that must not be shown are
    NaN (`features.report.small_cells`).
    """
    code = reference(days)
    reference_days = days[days[CODE] == code]
    if reference_days.empty:
        return {}
    expected = _expected(reference_days)
    good = (
        reference_days[reference_days[NUMBER] >= WORN_DAY_HOURS]
        if code == WEAR_TIME
        else reference_days
    )
    seen = good[[SUBJECT, "day"]].drop_duplicates().assign(seen=True)
    expected = expected.merge(seen, on=[SUBJECT, "day"], how="left")
    expected["missing"] = expected["seen"].isna().astype(float)
    expected = expected[expected["week"].between(0, MOST_WEEKS - 1)]
    hidden = _hidden_by_week(expected, grouped)
    tables = {}
    for name, label in grouped.items():
        cells = expected.assign(group=expected[SUBJECT].map(label)).groupby(["group", "week"])
        share = cells["missing"].mean()
        share[[(name, *cell) in hidden for cell in share.index]] = np.nan
        if share.notna().any():
            tables[name] = share.unstack("week")
    return tables


def _hidden_by_week(
    expected: pd.DataFrame, grouped: Mapping[str, pd.Series]
) -> set[tuple[str, str, int]]:
    """Return attribute, group and week of every cell that is hidden."""
    hidden: set[tuple[str, str, int]] = set()
    for week, rows in expected.groupby("week"):
        people = pd.Index(rows[SUBJECT].unique())
        members = {
            name: {
                str(group): frozenset(held.index)
                for group, held in label.reindex(people).groupby(label.reindex(people))
            }
            for name, label in grouped.items()
            if name != EVERYBODY
        }
        everybody = frozenset(people)
        hidden |= {(*cell, int(str(week))) for cell in hidden_groups(everybody, members)}
        if len(everybody) < MINIMUM_SHOWN:
            hidden.add((EVERYBODY, EVERYBODY, int(str(week))))
    return hidden


def _expected(days: pd.DataFrame) -> pd.DataFrame:
    ends = days.groupby(SUBJECT)["day"].agg(["min", "max"])
    start_week = days.sort_values("day").groupby(SUBJECT).first()
    rows = []
    for subject, first, last in ends.itertuples():
        all_days = pd.date_range(first, last, freq="D")
        at = start_week.loc[subject]
        offset = int(at["week"]) * 7
        rows.append(
            pd.DataFrame(
                {
                    SUBJECT: subject,
                    "day": all_days.astype("datetime64[us]"),
                    "week": (np.arange(len(all_days)) + offset) // 7,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def channels(days: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one row per daily code: how much of it there is, and where its values lie.

    Of fewer than 11 people only the code is told: `is_shown` is false, and there are no numbers.
    """
    words = vocabulary()
    all_days = max(len(days[[SUBJECT, "day"]].drop_duplicates()), 1)
    rows = []
    for code, part in days.groupby(CODE):
        low, middle, high = part[NUMBER].quantile([0.05, 0.5, 0.95])
        entry = words[str(code)]
        rows.append(
            {
                "name": entry.name,
                "code": code,
                "unit": entry.unit,
                "modality": entry.modality,
                "is_shown": bool(part[SUBJECT].nunique() >= MINIMUM_SHOWN),
                "values": len(part),
                "subjects": int(part[SUBJECT].nunique()),
                "low": float(low),
                "middle": float(middle),
                "high": float(high),
                "range": f"{entry.low:g} to {entry.high:g}{entry.doubt('range')}",
                "share": len(part) / all_days,
            }
        )
    return sorted(rows, key=lambda row: (row["modality"], row["name"]))


def losses(
    dropped: Sequence[Problem], unreadable: Sequence[Problem], rules: Sequence[RuleCount]
) -> list[dict[str, Any]]:
    """Return each loss with its file, field and reason: files first, then parts, then rules.

    Parameters
    ----------
    dropped, unreadable
        Problems of the import: what was left out, and files that were not imported.
    rules
        Rules of the import; what they counted of many files (`*`) is not repeated.
    """
    by_file = [
        {"what": what, "file": p.file, "field": p.field, "reason": p.message, "rows": p.count}
        for what, problems in (("file not imported", unreadable), ("left out or noted", dropped))
        for p in problems
        if p.file != "*" or p.cause not in CAUSES.values()
    ]
    by_rule = [
        {"what": "rule", "file": "*", "field": "", "reason": rule.rule, "rows": rule.rows}
        for rule in rules
        if rule.rows
    ]
    return [*by_file, *by_rule]
