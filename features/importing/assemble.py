"""Turns what was collected into a cohort's events: days, subject ids, onset and enrolment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.cohort import (
    AFFECTED_ARM,
    CODE,
    COLUMNS,
    NUMBER,
    SUBJECT,
    TEXT,
    TIME,
    RuleCounts,
)
from contracts.errors import CohortInvalid, Problem
from contracts.vocabulary import vocabulary
from features.biomarkers import posture, sleep, therapy, wear
from features.biomarkers.heart import reserves
from features.biomarkers.minute_parts import at_one_place, one_device_a_place
from features.biomarkers.reduction import whole_subject
from features.extract import DAYS_FOLDER, extract_locally, read_days
from features.importing.beats import reduce_beats
from features.importing.dates import DEVICE_CHANGE, cut_at_death, dated
from features.importing.import_map import ImportMap
from features.importing.people import PeopleTable, matched_people
from features.measurements.identity import of_somebody, similar_problems, subject_numbers
from features.measurements.lookups import looked_up
from features.measurements.people import onset_problem
from features.measurements.reconcile import reconcile
from features.measurements.records import SUBJECT_LABEL, records
from features.minutes import minute_files, write_minutes
from features.plausibility import plausible_events
from features.recording import Collected

DEVICE = "REHABCAST//DEVICE"
WRISTS = {"left": "left wrist", "right": "right wrist"}
NO_SINGLE_SIDE = ("both", "neither")
"""Affected arms that are known, and of which none is more affected than the other."""


def assemble(
    collected: Collected,
    people: PeopleTable,
    import_map: ImportMap,
    draft: Path,
    known_ids: Mapping[str, int] | None = None,
) -> tuple[pd.DataFrame, dict[str, int], RuleCounts]:
    """Write minutes into the draft folder and return all events.

    Parameters
    ----------
    known_ids
        Numbers of subjects that have one already, by label.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, ids by label, and the rules applied. What breaks the
    vocabulary's ranges or lies before the onset is left out and stands in `collected.dropped`.

    Raises
    ------
    CohortInvalid
        Two imports contradict each other about who a person is.
    """
    rules = RuleCounts()
    reduce_beats(collected, dates_shifted=import_map.dates_shifted)
    matched, unmatched = matched_people(people, _recorded(collected))
    collected.dropped += [*people.problems, *unmatched]
    decided = reconcile([*collected.records, matched], dates_shifted=import_map.dates_shifted)
    if decided.contradictions:
        raise CohortInvalid(decided.contradictions)
    collected.dropped += decided.problems
    collected.dropped += [onset_problem(choice, "*") for choice in decided.onset_choices]
    known, nobodys = of_somebody(decided.values)
    collected.dropped += nobodys
    collected.dropped += cut_at_death(collected, decided.deaths)
    recorded = collected.subjects()
    labels = {*recorded, *known[SUBJECT_LABEL].unique()} - {""}
    collected.dropped += similar_problems(labels)
    ids = subject_numbers(labels, known_ids)
    arms = affected_wrists(known)
    collected.dropped += without_arm_use(known, collected)
    tables = []
    for subject in sorted(recorded, key=lambda label: ids[label]):
        whole = whole_subject(collected, subject)
        collected.dropped += whole.problems
        if len(whole.minutes):
            minutes, changes, rivals = _minutes(
                subject, whole.minutes, arms.get(subject, ""), rules
            )
            collected.dropped += rivals
            write_minutes(minutes.assign(**{SUBJECT: ids[subject]}), draft)
            tables += [changes, most_worn_maker(subject, minutes)]
        tables.append(whole.days.assign(**{SUBJECT_LABEL: subject, TEXT: None}))
    events = _numbered([*tables, known], _days(draft, collected), ids)
    names = {number: label for label, number in ids.items()}
    events = _adherence(events, import_map)
    events, more = dated(events, names, rules.count)
    collected.dropped += more
    events = reserves(events)
    if len(events):
        events, excluded = plausible_events(events)
        collected.dropped += [values.as_problem(names) for values in excluded]
        for values in excluded:
            name = vocabulary()[values.code].name
            rules.count(f"{name} {values.reason}: left out", values.values)
    return events, ids, rules


def _numbered(tables: list[pd.DataFrame], days: pd.DataFrame, ids: dict[str, int]) -> pd.DataFrame:
    """Return all events with the numbers of their subjects, those from recordings first.

    What is computed from a recording counts before what a source reports of the same day.
    """
    events = pd.concat(tables, ignore_index=True)
    events[SUBJECT] = looked_up(events[SUBJECT_LABEL], ids, "int64", -1)
    if len(days):
        events = pd.concat([days, events], ignore_index=True)
    # Beside an empty table ids would become objects, or floats that are not exact.
    return events[[*COLUMNS]].astype({SUBJECT: "int64", TIME: "datetime64[us]", NUMBER: float})


def _recorded(collected: Collected) -> set[str]:
    """Return the identifiers of everybody of whom something was read."""
    stated = {label for table in collected.records for label in table[SUBJECT_LABEL].unique()}
    return {*collected.subjects(), *stated} - {""}


def _minutes(
    subject: str, joined: pd.DataFrame, wrist: str, rules: RuleCounts
) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
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
    everything = pd.concat(tables, ignore_index=True)
    problems = at_one_place(subject, everything)
    minutes = posture.of_one_device(one_device_a_place(everything))
    worn = minutes.assign(worn=minutes["worn"].fillna(False).astype(bool))
    best = worn.groupby("placement")["worn"].sum().sort_index().idxmax()
    minutes["main"] = minutes["placement"] == best
    minutes["speaks_for_wear"] = wear_by_minute(minutes)
    if wrist and "use_s" in minutes:
        minutes["other_use_s"] = unaffected_arm_use(minutes, wrist)
    if "n" in minutes:
        minutes["enmo_mg"] = 1000 * minutes["enmo_sum"] / minutes["n"]
        minutes["mad_mg"] = 1000 * minutes["mad_sum"] / minutes["n"]
    changes = _exchanged(subject, minutes)
    rules.count("wearable exchanged for another at the same placement", len(changes))
    return minutes, changes, problems


def affected_wrists(known: pd.DataFrame) -> dict[str, str]:
    """Return the wrist of the affected arm of everybody of whom it is known and a single one.

    Facts that contradict each other are not among the known ones; `1`, `2`, `both` and `neither`
    name no wrist.
    """
    sides = known[(known[CODE] == AFFECTED_ARM) & known[TEXT].isin(WRISTS)]
    return {label: WRISTS[side] for label, side in sides[[SUBJECT_LABEL, TEXT]].to_numpy()}


def without_arm_use(known: pd.DataFrame, collected: Collected) -> list[Problem]:
    """Return who wore a device at each wrist and gets no arm use, because no side is certain."""
    sides = dict(known.loc[known[CODE] == AFFECTED_ARM, [SUBJECT_LABEL, TEXT]].to_numpy())
    problems = []
    for label, parts in sorted(collected.minutes.items()):
        worn_at = {place for part in parts for place in part["placement"].unique()}
        side = sides.get(label)
        if side in WRISTS or not worn_at.issuperset(WRISTS.values()):
            continue
        stated = "not known" if side is None else repr(side)
        certain = side in NO_SINGLE_SIDE
        problems.append(
            Problem(
                file="*",
                row=None,
                field=AFFECTED_ARM,
                found=f"{label!r} wore a device at each wrist, but the affected arm is {stated}: no"
                " arm use was computed",
                advice="" if certain else "declare it as left or right in the people table",
                cause="arm use needs one affected arm, no arm use"
                if certain
                else "affected arm not known, no arm use",
            )
        )
    return problems


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
