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

Where the task declares what people are clustered by, `cluster:NAME` has the label of each person's
cluster, the same in all rows of a person; "not recorded" is one cluster.

`pattern:NAME` says what the person's course showed on the day of the forecast
(`inference.patterns`): a rule of a policy may ask that ranges hold for each pattern. Tables of
earlier versions have none.

Optional columns; metrics that need one are reported as not available without it:

===========================  ====================================================================
`fold`                       fold whose network made the forecast, never having seen the subject
`refused`                    True where the service would give no forecast with what is known of
                             the subject, once the groups of this table are audited; its quantiles
                             and chances, if any, are not counted
`refusal`                    why the service gives none today (`inference.refusals`), empty where it
                             does; a group that no audit has seen yet is a reason too
`wear_hours`                 median hours of wear on the days before the origin
`unobserved_share`           share of the days before the origin without any device value
`explanation_gap`            |sum of contributions - forecast|, points; NaN where not explained
`explanation_instability`    mean change of the contributions, points, when every reading is shifted
                             by a tenth of its spread between people; NaN where not explained
`relation`                   what the person is to the model (`Relation`), in the table that
                             `evaluate` writes: only the new ones count as external
`subject_label`              the source's identifier of the subject, in the table that `evaluate`
                             writes; audits do not need it and do not keep it
===========================  ====================================================================

Rows whose `model` is `asked` are no forecasts but questions: one for every person of the cohort,
with an outcome or without, on the newest day with data, as a ward would ask today. They have the
groups, `refused` and `refusal`; `horizon_day` repeats the origin, and what a forecast would have
is empty. Whoever reads a table takes them out first (`forecasts_of`, `questions_of`).

A task that forecasts only milestones has none of `last_score`, `truth` and the quantiles.

The follow-up table, beside it: one row per subject, origin and horizon that is *due*, which means
that a forecast could be made at the origin and the horizon's window is over. Subjects without any
outcome are in it too.

=====================  ==========================================================================
`subject_id`, `origin_day`, `horizon_day`, `group:NAME`, `cluster:NAME`
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

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from contracts.forecast import QUANTILE_LEVELS

CANDIDATE, CHAMPION, ASKED = "candidate", "champion", "asked"

MODEL, SUBJECT, ORIGIN, HORIZON = "model", "subject_id", "origin_day", "horizon_day"
DAYS_SINCE_ONSET, LAST_SCORE, TRUTH = "days_since_onset", "last_score", "truth"
QUANTILE_COLUMNS: tuple[str, ...] = tuple(f"q{round(100 * level):02d}" for level in QUANTILE_LEVELS)
CHANCE, REACHED, GROUP, CLUSTER = "chance:", "reached:", "group:", "cluster:"
PATTERN = "pattern:"

FOLD, REFUSED, REFUSAL = "fold", "refused", "refusal"
WEAR_HOURS, UNOBSERVED_SHARE = "wear_hours", "unobserved_share"
EXPLANATION_GAP, EXPLANATION_INSTABILITY = "explanation_gap", "explanation_instability"

STATUS, TRACING_CHANCE, DRAWN, EARLY_ERROR = "status", "tracing_chance", "drawn", "early_error"


class OutcomeStatus(StrEnum):
    """What became of an outcome that was due."""

    OBSERVED = "observed"
    TRACED = "traced"
    """Had not come, and was obtained from somebody drawn at random from those it was missing of."""
    MISSED = "missed"
    """Missing, but the person was assessed at a later horizon, and so was not lost."""
    LOST = "lost"
    """Missing, and nothing was assessed later either."""
    WITHDREW = "withdrew"
    """Missing, because the person withdrew before the end of the window: lost for an audit."""
    DIED = "died"
    """There is none: the person died before the end of the window."""


RELATION = "relation"


class Relation(StrEnum):
    """What a person is to a model."""

    TRAINED_ON = "trained on"
    HELD_OUT = "held out of training"
    NEW = "new"
    NOT_KNOWN = "not known"


class Validation(StrEnum):
    """What scores of a model on a cohort are worth."""

    EXTERNAL = "external"
    HELD_OUT = "people held out of training"
    NONE = "none: the model was trained on them"
    NOT_KNOWN = "not known whether the model was trained on them"


LEAST_NEW_SHARE = 0.05
"""Share of a cohort's people that must be new to a model: fewer may be those it trained on, not
recognised (local)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many people of a cohort a model has seen.

    Parameters
    ----------
    known
        False where the bundle does not say whom it has seen, or the key to read it is missing.
    people
        People compared; the next four add up to it.
    trained_on, held_out, new, not_known
        By `Relation`. Not known: their records say too little to be told from other people's.
    same_identifier
        Of the new ones: those whose identifier is that of somebody trained on, but whose record is
        another. Two hospitals may number alike; whether they are the same only people can say.
    """

    known: bool
    people: int
    trained_on: int = 0
    held_out: int = 0
    new: int = 0
    not_known: int = 0
    same_identifier: int = 0

    @property
    def share(self) -> float | None:
        """Share of the people that were trained on; None where it is not known."""
        return self.trained_on / self.people if self.known and self.people else None

    @property
    def validation(self) -> Validation:
        """What scores on this cohort can be called."""
        if self.new > LEAST_NEW_SHARE * self.people:
            return Validation.EXTERNAL
        if self.held_out:
            return Validation.HELD_OUT
        return Validation.NONE if self.trained_on else Validation.NOT_KNOWN


def forecasts_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a prediction table that are forecasts, with a new index."""
    return table[table[MODEL] != ASKED].reset_index(drop=True)


def questions_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the questions of a prediction table, by person, with the columns that they have."""
    kept = [MODEL, SUBJECT, ORIGIN, HORIZON, DAYS_SINCE_ONSET, REFUSED, REFUSAL]
    columns = [c for c in table.columns if c in kept or str(c).startswith((GROUP, CLUSTER))]
    return table.loc[table[MODEL] == ASKED, columns].reset_index(drop=True)
