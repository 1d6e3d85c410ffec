"""Therapy received against the plan."""

from __future__ import annotations

import pandas as pd

THERAPY, ADHERENCE = "REHABCAST//THERAPY", "REHABCAST//ADHERENCE"
WINDOW_DAYS = 7


def adherence(minutes: pd.Series, planned_min_a_week: float) -> pd.Series:
    """Return the share of the planned therapy done in the week up to each day.

    Parameters
    ----------
    minutes
        Therapy minutes by day (DatetimeIndex). A day without a row had no recorded therapy, which
        counts as none: therapy is recorded when it happens.
    planned_min_a_week
        Minutes a week in the plan, above 0.

    Returns
    -------
    One value a day, from the seventh day after the first therapy on.
    """
    if planned_min_a_week <= 0:
        raise ValueError(f"planned minutes a week must be above 0, not {planned_min_a_week}")
    daily = minutes.asfreq("D", fill_value=0.0)
    return (daily.rolling(WINDOW_DAYS).sum() / planned_min_a_week).dropna()
