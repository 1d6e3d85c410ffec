"""A model of made-up people whose therapy is on record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.task import Task
from contracts.therapy import THERAPY
from features.newest import days_with_score
from features.sequences import training_sequences
from inference.bundle import load_bundle, verify_bundle
from serving.forecast.audit_status import ServedModel
from tests.conftest import write_bundle_of


def with_minutes(events: pd.DataFrame) -> pd.DataFrame:
    """Give everybody half an hour to an hour of therapy on the days with steps."""
    steps = events[events["code"] == "LOINC//41950-7"]
    minutes = 30.0 + 30 * (steps["subject_id"].to_numpy() % 2)
    return pd.concat([events, steps.assign(code=THERAPY, numeric_value=minutes)])


@pytest.fixture(scope="session")
def treated(
    events: pd.DataFrame, task: Task, served: ServedModel, tmp_path_factory: pytest.TempPathFactory
) -> ServedModel:
    """A model that reads therapy, and has seen that of 60 people."""
    from training.fitting.config import TrainingConfig
    from training.fitting.crossfit import crossfit

    people = with_minutes(events)
    batch = training_sequences(people, task)
    records = days_with_score(people, task, batch.layout)
    folder: Path = tmp_path_factory.mktemp("treated")
    config = TrainingConfig(max_epochs=2, folds=3, hidden=4)
    fitted = crossfit(batch, task, config, folder=folder / "folds", records=records)
    write_bundle_of(fitted, batch, task, folder / "bundle", records)
    digest = verify_bundle(folder / "bundle")
    bundle = load_bundle(folder / "bundle", expected_digest=digest)
    assert bundle.doses is not None
    assert np.ptp(bundle.doses.count_KDSE[..., 2]) > 0, "somebody had 3.5 hours a week"
    return replace(served, bundle=bundle)
