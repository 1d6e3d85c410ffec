"""One small real bundle for the tests of serving."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.verdict import Outcome
from serving.bundle import Bundle, load_bundle, verify_bundle
from serving.respond import Served, Standing
from training.bundle import Lineage, write_bundle
from training.config import TrainingConfig
from training.crossfit import CrossFit, crossfit
from training.models.network import Ensemble


@pytest.fixture(scope="session")
def fitted(batch: SequenceBatch, task: Task, tmp_path_factory: pytest.TempPathFactory) -> CrossFit:
    config = TrainingConfig(max_epochs=3, folds=2, hidden=4)
    return crossfit(batch, task, config, folder=tmp_path_factory.mktemp("folds"))


@pytest.fixture(scope="session")
def bundle_folder(
    fitted: CrossFit, batch: SequenceBatch, task: Task, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    lineage = Lineage(
        family="hybrid",
        cohort_name="made up",
        simulated=True,
        data_digest="d",
        task_digest="t",
        config_digest="c",
        code_digest="s",
        predictions_digest="p",
        seed=0,
        subjects=60,
    )
    members = Ensemble(fitted.members)
    write_bundle(folder, members, fitted.calibration, batch, task, lineage, card="# Card\n")
    return folder


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    return load_bundle(bundle_folder, expected_digest=verify_bundle(bundle_folder))


@pytest.fixture(scope="session")
def served(bundle: Bundle) -> Served:
    standing = Standing(
        model_version="arm/1",
        report_digest="r" * 64,
        outcome=Outcome.PASS,
        valid_until=datetime(2100, 1, 1, tzinfo=UTC),
        approver=None,
        reason=None,
    )
    return Served(bundle=bundle, standing=standing)
