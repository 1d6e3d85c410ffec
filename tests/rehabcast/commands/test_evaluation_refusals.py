"""`rehabcast evaluate`: whom the service would refuse is counted, and scored apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TEXT, TIME, Cohort, Provenance
from contracts.errors import ContractError
from contracts.observation import Observation
from contracts.predictions import (
    CANDIDATE,
    REFUSAL,
    REFUSED,
    Overlap,
    Validation,
    forecasts_of,
    questions_of,
)
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.verdict import Outcome
from inference.bundle import Bundle, forecast_batch
from inference.refusals import Refusal, groups_in
from rehabcast.commands.evaluation import Evaluation, predictions_of, scores_table
from rehabcast.output import stdout_console
from rehabcast.signed_artifacts import PredictionTable
from serving.forecast.audit_status import AuditStatus, Coverage, ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from training.comparison.evaluate import refused_by_reason, scores_by_horizon
from training.predictions import prediction_table

NOW = datetime(2026, 11, 24, tzinfo=UTC)
SITE = "REHABCAST//SITE"


@pytest.fixture(scope="module")
def audited(bundle: Bundle, batch: SequenceBatch, task: Task) -> PredictionTable:
    rows = prediction_table(batch, forecast_batch(bundle, batch), task, model=CANDIDATE)
    return PredictionTable(rows=rows, questions=rows.iloc[:0], digest="p")


@pytest.fixture(scope="module")
def elsewhere(events: pd.DataFrame) -> Cohort:
    """Twelve people: some of a hospital that no audit has seen, some with records too sparse."""
    some = events[events[SUBJECT] <= 12].copy()
    new = some[SUBJECT].isin([1, 2, 3]) & (some[CODE] == SITE)
    some.loc[new, TEXT] = "C"
    enrolled = some[some[CODE] == ENROLMENT].set_index(SUBJECT)[TIME]
    is_fact = some[TIME].isna() | some[CODE].isin([ONSET, ENROLMENT])
    nothing = (some[SUBJECT] == 5) & ~is_fact
    late = (some[SUBJECT] == 6) & ~is_fact & (some[TIME] < some[SUBJECT].map(enrolled))
    scores = (some[SUBJECT] == 7) & (some[CODE] == "REHABCAST//FUGL_MEYER_UE")
    odd = (some[SUBJECT] == 8) & (some[CODE] == "REHABCAST//AGE")
    some.loc[odd, NUMBER] = 18.0
    some = some[~(nothing | late | scores)]
    provenance = Provenance(name="elsewhere", source="test", simulated=True)
    return Cohort(events=some, provenance=provenance, digest="e")


@pytest.fixture(scope="module")
def strict(bundle: Bundle) -> Bundle:
    """The same model, with a narrower idea of who is like those it was trained on."""
    return replace(bundle, reference=replace(bundle.reference, limit=0.05))


@pytest.fixture(scope="module")
def table(strict: Bundle, elsewhere: Cohort, audited: PredictionTable) -> pd.DataFrame:
    return predictions_of(strict, elsewhere, audited)


def test_every_question_is_refused_for_the_reason_that_the_service_itself_gives(
    table: pd.DataFrame, strict: Bundle, elsewhere: Cohort, batch: SequenceBatch
) -> None:
    nobody = Coverage(value=None, low=None, high=None, people=None)
    status = AuditStatus(
        model_version="arm/1", report_digest="r", outcome=Outcome.PASS,
        valid_until=datetime(2999, 1, 1, tzinfo=UTC), approver=None, reason=None,
        coverage=dict.fromkeys(groups_in(batch.groups_B), nobody),
    )  # fmt: skip
    served = ServedModel(bundle=strict, audit_status=status)
    words = {
        Refusal.NOTHING_MEASURED: "nothing was measured",
        Refusal.NO_SCORE: "no Fugl-Meyer",
        Refusal.GROUP: "nobody in the audit belonged",
        Refusal.FEW_ALIKE: "fewer than 5",
        Refusal.UNLIKE: "unlike those",
    }
    questions = questions_of(table).set_index(SUBJECT)
    assert list(questions.index) == list(range(1, 13))
    for subject, question in questions.iterrows():
        day = int(question["origin_day"])
        given = respond(asked(elsewhere, int(str(subject)), day), served, now=NOW)
        if question[REFUSAL] == "":
            assert (given.status, given.origin_day) == ("forecast", question["origin_day"])
        else:
            assert words[Refusal(question[REFUSAL])] in given.reason
    assert questions.loc[[1, 2, 3], REFUSAL].tolist() == [Refusal.GROUP] * 3
    assert questions.loc[5, REFUSAL] == Refusal.NOTHING_MEASURED
    assert questions.loc[7, REFUSAL] == Refusal.NO_SCORE
    assert Refusal.UNLIKE in set(questions[REFUSAL])


def asked(cohort: Cohort, subject: int, day: int) -> Question:
    """Ask with the whole record of a subject, as of a day after enrolment."""
    own = cohort.events[cohort.events[SUBJECT] == subject]
    dates = own.set_index(CODE)[TIME]
    onset = dates[ONSET]
    observations = [
        Observation(
            code=row[CODE],
            day_since_onset=None if pd.isna(row[TIME]) else (row[TIME] - onset).days,
            value=None if np.isnan(row[NUMBER]) else row[NUMBER],
            label=row[TEXT],
        )
        for row in own.to_dict("records")
        if row[CODE] not in {ONSET, ENROLMENT}
    ]
    enrolment_day = (dates[ENROLMENT] - onset).days
    return Question(
        subject=str(subject), enrolment_day=enrolment_day, observations=observations,
        as_of_day=enrolment_day + day, explain=False,
    )  # fmt: skip


def test_forecasts_for_a_hospital_that_no_audit_has_seen_are_scored_and_said_to_be_refused(
    table: pd.DataFrame,
) -> None:
    forecasts = forecasts_of(table)
    new = forecasts[forecasts[SUBJECT].isin([1, 2, 3])]
    assert len(new)
    assert set(new[REFUSAL]) == {Refusal.GROUP}
    # An audit with this table would have seen the hospital, so they count there.
    assert not new[REFUSED].all()
    given = forecasts[forecasts[REFUSAL] == ""]
    everybody, answered = scores_by_horizon(forecasts), scores_by_horizon(given)
    assert sum(s.outcomes for s in answered) == len(given) < sum(s.outcomes for s in everybody)
    of_group = next(r for r in refused_by_reason(forecasts) if r.reason == Refusal.GROUP)
    assert of_group.people == 3
    assert of_group.forecasts == len(new.drop_duplicates([SUBJECT, "origin_day"]))


def test_people_read_both_scores_and_how_many_would_be_refused_and_why(
    table: pd.DataFrame,
) -> None:
    forecasts, questions = forecasts_of(table), questions_of(table)
    evaluation = Evaluation(
        model_version="arm/1", bundle_digest="b", cohort="elsewhere", simulated=True,
        seen_in_training=False, validation=Validation.EXTERNAL,
        overlap=Overlap(known=True, people=10, new=10), predictions=Path("p.parquet"),
        horizons=tuple(scores_by_horizon(forecasts)),
        answered=tuple(scores_by_horizon(forecasts[forecasts[REFUSAL] == ""])),
        refused=tuple(refused_by_reason(forecasts)), asked=len(questions),
        asked_refused=tuple(refused_by_reason(questions)),
    )  # fmt: skip
    with stdout_console.capture() as capture:
        stdout_console.print(scores_table(evaluation), width=140)
    text = capture.get()
    assert "everybody, also if refused by the service" in text
    assert "Only forecasts that the service would give" in text
    refused = int((questions[REFUSAL] != "").sum())
    assert f"each of 12 people on the newest day with data, the service would refuse {refused}" in (
        " ".join(text.split())
    )
    assert Refusal.GROUP in text


@pytest.mark.parametrize("scores", [0, 1])
def test_a_cohort_in_which_nothing_can_be_scored_is_refused(
    bundle: Bundle, events: pd.DataFrame, audited: PredictionTable, task: Task, scores: int
) -> None:
    is_score = events[CODE] == task.target.code
    first = events[is_score].groupby(SUBJECT).head(scores).index
    kept = events[~is_score | events.index.isin(first)]
    provenance = Provenance(name="unscored", source="test", simulated=True)
    with pytest.raises(ContractError, match=r"nobody in cohort 'unscored'.*no forecast to score"):
        predictions_of(bundle, Cohort(events=kept, provenance=provenance, digest="d"), audited)
