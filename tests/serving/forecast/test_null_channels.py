"""Reasons of a network that learned from the simulated cohort, where one modality tells nothing."""

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
def learned(task: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, SequenceBatch]:
    place = tmp_path_factory.mktemp("learned")
    events, _ = simulate(subjects=SUBJECTS, seed=4)
    batch = training_sequences(events, task)
    config = TrainingConfig(max_epochs=12, folds=2)
    fitted = crossfit(batch, task, config, folder=place / "folds")
    digests = dict.fromkeys(
        ("data_digest", "task_digest", "config_digest", "code_digest", "predictions_digest"), "-"
    )
    lineage = TrainingProvenance(
        family="hybrid", cohort_name="SIMULATED", simulated=True, seed=0, subjects=SUBJECTS,
        **digests,
    )  # fmt: skip
    members = Ensemble(fitted.members)
    write_bundle(place / "bundle", members, fitted.calibration, batch, task, lineage, card="-")
    folder = place / "bundle"
    return load_bundle(folder, expected_digest=verify_bundle(folder)), batch


@pytest.mark.soak
def test_what_tells_nothing_ranks_low(learned: tuple[Bundle, SequenceBatch]) -> None:
    """Sleep is null by design, and on record as often as any other channel."""
    bundle, batch = learned
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
        game = game_of(bundle, pair, most_players=0)
        explanation = explain(game, 3)
        for name, value in zip(explanation.feature_names, explanation.values, strict=True):
            points.setdefault(name, []).append(abs(float(value)))
    mean = {name: float(np.mean(values)) for name, values in points.items()}
    order = sorted(mean, key=lambda name: -mean[name])
    told = ", ".join(f"{name} {mean[name]:.2f}" for name in order)
    # With chance alone it would be in the lower half every other time, and hold its even share.
    assert order.index("sleep") >= len(order) / 2, told
    assert mean["sleep"] < 0.5 * sum(mean.values()) / len(mean), told
    print(told)  # noqa: T201  (the figures are what it is run for)
