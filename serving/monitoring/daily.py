"""Changes of daily values: biomarkers against the person's own level, wear, therapy, silence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from contracts.cohort import WEAR_TIME
from serving.monitoring.alert import Alert, Kind, Urgency
from serving.monitoring.limits import (
    OF_EXERCISE,
    SIGNS,
    SILENCES_A_MONTH,
    Limit,
    limit_of,
    silent_days,
)
from serving.monitoring.series import CARE, PLANS, WINDOW_DAYS, Array, Series
from serving.monitoring.shifts import LEAST_NOW, Course, Shifts, largest_shifts, on_scale

BEFORE_DAYS = 14
"""Days before a silence on which data must have come."""

MOST_DAYS = 0.8
"""Share of those days with data that counts as most days."""


PLAN_KEPT, PLAN_DAYS, LEAST_PLANNED = 0.5, 14, 10
"""A plan is not kept where the share of it that took place was under half on each of so many days,
at least so many of them known. A rule and no statistic: no rate of false alarms is claimed."""


def daily_alerts(series: Series) -> Iterator[Alert]:
    """Yield the alerts of every daily code, silence first."""
    silence = silence_of(series)
    if silence is not None:
        yield silence
    worn_T = series.worn()
    # Of wear silence says it already.
    codes = [code for code in sorted(series.daily) if code != WEAR_TIME or silence is None]
    # Whose plan is known has no less therapy than planned because the plan has ended.
    of_a_plan = {done for share, done in PLANS.items() if share in codes}
    codes = [code for code in codes if code not in of_a_plan]
    for weekly in (False, True):
        chosen = [code for code in codes if (code in CARE) == weekly]
        if chosen:
            value_NT = np.array([judged(series, code, worn_T) for code in chosen])
            found = list(_changes(series, chosen, value_NT, weekly=weekly))
            yield from found
            if weekly:
                fell = {alert.code for alert in found}
                alone = (plan_not_kept(series, code) for code in PLANS if code not in fell)
                yield from filter(None, alone)


def _changes(series: Series, codes: list[str], value_NT: Array, *, weekly: bool) -> Iterator[Alert]:
    """Yield the alerts of codes, (N,), that have left the person's own level."""
    limits = [limit_of(code) for code in codes]
    log_N1 = np.array([limit.place.log for limit in limits])[:, None]
    found = largest_shifts(
        np.where(log_N1, on_scale(value_NT), value_NT),
        np.array([limit.usual_scale for limit in limits]),
        Course(
            carried_N=np.array([limit.carried for limit in limits]),
            drift_N=np.array([limit.drift for limit in limits]),
        ),
        np.array([SIGNS[limit.place.alarming] for limit in limits]),
        weekly=weekly,
    )
    for n in np.flatnonzero(found.judged >= [limit.size for limit in limits]):
        yield _change(series, codes[n], value_NT[n], found, int(n), limits[n])


def judged(series: Series, code: str, worn_T: NDArray[np.bool_]) -> Array:
    """Return the values of a code that are judged, (T,).

    Of a wearable those of days on which it was worn long enough, but for exercise at home, which is
    measured while it is done. Of wear itself a day without any
    after the first one is a day not worn.
    """
    value_T = series.daily[code]
    if code in CARE or code in OF_EXERCISE:
        return value_T
    if code != WEAR_TIME:
        return np.where(worn_T, value_T, np.nan)
    first = int(np.argmax(np.isfinite(value_T)))
    return np.where(np.arange(len(value_T)) >= first, np.nan_to_num(value_T), np.nan)


def _change(
    series: Series, code: str, value_T: Array, found: Shifts, n: int, limit: Limit
) -> Alert:
    length = int(found.length[n])
    kind = Kind.WEAR if code == WEAR_TIME else Kind.THERAPY if code in CARE else Kind.BIOMARKER
    middle = np.nanmedian if kind is Kind.BIOMARKER else np.nanmean
    return Alert(
        kind=kind,
        code=code,
        urgency=Urgency.THIS_WEEK if kind is Kind.BIOMARKER else Urgency.NEXT_VISIT,
        since_day=series.today - length + 1,
        last_day=series.first_day + int(np.flatnonzero(np.isfinite(value_T))[-1]),
        rises=bool(found.size[n] > 0),
        before=float(middle(value_T[:-length])),
        now=float(middle(value_T[-length:])),
        days_before=int(found.values_before[n]),
        days_now=int(found.values_now[n]),
        week_before=_week(value_T[-14:-7]),
        week=_week(value_T[-7:]),
        limit=limit.size,
        false_alarms=limit.place.false_alarms,
    )


def plan_not_kept(series: Series, code: str) -> Alert | None:
    """Return the alert that a plan is not kept, however long: who never began has left no level."""
    share_T = series.daily.get(code, np.empty(0))
    recent_T = share_T[-PLAN_DAYS:]
    if np.isfinite(recent_T).sum() < LEAST_PLANNED or np.nanmax(recent_T) >= PLAN_KEPT:
        return None
    known = np.flatnonzero(np.isfinite(share_T))
    kept = known[share_T[known] >= PLAN_KEPT]
    below = known[known > (kept[-1] if len(kept) else -1)]
    return Alert(
        kind=Kind.THERAPY,
        code=code,
        urgency=Urgency.NEXT_VISIT,
        since_day=series.first_day + int(below[0]),
        last_day=series.first_day + int(below[-1]),
        rises=False,
        before=1.0,
        now=float(share_T[below].mean()),
        days_before=0,
        days_now=len(below),
        week_before=_week(share_T[-14:-7]),
        week=_week(share_T[-7:]),
        limit=PLAN_KEPT,
    )


def silence_of(series: Series) -> Alert | None:
    """Return the alert that no data have come, or none that count, where they came on most days."""
    worn_T = series.worn()
    if not worn_T.any():
        return None
    last = int(np.flatnonzero(worn_T)[-1])
    silent = WINDOW_DAYS - 1 - last
    before_T = worn_T[max(0, last - BEFORE_DAYS + 1) : last + 1]
    seen = np.flatnonzero(worn_T)
    # Whose wearable is new has fewer days, and all of them count.
    expected = min(BEFORE_DAYS, last - int(seen[0]) + 1)
    share = before_T.sum() / expected
    if silent < silent_days() or expected < 7 or share < MOST_DAYS:
        return None
    still_sent = bool(series.sent()[last + 1 :].any())
    return Alert(
        kind=Kind.NOT_WORN if still_sent else Kind.SILENCE,
        code=WEAR_TIME,
        urgency=Urgency.THIS_WEEK,
        since_day=series.first_day + last + 1,
        last_day=series.today,
        rises=False,
        before=float(share),
        now=0.0,
        days_before=int(before_T.sum()),
        days_now=silent,
        limit=float(silent_days()),
        false_alarms=SILENCES_A_MONTH,
    )


def _week(value_T: Array) -> float | None:
    seen = value_T[np.isfinite(value_T)]
    return float(np.median(seen)) if len(seen) >= LEAST_NOW else None
