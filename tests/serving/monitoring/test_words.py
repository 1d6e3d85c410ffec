"""Alerts in words: what, which days, on how many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.task import Target
from serving.course import CoursePoint
from serving.monitoring.alert import Alert, Kind, Urgency
from serving.monitoring.course import off_course
from serving.monitoring.words import sentence
from tests.conftest import ROOT
from training.task import read_task

SCORE = "REHABCAST//FUGL_MEYER_UE"
TARGET = read_task(ROOT / "tasks" / "stroke-upper-limb.toml").target
ALERT = Alert(
    kind=Kind.SCORE_FELL, code=SCORE, urgency=Urgency.TODAY, since_day=34, last_day=34, rises=False,
    before=44, now=22, days_before=2, days_now=1, limit=7.8, false_alarms=0.025,
)  # fmt: skip
STEPS = replace(
    ALERT, kind=Kind.BIOMARKER, code="LOINC//41950-7", urgency=Urgency.THIS_WEEK, since_day=33,
    last_day=44, before=4900, now=310, days_before=28, days_now=12, week_before=4800, week=310,
    limit=4.5, false_alarms=0.012,
)  # fmt: skip

SAID = {
    "fell": (ALERT,
             "The score (Fugl-Meyer upper extremity) fell from 44 to 22 points, measured on day 34:"
             " worse by 22 points, where the error of measurement explains 7.80 points. See the patient today."),
    "within the error of measurement": (
        replace(ALERT, code="REHABCAST//BOX_AND_BLOCK", before=30, now=25, limit=5, false_alarms=None),
        "The score (Box and Block Test) fell from 30 to 25 counts a minute, measured on day 34:"
        " worse by 5 counts a minute, where 5 counts a minute matter to a patient. It is less than the 5.5 counts a minute"
        " by which two scores of one person may differ without any change (stroke, affected hand;"
        " n = 62; Chen 2009 (doi 10.1177/1545968308331146)), so that it is partly noise. See the"
        " patient today."),
    "in metres": (
        replace(ALERT, code="REHABCAST//SIX_MINUTE_WALK", before=300, now=240, limit=50,
                false_alarms=None),
        "The score (six-minute walk distance) fell from 300 to 240 metres, measured on day 34:"
        " worse by 60 metres, where 50 metres matter to a patient. See the patient today."),
    "steps": (STEPS,
              "The person's own steps in 24 hours fell from 4,900 to 310 a day (-94 %) since day 33:"
              " median of 12 days against 28 before. Last seven days 310, the seven before 4,800."),
    "heart": (replace(STEPS, code="LOINC//40443-4", before=68, now=81.5, rises=True, week=None),
              "The person's own resting heart rate rose from 68 to 81.5 /min (+20 %) since day 33:"
              " median of 12 days against 28 before."),
    "silent": (replace(ALERT, kind=Kind.SILENCE, code="REHABCAST//WEAR_TIME", since_day=21, before=1.0,
                       now=0, days_before=14, days_now=14),
               "No data have come from the wearable for 14 days, since day 21; before, they came on 14"
               " of 14 days. It may be a flat battery, or something has happened: ask."),
    "not worn": (replace(ALERT, kind=Kind.NOT_WORN, code="REHABCAST//WEAR_TIME", since_day=21,
                         before=12 / 14, now=0, days_before=12, days_now=6),
                 "The wearable has not been worn for 6 days, since day 21; before, it was worn on 12 of"
                 " 14 days. Ask why."),
    "therapy": (replace(STEPS, kind=Kind.THERAPY, code="REHABCAST//THERAPY", before=32.1, now=4.4,
                        week=None),
                "The person's own therapy received fell from 32.1 to 4.40 min/d (-86 %) since day 33:"
                " mean of 12 days against 28 before. The end of a planned course of therapy looks the"
                " same."),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_an_alert_says_what_which_days_and_on_how_many(name: str) -> None:
    alert, said = SAID[name]
    assert sentence(alert) == said


def points(*observed: float) -> list[CoursePoint]:
    return [
        CoursePoint(day_after_enrolment=10 + 20 * n, observed=score, low_80=30, median=40,
                    high_80=50, inside=30 <= score <= 50)
        for n, score in enumerate(observed)
    ]  # fmt: skip


def course_alert(*observed: float, outside: int, target: Target = TARGET) -> Alert | None:
    return off_course(
        points(*observed), outside, enrolment_day=5, target=target, alert_days=14
    )  # fmt: skip


def test_above_and_below_the_range_differ_in_words_and_urgency() -> None:
    below, above = course_alert(40, 20, 21, outside=21), course_alert(40, 60, 61, outside=21)
    assert below is not None
    assert above is not None
    assert (below.since_day, below.last_day, below.days_now) == (35, 55, 2)
    assert (below.urgency, above.urgency) == (Urgency.THIS_WEEK, Urgency.NEXT_VISIT)
    assert sentence(below) == (
        "The score (Fugl-Meyer upper extremity) has been below the range that holds for 8 in 10"
        " patients for 21 days (21 points on day 55, where the range begins at 30 points), worse than expected:"
        " look for the cause in the patient, not in the model."
    )
    assert sentence(above) == (
        "The score (Fugl-Meyer upper extremity) has been above the range that holds for 8 in 10"
        " patients for 21 days (61 points on day 55, where the range ends at 50 points), better than expected:"
        " the plan may ask too little."
    )
    turned = TARGET.model_copy(update={"better": "lower"})
    high = course_alert(40, 60, 61, outside=21, target=turned)
    assert high is not None
    assert high.urgency is Urgency.THIS_WEEK
    assert "worse than expected" in sentence(high, better="lower")


def test_within_the_range_or_not_long_enough_there_is_no_alert() -> None:
    assert course_alert(outside=0) is None
    assert course_alert(40, 20, outside=1) is None
