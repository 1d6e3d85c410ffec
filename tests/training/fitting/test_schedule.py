from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.lightning_module import TRAINING_LOSS, VALIDATION_LOSS, NetworkModule
from training.fitting.network_fit import fit_network, learning_curve
from training.fitting.schedule import (
    FROM_FLAT,
    FROM_PUBLISHED,
    epochs_by_rule,
    person_share,
)
from training.models.architectures import new_network

PEOPLE = st.integers(1, 100_000)


@given(people=PEOPLE, more=PEOPLE)
def test_more_people_are_never_learned_from_for_a_shorter_time(
    people: int, more: int, task: Task
) -> None:
    config = TrainingConfig(max_epochs=1_000)
    fewer, many = (epochs_by_rule(n, task, config) for n in (people, people + more))
    assert fewer is not None
    assert many is not None
    assert FROM_PUBLISHED <= fewer <= many


@given(people=PEOPLE, longest=st.integers(1, 200))
def test_a_flat_start_learns_at_least_as_long_and_none_longer_than_allowed(
    people: int, longest: int, task: Task
) -> None:
    config = TrainingConfig(max_epochs=longest)
    flat = task.model_copy(update={"prior": None})
    published, from_flat = (epochs_by_rule(people, t, config) for t in (task, flat))
    assert published is not None
    assert from_flat is not None
    assert published <= from_flat <= longest
    assert from_flat >= min(FROM_FLAT, longest)


@pytest.mark.parametrize(
    "config", [TrainingConfig(stopping="early stopping"), TrainingConfig(architecture="GRU-D")]
)
def test_no_rule_where_people_are_watched_or_nothing_is_known_of_recovery(
    config: TrainingConfig, task: Task
) -> None:
    assert epochs_by_rule(100, task, config) is None


@given(people=PEOPLE, more=PEOPLE)
def test_covariates_of_fewer_people_are_learned_from_more_slowly(
    people: int, more: int, task: Task
) -> None:
    fewer, many = (person_share(n, task, TrainingConfig()) for n in (people, people + more))
    assert 0 < fewer < many < 1


def test_networks_without_a_recovery_population_learn_at_the_full_rate(task: Task) -> None:
    assert person_share(10, task, TrainingConfig(architecture="GRU-D")) == 1


def test_only_what_reads_the_person_is_slower(batch: SequenceBatch, task: Task) -> None:
    config = TrainingConfig(hidden=4)
    network = new_network(batch.layout, task, "hybrid", 4)
    module = NetworkModule(network, config, seed=0, span=66.0, groups=0, person_share=0.25)
    rate_of = {
        id(parameter): group["initial_lr"]
        for group in module.configure_optimizers()["optimizer"].param_groups
        for parameter in group["params"]
    }
    expected = dict.fromkeys(map(id, network.parameters()), config.learning_rate)
    for parameter in network.encoder.person_parameters():
        expected[id(parameter)] = 0.25 * config.learning_rate
    for parameter in network.mechanistic_parameters():
        expected[id(parameter)] = config.mechanistic_pace * config.learning_rate
    assert network.encoder.person_parameters()
    assert rate_of == pytest.approx(expected)


def test_a_rule_learns_from_everybody_for_its_epochs_and_watches_nobody(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    config = TrainingConfig(hidden=4)
    epochs = epochs_by_rule(len(np.unique(batch.subject_B)), task, config)
    assert epochs is not None
    fit_network(batch, task, config, seed=1, folder=tmp_path / "rule")
    curve = learning_curve(tmp_path / "rule")
    assert len(curve) == epochs
    assert all(set(epoch) == {TRAINING_LOSS} for epoch in curve)
    watched = replace(config, stopping="early stopping", max_epochs=2)
    fit_network(batch, task, watched, seed=1, folder=tmp_path / "watched")
    assert all(VALIDATION_LOSS in epoch for epoch in learning_curve(tmp_path / "watched"))


def test_whoever_is_declared_for_tuning_is_watched_and_not_learned_from(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    tuning_B = batch.subject_B % 2 == 0
    config = TrainingConfig(hidden=4, max_epochs=2)
    for name, tuning in (("as it is", batch.take(tuning_B)), ("none", None)):
        fit_network(
            batch.take(~tuning_B), task, config, seed=1, folder=tmp_path / name, tuning=tuning
        )
    assert len(learning_curve(tmp_path / "as it is")) == 2
    assert VALIDATION_LOSS in learning_curve(tmp_path / "as it is")[0]
    assert VALIDATION_LOSS not in learning_curve(tmp_path / "none")[0]
