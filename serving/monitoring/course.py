"""Whether the scores have left the range of the forecast that was made before them."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.task import Target
from serving.course import CoursePoint
from serving.monitoring.alert import Alert, Kind, Urgency


def off_course(
    points: Sequence[CoursePoint], days_outside: int, *, enrolment_day: int, target: Target,
    alert_days: int,
) -> Alert | None:  # fmt: skip
    """Return the alert that the latest scores lie outside on one side for some days.

    Parameters
    ----------
    points
        Scores beside the forecast, by day.
    days_outside
        From the first to the last of the latest ones outside on one side.
    """
    if not points or days_outside < alert_days:
        return None
    last = points[-1]
    above = last.observed > last.high_80
    first_day = last.day_after_enrolment - days_outside + 1
    run = [point for point in points if point.day_after_enrolment >= first_day]
    worse = above != (target.better == "higher")
    return Alert(
        kind=Kind.OFF_COURSE,
        code=target.code,
        urgency=Urgency.THIS_WEEK if worse else Urgency.NEXT_VISIT,
        since_day=enrolment_day + first_day,
        last_day=enrolment_day + last.day_after_enrolment,
        rises=above,
        before=last.median,
        now=last.observed,
        days_before=len(points),
        days_now=len(run),
        limit=last.high_80 if above else last.low_80,
    )
