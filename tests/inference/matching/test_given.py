"""A forecast meets its outcome by the rule of training and audit."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cohort import CODE, DEATH, ENROLMENT, NUMBER, SUBJECT, TIME, WITHDRAWAL
from contracts.predictions import ORIGIN, STATUS, OutcomeStatus
from contracts.task import Horizon, Task
from features.cohort.follow_up import ends_of, follow_up_rows
from features.sequences import cohort_sequences, training_sequences
from inference.matching.given import (
    GivenForecast,
    GivenHorizon,
    KnownOutcomes,
    due_on,
    followed_horizon,
    outcome_of,
)


def known_of(events: pd.DataFrame, subject: int, code: str) -> KnownOutcomes:
    rows = events[(events[SUBJECT] == subject) & events[TIME].notna()]
    enrolled = rows[rows[CODE] == ENROLMENT][TIME].dt.normalize().iloc[0]
    day = (rows[TIME].dt.normalize() - enrolled).dt.days

    def first(of: str) -> int | None:
        days = day[rows[CODE] == of]
        return None if days.empty else int(days.min())

    scores = rows[rows[CODE] == code]
    return KnownOutcomes(
        enrolment_day=0,
        scores=dict(zip(day[scores.index].tolist(), scores[NUMBER].tolist(), strict=True)),
        death=first(DEATH),
        withdrawal=first(WITHDRAWAL),
    )


def test_every_outcome_of_a_cohort_is_what_training_and_audit_make_of_it(
    events: pd.DataFrame, task: Task
) -> None:
    """Some lose their scores, die or withdraw; nothing is due by another rule here or there."""
    subjects = sorted(events[SUBJECT].unique())
    scores = (events[CODE] == task.target.code) & events[TIME].notna()
    enrolled = events[events[CODE] == ENROLMENT].set_index(SUBJECT)[TIME]
    after = events[TIME] > events[SUBJECT].map(enrolled) + pd.Timedelta(days=30)
    kept = events[~(scores & after & (events[SUBJECT] % 3 == 0))]
    ends = [
        {SUBJECT: s, CODE: (DEATH, WITHDRAWAL)[s % 2], TIME: enrolled[s] + pd.Timedelta(days=60)}
        for s in subjects
        if s % 6 in {0, 3}
    ]
    changed = pd.concat([kept, pd.DataFrame(ends)], ignore_index=True)
    layout = training_sequences(changed, task).layout
    batch = cohort_sequences(changed, task, layout, outcomes=False)
    rows = follow_up_rows(batch, ends_of(changed, dates_shifted=True), task)
    assert {OutcomeStatus.OBSERVED, OutcomeStatus.DIED, OutcomeStatus.WITHDREW} <= {*rows[STATUS]}
    by_day = {horizon.day: horizon for horizon in task.horizons}
    truth = {
        (s, o, horizon.day): batch.truth_BH[b, h]
        for b, (s, o) in enumerate(zip(batch.subject_B, batch.origin_day_B, strict=True))
        for h, horizon in enumerate(task.horizons)
    }
    people = {s: known_of(changed, s, task.target.code) for s in subjects}
    for row in rows.to_dict("records"):
        horizon = by_day[row["horizon_day"]]
        outcome = outcome_of(people[row[SUBJECT]], task, horizon, row[ORIGIN])
        assert outcome.status == row[STATUS], row
        if outcome.score is not None:
            assert outcome.score == pytest.approx(truth[row[SUBJECT], row[ORIGIN], horizon.day])


def test_lost_missed_died_and_withdrew_are_told_apart(task: Task) -> None:
    first, *_, last = task.horizons
    start, end = first.window_days
    cases = {
        OutcomeStatus.LOST: KnownOutcomes(enrolment_day=3, scores={0: 20.0}),
        OutcomeStatus.MISSED: KnownOutcomes(scores={last.day: 30.0}),
        OutcomeStatus.DIED: KnownOutcomes(death=end - 1),
        OutcomeStatus.WITHDREW: KnownOutcomes(scores={start: 9.0}, has_withdrawn=True),
        OutcomeStatus.TRACED: KnownOutcomes(scores={start: 9.0}, traced=frozenset({start})),
        OutcomeStatus.OBSERVED: KnownOutcomes(scores={end - 1: 9.0}, death=end - 1),
    }
    for status, known in cases.items():
        assert outcome_of(known, task, first, 0).status is status


@settings(max_examples=50)
@given(st.dictionaries(st.integers(0, 300), st.floats(0, 66), max_size=8), st.integers(0, 100))
def test_only_a_score_after_the_forecast_and_inside_the_window_counts(
    scores: dict[int, float], origin: int
) -> None:
    horizon = Horizon(weeks=12, window_days=(70, 98))
    other = Horizon(weeks=26, window_days=(168, 196))
    task = Task.model_construct(horizons=(horizon, other))
    outcome = outcome_of(KnownOutcomes(scores=scores), task, horizon, origin)
    inside = {d: s for d, s in scores.items() if 70 <= d < 98 and d > origin}
    assert (outcome.score is not None) == bool(inside)
    if inside:
        assert outcome.score in inside.values()


def test_a_person_counts_by_the_primary_horizon_or_the_next_one_ahead(task: Task) -> None:
    def forecast(*days: int) -> GivenForecast:
        horizons = [
            GivenHorizon(
                day=day, quantiles={}, chances={}, last_observation=1.0, proportional_recovery=None
            )
            for day in days
        ]
        return GivenForecast(
            tenant="t", subject="s", number=1, given_on=date(2026, 1, 1), origin_day=0,
            enrolled_on=date(2026, 1, 1), groups={}, was_assessed=True, horizons=horizons,
        )  # fmt: skip

    primary = next(h for h in task.horizons if h.weeks == task.primary_horizon_weeks)
    days = [horizon.day for horizon in task.horizons]
    followed = followed_horizon(forecast(*days), task)
    assert followed == primary
    earlier = [day for day in days if day < primary.day]
    assert followed_horizon(forecast(*earlier), task) is None
    due = due_on(forecast(*days), primary, 28)
    assert (due - date(2026, 1, 1)).days == primary.window_days[1] + 28
