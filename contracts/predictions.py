"""The prediction table: all that an audit may see.

One row per model, subject, origin and horizon with an observed truth:

=====================  ==========================================================================
`model`                `candidate`, `champion`, or the family name of a comparator
                       (`last observation`, ...)
`subject_id`           int64; the unit of every bootstrap
`origin_day`           forecast origin, days after enrolment
`horizon_day`          horizon, days after enrolment
`days_since_onset`     at the origin
`last_score`           target score last observed at the origin
`truth`                score observed in the horizon's window
`q05` ... `q95`        the 19 quantiles
`chance:NAME`          forecast chance of milestone NAME
`reached:NAME`         True where the milestone was reached at this horizon
`group:NAME`           sensitive attribute NAME as a label; "not recorded" is a label; of bands an
                       ordered categorical, from the lowest band to the highest
=====================  ==========================================================================

Optional columns; metrics that need one are reported as not available without it:

===========================  ====================================================================
`fold`                       fold whose network made the forecast, never having seen the subject
`refused`                    True where the service would give no forecast with what is known of
                             the subject; its quantiles and chances, if any, are not counted
`wear_hours`                 median hours of wear on the days before the origin
`unobserved_share`           share of the days before the origin without any device value
`explanation_gap`            |sum of contributions - forecast|, points; NaN where not explained
`explanation_instability`    mean change of the contributions, points, when every reading is shifted
                             by a tenth of its spread between people; NaN where not explained
`subject_label`              the source's identifier of the subject, in the table that `evaluate`
                             writes; audits do not need it and do not keep it
===========================  ====================================================================

A task that forecasts only milestones has none of `last_score`, `truth` and the quantiles.

The follow-up table, beside it: one row per subject, origin and horizon that is *due*, which means
that a forecast could be made at the origin and the horizon's window is over. Subjects without any
outcome are in it too.

=====================  ==========================================================================
`subject_id`, `origin_day`, `horizon_day`, `group:NAME`
                       as in the prediction table
`status`               what became of the outcome (`OutcomeStatus`)
`tracing_chance`       chance with which a subject whose outcome had not come was drawn for tracing;
                       NaN for subjects who were in no draw
`drawn`                True where the draw took the subject
`early_error`          error of the candidate's last earlier median for the subject, in points; NaN
                       where no earlier outcome was observed
=====================  ==========================================================================
"""

from __future__ import annotations

from enum import StrEnum

from contracts.forecast import QUANTILE_LEVELS

CANDIDATE, CHAMPION = "candidate", "champion"

MODEL, SUBJECT, ORIGIN, HORIZON = "model", "subject_id", "origin_day", "horizon_day"
DAYS_SINCE_ONSET, LAST_SCORE, TRUTH = "days_since_onset", "last_score", "truth"
QUANTILE_COLUMNS: tuple[str, ...] = tuple(f"q{round(100 * level):02d}" for level in QUANTILE_LEVELS)
CHANCE, REACHED, GROUP = "chance:", "reached:", "group:"

FOLD, REFUSED = "fold", "refused"
WEAR_HOURS, UNOBSERVED_SHARE = "wear_hours", "unobserved_share"
EXPLANATION_GAP, EXPLANATION_INSTABILITY = "explanation_gap", "explanation_instability"

STATUS, TRACING_CHANCE, DRAWN, EARLY_ERROR = "status", "tracing_chance", "drawn", "early_error"


class OutcomeStatus(StrEnum):
    """What became of an outcome that was due."""

    OBSERVED = "observed"
    TRACED = "traced"
    """Had not come, and was obtained from somebody drawn at random from those it was missing of."""
    LOST = "lost"
    WITHDREW = "withdrew"
    """Missing, because the person withdrew before the end of the window: lost for an audit."""
    DIED = "died"
    """There is none: the person died before the end of the window."""
