"""Turns what was collected into a cohort's events: days, subject ids, onset and enrolment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from contracts.cohort import (
    CODE,
    COLUMNS,
    ENROLMENT,
    NUMBER,
    ONSET,
    SUBJECT,
    TEXT,
    TIME,
    RuleCount,
)
from contracts.vocabulary import vocabulary
from features.biomarkers import posture, sleep, therapy, wear
from features.biomarkers.heart import reserves
from features.biomarkers.minute_parts import by_one_device
from features.biomarkers.reduction import CLOCK_CHANGE, whole_subject
from features.extract import DAYS_FOLDER, extract_locally, read_days
from features.importing.import_map import ImportMap
from features.measurements.identity import similar_problems, subject_numbers
from features.measurements.people import onset_problem
from features.measurements.reconcile import reconcile
from features.measurements.records import BIRTH_DATE, SUBJECT_LABEL, records
from features.minutes import minute_files, write_minutes
from features.plausibility import plausible_events
from features.recording import Collected

AGE, ARM = "REHABCAST//AGE", "REHABCAST//AFFECTED_ARM"
DEVICE, DEVICE_CHANGE = "REHABCAST//DEVICE", "REHABCAST//DEVICE_CHANGE"
NO_MEASUREMENT = (BIRTH_DATE, ONSET, ENROLMENT, CLOCK_CHANGE, DEVICE_CHANGE)
WRISTS = {"left": "left wrist", "right": "right wrist"}


class RuleCounts:
    """Counts the rows that each rule of an import applied to."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, rule: str, rows: int = 1) -> None:
        """Add rows to the count of a rule."""
        if rows:
            self.counts[rule] = self.counts.get(rule, 0) + rows

    def as_tuple(self) -> tuple[RuleCount, ...]:
        """Return the counts as a cohort's provenance holds them."""
        return tuple(RuleCount(rule=rule, rows=rows) for rule, rows in self.counts.items())


def assemble(
    collected: Collected, people: pd.DataFrame, import_map: ImportMap, draft: Path
) -> tuple[pd.DataFrame, dict[str, int], RuleCounts]:
    """Write minutes into the draft folder and return all events.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, ids by label, and the rules applied. What breaks the
    vocabulary's ranges or lies before the onset is left out and stands in `collected.dropped`.
    """
    rules = RuleCounts()
    decided = reconcile([*collected.records, people], dates_shifted=import_map.dates_shifted)
    collected.dropped += decided.problems
    collected.dropped += [onset_problem(choice, "*") for choice in decided.onset_choices]
    known = decided.values
    recorded = collected.subjects()
    labels = {*recorded, *known[SUBJECT_LABEL]} - {""}
    collected.dropped += similar_problems(labels)
    ids = subject_numbers(labels)
    affected = known.loc[known[CODE] == ARM, [SUBJECT_LABEL, TEXT]]
    arms = dict(affected.itertuples(index=False, name=None))
    tables = []
    for subject in sorted(recorded, key=lambda label: ids[label]):
        whole = whole_subject(collected, subject)
        collected.dropped += whole.problems
        if len(whole.minutes):
            minutes, changes = _minutes(subject, whole.minutes, arms.get(subject, ""), rules)
            write_minutes(minutes.assign(**{SUBJECT: ids[subject]}), draft)
            tables += [changes, most_worn_maker(subject, minutes)]
        tables.append(whole.days.assign(**{SUBJECT_LABEL: subject, TEXT: None}))
    # What is computed from a recording counts before what a source reports of the same day.
    events = pd.concat([*tables, known], ignore_index=True)
    events[SUBJECT] = events[SUBJECT_LABEL].map(ids)
    events = pd.concat([_days(draft, collected), events], ignore_index=True)[[*COLUMNS]]
    events = events.astype({TIME: "datetime64[us]", NUMBER: float})
    events = _adherence(events, import_map)
    events = reserves(_dated(events, rules))
    if len(events):
        events, excluded = plausible_events(events)
        collected.dropped += [values.as_problem() for values in excluded]
        for values in excluded:
            name = vocabulary()[values.code].name
            rules.count(f"{name} {values.reason}: left out", values.values)
    return events, ids, rules


def _minutes(
    subject: str, joined: pd.DataFrame, arm: str, rules: RuleCounts
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge wear and sleep of each device, choose the main one, and find exchanged devices."""
    tables = []
    for _, rows in joined.groupby(["placement", "device"], sort=True):
        flags, rule = wear.worn(rows)
        rules.count(f"minutes whose wear was judged by: {rule}", len(rows))
        judged = rows.assign(
            is_worn=True if flags is None else flags,
            worn=pd.Series(flags, index=rows.index, dtype="boolean") if flags is not None else None,
        )
        slept = sleep.asleep(judged) if flags is not None else None
        tables.append(judged.assign(asleep=slept))
    minutes = by_one_device(pd.concat(tables, ignore_index=True))
    minutes = posture.by_one_device(minutes)
    worn = minutes.assign(worn=minutes["worn"].fillna(False).astype(bool))
    best = worn.groupby("placement")["worn"].sum().sort_index().idxmax()
    minutes["main"] = minutes["placement"] == best
    minutes["speaks_for_wear"] = wear_by_minute(minutes)
    if arm in WRISTS:
        minutes["other_use_s"] = unaffected_arm_use(minutes, WRISTS[arm])
    if "n" in minutes:
        minutes["enmo_mg"] = 1000 * minutes["enmo_sum"] / minutes["n"]
        minutes["mad_mg"] = 1000 * minutes["mad_sum"] / minutes["n"]
    changes = _exchanged(subject, minutes)
    rules.count("wearable exchanged for another at the same placement", len(changes))
    return minutes, changes


def most_worn_maker(subject: str, minutes: pd.DataFrame) -> pd.DataFrame:
    """Return the maker of the devices that a person wore for most minutes.

    An audit compares people by it; with the serial number every person would be a group alone.
    """
    worn = minutes.loc[minutes["worn"].fillna(True).astype(bool), "maker"]
    return records([(subject, None, DEVICE, None, maker) for maker in sorted(worn.mode())[:1]])


def wear_by_minute(minutes: pd.DataFrame) -> pd.Series:
    """Return whether any device was worn, on the first row of each minute that was judged."""
    judged = minutes["worn"].notna()
    anywhere = minutes["worn"][judged].astype(bool).groupby(minutes[TIME][judged]).transform("max")
    first = ~minutes[TIME][judged].duplicated()
    return anywhere[first].astype("boolean").reindex(minutes.index)


def unaffected_arm_use(minutes: pd.DataFrame, affected: str) -> pd.Series:
    """Return the other wrist's seconds of use on the affected wrist's rows, if both were worn."""
    if "use_s" not in minutes:
        return pd.Series(np.nan, index=minutes.index)
    measured = minutes["worn"].fillna(False).astype(bool) & minutes["use_s"].notna()
    is_affected = minutes["placement"] == affected
    is_other = minutes["placement"].isin(WRISTS.values()) & ~is_affected
    other = minutes[measured & is_other].drop_duplicates(TIME).set_index(TIME)["use_s"]
    return minutes[TIME].map(other).where(measured & is_affected)


def _exchanged(subject: str, minutes: pd.DataFrame) -> pd.DataFrame:
    first = minutes.groupby(["placement", "device"])[TIME].min().reset_index()
    later = first.sort_values(TIME)[first.sort_values(TIME).duplicated("placement", keep="first")]
    return records([(subject, at, DEVICE_CHANGE, None, None) for at in later[TIME]])


def _days(draft: Path, collected: Collected) -> pd.DataFrame:
    collected.dropped += extract_locally(minute_files(draft), draft / DAYS_FOLDER)
    return read_days(draft).assign(**{TEXT: None})


def _adherence(events: pd.DataFrame, import_map: ImportMap) -> pd.DataFrame:
    if import_map.planned_therapy_min_a_week is None:
        return events
    done = events[events[CODE] == therapy.THERAPY]
    tables = [events]
    for subject, rows in done.groupby(SUBJECT):
        minutes = rows.groupby(rows[TIME].dt.normalize())[NUMBER].sum()
        share = therapy.adherence(minutes, import_map.planned_therapy_min_a_week)
        tables.append(
            pd.DataFrame(
                {
                    SUBJECT: subject,
                    TIME: share.index,
                    CODE: therapy.ADHERENCE,
                    NUMBER: share,
                    TEXT: None,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _dated(events: pd.DataFrame, rules: RuleCounts) -> pd.DataFrame:
    """Give everybody an onset and an enrolment, and turn birth dates into ages at onset."""
    measured = events[events[TIME].notna() & ~events[CODE].isin(NO_MEASUREMENT)]
    dates = {
        code: events[events[CODE] == code].groupby(SUBJECT)[TIME].min()
        for code in (ONSET, ENROLMENT)
    }
    first = measured.groupby(SUBJECT)[TIME].min().dt.normalize().combine_first(dates[ONSET])
    undated = sorted(set(events[SUBJECT]) - set(first.index))
    rules.count("subject with nothing dated: left out", len(undated))
    events = events[events[SUBJECT].isin(first.index)]
    # The first recorded day replaces a missing date: it is the earliest known of the subject.
    onset = dates[ONSET].reindex(first.index).fillna(first)
    enrolment = dates[ENROLMENT].reindex(first.index).fillna(np.maximum(first, onset))
    for code, name in ((ONSET, "onset"), (ENROLMENT, "enrolment")):
        lacking = int((~first.index.isin(dates[code].index)).sum())
        rules.count(f"no {name} in the source: the first recorded day stands for it", lacking)
    born = events[events[CODE] == BIRTH_DATE].groupby(SUBJECT)[TIME].first()
    age = birthdays(born, onset.reindex(born.index))
    age = age[~age.index.isin(events.loc[events[CODE] == AGE, SUBJECT])]
    rest = events[~events[CODE].isin([BIRTH_DATE, ONSET, ENROLMENT])]
    added = [
        pd.DataFrame({SUBJECT: v.index, TIME: t, CODE: code, NUMBER: n, TEXT: None})
        for code, v, t, n in (
            (ONSET, onset, onset.to_numpy(), np.nan),
            (ENROLMENT, enrolment, enrolment.to_numpy(), np.nan),
            (AGE, age, pd.NaT, age.to_numpy()),
        )
        if len(v)
    ]
    return pd.concat([rest, *added], ignore_index=True)


def birthdays(born: pd.Series, until: pd.Series) -> pd.Series:
    """Return the age in years, a birthday on the day itself counted."""
    later = (until.dt.month < born.dt.month) | (
        (until.dt.month == born.dt.month) & (until.dt.day < born.dt.day)
    )
    return (until.dt.year - born.dt.year - later).astype(float)
