"""Explanations of a network trained on the simulated cohort, where one modality has no effect."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.channels import NULL_CHANNELS
from inference.bundle import Bundle, load_bundle, verify_bundle
from serving.forecast.explain import explain, game_of
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.models.layers.network import Ensemble
from training.registry.bundle import TrainingProvenance, write_bundle

SUBJECTS, EXPLAINED = 400, 40


@pytest.fixture(scope="module")
def trained(task: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, SequenceBatch]:
    folder = tmp_path_factory.mktemp("trained")
    events, _ = simulate(subjects=SUBJECTS, seed=4)
    batch = training_sequences(events, task)
    config = TrainingConfig(max_epochs=12, folds=3)
    fitted = crossfit(batch, task, config, folder=folder / "folds")
    digests = dict.fromkeys(
        ("data_digest", "task_digest", "config_digest", "code_digest", "predictions_digest"), "-"
    )
    lineage = TrainingProvenance(
        family="hybrid", cohort_name="SIMULATED", simulated=True, seed=0, subjects=SUBJECTS,
        **digests,
    )  # fmt: skip
    members = Ensemble(fitted.served)
    write_bundle(folder / "bundle", members, fitted.calibration, batch, task, lineage, card="-")
    bundle_folder = folder / "bundle"
    digest = verify_bundle(bundle_folder)
    return load_bundle(bundle_folder, expected_digest=digest), batch


@pytest.mark.soak
def test_what_has_no_effect_ranks_low(trained: tuple[Bundle, SequenceBatch]) -> None:
    """Sleep has no effect by design, and is on record as often as any other channel."""
    bundle, batch = trained
    null = {
        modality
        for code, modality in zip(batch.layout.channels_C, batch.layout.modality_C, strict=True)
        if code in NULL_CHANNELS
    }
    assert null == {"sleep"}
    points: dict[str, list[float]] = {}
    generator = np.random.default_rng(0)
    for row in generator.choice(len(batch), size=EXPLAINED, replace=False):
        pair = batch.take(np.array([row]))
        game = game_of(bundle, pair, max_players=0)
        explanation = explain(game, 3)
        for name, value in zip(explanation.feature_names, explanation.values, strict=True):
            points.setdefault(name, []).append(abs(float(value)))
    mean = {name: float(np.mean(values)) for name, values in points.items()}
    order = sorted(mean, key=lambda name: -mean[name])
    ranking = ", ".join(f"{name} {mean[name]:.2f}" for name in order)
    # By chance alone it would be in the lower half every other time, and have an equal share.
    assert order.index("sleep") >= len(order) / 2, ranking
    assert mean["sleep"] < 0.5 * sum(mean.values()) / len(mean), ranking
    print(ranking)  # noqa: T201  (the figures are what it is run for)
