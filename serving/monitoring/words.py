"""Alerts in words: what, which days, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from contracts.exercise import codes
from contracts.naming.units import readable
from contracts.therapy import ADHERENCE
from contracts.vocabulary import vocabulary
from contracts.vocabulary.changes import noise_in_words, with_unit
from serving.monitoring.alert import Alert, Kind, Urgency

UrgencyName = Literal["today", "this week", "next visit"]
URGENCIES: Mapping[Urgency, UrgencyName] = {
    Urgency.TODAY: "today",
    Urgency.THIS_WEEK: "this week",
    Urgency.NEXT_VISIT: "next visit",
}

PLANNED = {ADHERENCE: "planned therapy", codes.ADHERENCE: "prescribed exercise"}
"""What a plan is of, by the code of the share that was done."""


def sentence(alert: Alert, *, better: str = "higher") -> str:
    """Return an alert in words; days are counted since onset.

    Parameters
    ----------
    better
        Whether higher or lower values of a score are better.
    """
    name = vocabulary()[alert.code].name
    match alert.kind:
        case Kind.SCORE_FELL:
            change = "rose" if alert.rises else "fell"
            lost = abs(alert.now - alert.before)
            return (
                f"The score ({name}) {change} from {readable(alert.before)} to"
                f" {_amount(alert, alert.now)}, measured on day {alert.since_day}: worse by"
                f" {_amount(alert, lost)}, where {_limit_of_score(alert)}."
                f"{_noise(alert, lost)} See the patient today."
            )
        case Kind.OFF_COURSE:
            return _off_course(alert, name, better)
        case Kind.SILENCE:
            return (
                f"No data have come from the wearable for {alert.days_now} days, since day"
                f" {alert.since_day}; before, they came on {_share(alert)} days. It may be a flat"
                " battery, or something has happened: ask."
            )
        case Kind.NOT_WORN:
            return (
                f"The wearable has not been worn for {alert.days_now} days, since day"
                f" {alert.since_day}; before, it was worn on {_share(alert)} days. Ask why."
            )
        case Kind.THERAPY if not alert.days_before:
            return (
                f"Of the {PLANNED[alert.code]} {100 * alert.now:.0f} % took place on"
                f" {alert.days_now} days since day {alert.since_day}, on none of them"
                f" {100 * alert.limit:.0f} % or more: ask what stands in the way, or whether the"
                " plan still holds."
            )
        case _:
            return _changed(alert, name)


def _changed(alert: Alert, name: str) -> str:
    change = "rose" if alert.rises else "fell"
    unit = vocabulary()[alert.code].unit
    shown = "" if unit in {"1", "/d"} else f" {unit}"
    middle = "median" if alert.kind is Kind.BIOMARKER else "mean"
    relative = f" ({100 * (alert.now / alert.before - 1):+.0f} %)" if alert.before > 0 else ""
    text = (
        (
            f"The person's own {name} {change} from {readable(alert.before)} to"
            f" {readable(alert.now)}{shown} a day{relative} since day {alert.since_day}:"
            f" {middle} of {alert.days_now} days against {alert.days_before} before."
        )
        .replace("/d a day", "/d")
        .replace("/min a day", "/min")
    )
    if alert.week is not None and alert.week_before is not None:
        text += (
            f" Last seven days {readable(alert.week)}, the seven before"
            f" {readable(alert.week_before)}."
        )
    if alert.kind is Kind.THERAPY:
        text += (
            ""
            if alert.code in PLANNED
            else " The end of a planned course of therapy looks the same."
        )
    return text


def _off_course(alert: Alert, name: str, better: str) -> str:
    side = "above" if alert.rises else "below"
    worse = alert.rises != (better == "higher")
    days = alert.last_day - alert.since_day + 1
    judged = (
        "worse than expected: look for the cause in the patient, not in the model"
        if worse
        else "better than expected: the plan may ask too little"
    )
    return (
        f"The score ({name}) has been {side} the range that holds for 8 in 10 patients for"
        f" {days} days ({_amount(alert, alert.now)} on day {alert.last_day}, where the range"
        f" {'ends' if alert.rises else 'begins'} at {_amount(alert, alert.limit)}), {judged}."
    )


def _limit_of_score(alert: Alert) -> str:
    if alert.false_alarms is None:
        matter = "matters" if alert.limit == 1 else "matter"
        return f"{_amount(alert, alert.limit)} {matter} to a patient"
    return f"the error of measurement explains {_amount(alert, alert.limit)}"


def _amount(alert: Alert, score: float) -> str:
    """Return a score with its unit."""
    return with_unit(alert.code, readable(score))


def _noise(alert: Alert, lost: float) -> str:
    """Say that a loss is partly noise, where its limit is none of the error of measurement."""
    noise = noise_in_words(alert.code, lost, alert.before) if alert.false_alarms is None else ""
    return f" It is {noise}." if noise else ""


def _share(alert: Alert) -> str:
    return f"{alert.days_before} of {round(alert.days_before / alert.before)}"
