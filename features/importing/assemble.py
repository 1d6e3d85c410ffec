"""From what was collected to a cohort's events: minutes to days, labels to ids, dates to all."""

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
from features.biomarkers import gait, posture, sleep, therapy, wear
from features.biomarkers.epochs import joined
from features.biomarkers.heart import reserves
from features.biomarkers.reduction import CLOCK_CHANGE
from features.extract import DAYS_FOLDER, read_days, run_here
from features.importing.import_map import Plan
from features.minutes import minute_files, write_minutes
from features.plausibility import plausible_events
from features.recording import BIRTH_DATE, WHO, Collected, records

AGE, ARM = "REHABCAST//AGE", "REHABCAST//AFFECTED_ARM"
DEVICE, DEVICE_CHANGE = "REHABCAST//DEVICE", "REHABCAST//DEVICE_CHANGE"
NO_MEASUREMENT = (BIRTH_DATE, ONSET, ENROLMENT, CLOCK_CHANGE, DEVICE_CHANGE)
WRISTS = {"left": "left wrist", "right": "right wrist"}


class Rules:
    """Counts what an import decided, by the rule's words."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def count(self, rule: str, rows: int = 1) -> None:
        """Add rows to a rule."""
        if rows:
            self.counts[rule] = self.counts.get(rule, 0) + rows

    def as_tuple(self) -> tuple[RuleCount, ...]:
        """Return them as a cohort's provenance has them."""
        return tuple(RuleCount(rule=rule, rows=rows) for rule, rows in self.counts.items())


def subject_ids(labels: set[str]) -> dict[str, int]:
    """Number the subjects: labels that are all whole numbers stay, others are counted in order."""
    if all(label.isascii() and label.isdigit() and len(label) < 18 for label in labels):
        return {label: int(label) for label in labels}
    return {label: number for number, label in enumerate(sorted(labels), start=1)}


def assemble(
    found: Collected, people: pd.DataFrame, plan: Plan, draft: Path
) -> tuple[pd.DataFrame, dict[str, int], Rules]:
    """Write minutes into the draft folder and return all events.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, ids by label, and the rules applied. What breaks the
    vocabulary's ranges or lies before the onset is left out and stands in `found.dropped`.
    """
    rules = Rules()
    known = pd.concat([*found.records, people, records([])], ignore_index=True)
    for who, parts in found.strides.items():
        found.daily[who].append(gait.daily_gait(pd.concat(parts, ignore_index=True)))
    labels = {*found.minutes, *found.daily, *known.loc[known[WHO] != "", WHO]}
    ids = subject_ids(labels)
    arms = dict(known.loc[known[CODE] == ARM, [WHO, TEXT]].itertuples(index=False, name=None))
    tables = [known]
    for who in sorted(found.minutes, key=lambda label: ids[label]):
        minutes, changes = _minutes(who, found.minutes.pop(who), arms.get(who, ""), rules)
        write_minutes(minutes.assign(**{SUBJECT: ids[who]}), draft)
        tables += [changes, maker_worn_most(who, minutes)]
    for who, parts in found.daily.items():
        tables += [part.assign(**{WHO: who, TEXT: None}) for part in parts]
    events = pd.concat(tables, ignore_index=True)
    events[SUBJECT] = events[WHO].map(ids)
    events = pd.concat([_days(draft, found), events], ignore_index=True)[[*COLUMNS]]
    events = events.astype({TIME: "datetime64[us]", NUMBER: float})
    events = _adherence(events, plan)
    events = reserves(_dated(events, rules))
    if len(events):
        events, left = plausible_events(events)
        found.dropped += [part.as_problem() for part in left]
        for part in left:
            rules.count(f"{vocabulary()[part.code].name} {part.reason}", part.values)
    return events, ids, rules


def _minutes(
    who: str, parts: list[pd.DataFrame], arm: str, rules: Rules
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge wear and sleep of each device, name the main one, and find exchanged devices."""
    whole = joined(parts)
    tables = []
    for _, rows in whole.groupby(["placement", "device"], sort=True):
        flags, rule = wear.worn(rows)
        rules.count(f"minutes whose wear was judged by: {rule}", len(rows))
        judged = rows.assign(
            is_worn=True if flags is None else flags,
            worn=pd.Series(flags, index=rows.index, dtype="boolean") if flags is not None else None,
        )
        slept = sleep.asleep(judged) if flags is not None else None
        tables.append(judged.assign(asleep=slept))
    minutes = posture.by_one_device(pd.concat(tables, ignore_index=True))
    worn = minutes.assign(worn=minutes["worn"].fillna(False).astype(bool))
    best = worn.groupby("placement")["worn"].sum().sort_index().idxmax()
    minutes["main"] = minutes["placement"] == best
    minutes["speaks_for_wear"] = wear_by_minute(minutes)
    if arm in WRISTS:
        minutes["other_use_s"] = other_use(minutes, WRISTS[arm])
    if "n" in minutes:
        minutes["enmo_mg"] = 1000 * minutes["enmo_sum"] / minutes["n"]
        minutes["mad_mg"] = 1000 * minutes["mad_sum"] / minutes["n"]
    changes = _exchanged(who, minutes)
    rules.count("wearable exchanged for another at the same place", len(changes))
    return minutes, changes


def maker_worn_most(who: str, minutes: pd.DataFrame) -> pd.DataFrame:
    """Return whose device a person wore for most minutes: an audit compares people by it.

    A device is named by its maker first (`features/sources`); the model and serial number after it
    would make every person a group of their own.
    """
    maker = minutes["device"].str.replace(r"[ ,].*\d.*$", "", regex=True)
    worn = maker[minutes["worn"].fillna(True).astype(bool)]
    return records([(who, None, DEVICE, None, maker) for maker in sorted(worn.mode())[:1]])


def wear_by_minute(minutes: pd.DataFrame) -> pd.Series:
    """Return whether any device was worn, on the first row of each minute that was judged."""
    judged = minutes["worn"].notna()
    anywhere = minutes["worn"][judged].astype(bool).groupby(minutes[TIME][judged]).transform("max")
    first = ~minutes[TIME][judged].duplicated()
    return anywhere[first].astype("boolean").reindex(minutes.index)


def other_use(minutes: pd.DataFrame, affected: str) -> pd.Series:
    """Return the other wrist's seconds of use beside the affected one's, where both were worn."""
    worn = minutes["worn"].fillna(False).astype(bool)
    is_affected = minutes["placement"] == affected
    is_other = minutes["placement"].isin(WRISTS.values()) & ~is_affected
    other = minutes[worn & is_other].drop_duplicates(TIME).set_index(TIME)["use_s"]
    return minutes[TIME].map(other).where(worn & is_affected)


def _exchanged(who: str, minutes: pd.DataFrame) -> pd.DataFrame:
    first = minutes.groupby(["placement", "device"])[TIME].min().reset_index()
    later = first.sort_values(TIME)[first.sort_values(TIME).duplicated("placement", keep="first")]
    return records([(who, at, DEVICE_CHANGE, None, None) for at in later[TIME]])


def _days(draft: Path, found: Collected) -> pd.DataFrame:
    found.dropped += run_here(minute_files(draft), draft / DAYS_FOLDER)
    return read_days(draft).assign(**{TEXT: None})


def _adherence(events: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    if plan.planned_therapy_min_a_week is None:
        return events
    done = events[events[CODE] == therapy.THERAPY]
    tables = [events]
    for subject, rows in done.groupby(SUBJECT):
        minutes = rows.groupby(rows[TIME].dt.normalize())[NUMBER].sum()
        share = therapy.adherence(minutes, plan.planned_therapy_min_a_week)
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


def _dated(events: pd.DataFrame, rules: Rules) -> pd.DataFrame:
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
    # The first recorded day stands in: it is the earliest that is known of the subject.
    onset = dates[ONSET].reindex(first.index).fillna(first)
    enrolment = dates[ENROLMENT].reindex(first.index).fillna(np.maximum(first, onset))
    for code, name in ((ONSET, "onset"), (ENROLMENT, "enrolment")):
        lacking = int((~first.index.isin(dates[code].index)).sum())
        rules.count(f"no {name} in the source: the first recorded day stands for it", lacking)
    born = events[events[CODE] == BIRTH_DATE].groupby(SUBJECT)[TIME].first()
    age = ((onset.reindex(born.index) - born).dt.days / 365.25).floordiv(1)
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
