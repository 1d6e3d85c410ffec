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
                             the subject, once the groups of this table are audited; its quantiles
                             and chances, if any, are not counted
`refusal`                    why the service gives none today (`inference.refusals`), empty where it
                             does; a group that no audit has seen yet is a reason too
`in_training`                True where the model was trained on the subject; in the tables that
                             `evaluate` writes
`wear_hours`                 median hours of wear on the days before the origin
`unobserved_share`           share of the days before the origin without any device value
`explanation_gap`            |sum of contributions - forecast|, points; NaN where not explained
`explanation_instability`    mean change of the contributions, points, when every reading is shifted
                             by a tenth of its spread between people; NaN where not explained
`subject_label`              the source's identifier of the subject, in the table that `evaluate`
                             writes; audits do not need it and do not keep it
===========================  ====================================================================

Rows whose `model` is `asked` are no forecasts but questions: one for every person of the cohort,
with an outcome or without, on the newest day with data, as a ward would ask today. They have the
groups, `refused` and `refusal`; `horizon_day` repeats the origin, and what a forecast would have
is empty. Whoever reads a table takes them out first (`forecasts_of`, `questions_of`).

A task that forecasts only milestones has none of `last_score`, `truth` and the quantiles.
"""

from __future__ import annotations

import pandas as pd

from contracts.forecast import QUANTILE_LEVELS

CANDIDATE, CHAMPION, ASKED = "candidate", "champion", "asked"

MODEL, SUBJECT, ORIGIN, HORIZON = "model", "subject_id", "origin_day", "horizon_day"
DAYS_SINCE_ONSET, LAST_SCORE, TRUTH = "days_since_onset", "last_score", "truth"
QUANTILE_COLUMNS: tuple[str, ...] = tuple(f"q{round(100 * level):02d}" for level in QUANTILE_LEVELS)
CHANCE, REACHED, GROUP = "chance:", "reached:", "group:"

FOLD, REFUSED, REFUSAL = "fold", "refused", "refusal"
IN_TRAINING = "in_training"
WEAR_HOURS, UNOBSERVED_SHARE = "wear_hours", "unobserved_share"
EXPLANATION_GAP, EXPLANATION_INSTABILITY = "explanation_gap", "explanation_instability"


def forecasts_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a prediction table that are forecasts, with a new index."""
    return table[table[MODEL] != ASKED].reset_index(drop=True)


def questions_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the questions of a prediction table, by person, with the columns that they have."""
    kept = [MODEL, SUBJECT, ORIGIN, HORIZON, DAYS_SINCE_ONSET, REFUSED, REFUSAL]
    columns = [c for c in table.columns if c in kept or str(c).startswith(GROUP)]
    return table.loc[table[MODEL] == ASKED, columns].reset_index(drop=True)
