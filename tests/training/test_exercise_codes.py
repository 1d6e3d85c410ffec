"""Days of home exercise are inputs like any other: a model trains on them, and reasons name them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NUMBER, ONSET, SUBJECT, TIME
from contracts.exercise import codes
from contracts.observation import Observation
from contracts.task import Task
from contracts.verdict import Outcome
from features.newest import days_with_score
from features.sequences import training_sequences
from inference.bundle import Bundle, load_bundle, verify_bundle
from serving.forecast.audit_status import AuditStatus, ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.reason_words import reason_in_words
from tests.conftest import made_up_events, write_bundle_of
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit

PEOPLE = 24
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def with_exercise(events: pd.DataFrame) -> pd.DataFrame:
    """Give everybody days of exercise, better done by those who are active."""
    steps = events[events[CODE] == "LOINC//41950-7"]
    part = (steps[NUMBER] / steps[NUMBER].max()).to_numpy()
    values = {
        codes.ADHERENCE: part, codes.REPETITIONS: np.round(200 * part), codes.QUALITY: part,
        codes.RANGE: 0.5 + part, codes.PACE: 1.5 - part / 2, codes.SMOOTHNESS: -4 + 2 * part,
        codes.IRREGULARITY: 1 - part / 2, codes.FATIGUE: 0.3 - part / 4,
        codes.RANGE_ASYMMETRY: 0.5 - part / 3, codes.TIME_ASYMMETRY: 0.4 - part / 4,
        codes.TRUNK: 20 - 10 * part,
    }  # fmt: skip
    days = [steps.assign(**{CODE: code, NUMBER: value}) for code, value in values.items()]
    return pd.concat([events, *days], ignore_index=True)


@pytest.fixture(scope="module")
def bundle(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    daily = (*task.inputs.daily, *codes.CODES)
    own = task.model_copy(update={"inputs": task.inputs.model_copy(update={"daily": daily})})
    events = with_exercise(made_up_events(PEOPLE, seed=2))
    batch = training_sequences(events, own)
    records = days_with_score(events, own, batch.layout)
    config = TrainingConfig(max_epochs=1, folds=3, hidden=2)
    fitted = crossfit(batch, own, config, folder=tmp_path_factory.mktemp("folds"), records=records)
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle_of(fitted, batch, own, folder, records)
    return load_bundle(folder, expected_digest=verify_bundle(folder))


def test_a_cohort_with_exercise_trains_forecasts_and_explains(bundle: Bundle) -> None:
    assert "exercise" in bundle.manifest.modalities
    assert set(codes.CODES) <= set(bundle.layout.channels_C)
    status = AuditStatus(
        model_version="arm/1", report_digest="r" * 64, outcome=Outcome.PASS,
        valid_until=datetime(2100, 1, 1, tzinfo=UTC), approver=None, reason=None,
    )  # fmt: skip
    served = ServedModel(bundle=bundle, audit_status=status)
    observations = person(with_exercise(made_up_events(PEOPLE, seed=2)))
    question = Question(subject="P-1", enrolment_day=10, observations=observations)
    answer = respond(question, served, now=NOW)
    assert answer.status == "forecast", answer.reason
    assert answer.reasons is not None
    of_exercise = [one for one in answer.reasons.contributions if one.modality == "exercise"]
    assert [one.observed for one in of_exercise].count(True) >= 1
    assert answer.reasons.additivity_gap <= 1e-4
    assert "exercise at home" in reason_in_words(answer, of_exercise[0])


def person(events: pd.DataFrame) -> list[Observation]:
    """Return the record of a person of the cohort, from ten days after the onset on."""
    one = events[(events[SUBJECT] == 3) & ~events[CODE].isin([ONSET])]
    enrolled = one.loc[one[CODE] == ENROLMENT, TIME].iloc[0]
    rows = one[one[NUMBER].notna() & one[TIME].notna()]
    days = (rows[TIME] - enrolled).dt.days
    return [
        Observation(code=code, value=float(value), day_since_onset=int(day) + 10)
        for code, value, day in zip(rows[CODE], rows[NUMBER], days, strict=True)
        if day <= 21
    ]
