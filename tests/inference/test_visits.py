from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from contracts.forecast import QUANTILE_LEVELS
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.milestones import USUAL_CORRELATION, chances, reached
from inference.visits import learn_visits

PEOPLE = 1_500


def drawn(
    batch: SequenceBatch, task: Task, correlation: float, shift: float = 0.0
) -> tuple[np.ndarray, SequenceBatch, Task]:
    """People of whom the forecasts are right but for a shift, and who miss some visits."""
    generator = np.random.default_rng(3)
    many = batch.take(np.zeros(PEOPLE, dtype=np.int64))
    shape = many.truth_BH.shape
    shared, own = generator.normal(size=(PEOPLE, 1)), generator.normal(size=shape)
    z = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    truth_BH = (30 + shift + 6 * z).astype(np.float32)
    truth_BH[generator.random(shape) < 0.3] = np.nan
    quantiles_BHQ = np.broadcast_to(30 + 6 * norm.ppf(QUANTILE_LEVELS), (*shape, 19)).copy()
    target = task.target.model_copy(update={"step": 0.0})
    last_B = np.full(PEOPLE, 28, dtype=np.float32)
    people = replace(
        many, truth_BH=truth_BH, last_score_B=last_B, subject_B=np.arange(PEOPLE, dtype=np.int64)
    )
    return quantiles_BHQ, people, task.model_copy(update={"target": target})


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.8])
def test_the_correlation_of_visits_is_found(
    batch: SequenceBatch, task: Task, correlation: float
) -> None:
    visits = learn_visits(*drawn(batch, task, correlation))
    assert visits.correlation == pytest.approx(correlation, abs=0.05)
    assert np.abs(visits.moved_MH[0]).max() < 0.2


@pytest.mark.parametrize("shift", [-3.0, 3.0])
def test_as_many_reach_a_milestone_as_was_said(
    batch: SequenceBatch, task: Task, shift: float
) -> None:
    """Forecasts that are too high or too low state the right number after the correction."""
    quantiles_BHQ, people, task = drawn(batch, task, 0.6, shift)
    visits = learn_visits(quantiles_BHQ, people, task)
    seen_BH = ~np.isnan(people.truth_BH)
    told = chances(
        quantiles_BHQ, people.last_score_B, task, visits, counted_BH=seen_BH, assessed_B=None
    )
    before = chances(quantiles_BHQ, people.last_score_B, task, counted_BH=seen_BH, assessed_B=None)
    was = reached(people.truth_BH, people.last_score_B, task, assessed_B=None)
    name = task.milestones[0].name
    for h, seen_B in enumerate(seen_BH.T):
        came = was[name][seen_B, h].mean()
        assert told[name][seen_B, h].mean() == pytest.approx(came, abs=0.03)
        assert abs(before[name][seen_B, h].mean() - came) > 0.05
        assert (np.diff(told[name], axis=1) >= -1e-9).all()


def test_answers_of_few_people_move_a_chance_less_than_those_of_many(
    batch: SequenceBatch, task: Task
) -> None:
    """Answers of a person say much the same: what counts is how many people gave them."""
    quantiles_BHQ, people, task = drawn(batch, task, 0.6, 3.0)
    of_few = replace(people, subject_B=people.subject_B % 50)
    moved_MH = learn_visits(quantiles_BHQ, people, task).moved_MH
    by_few_MH = learn_visits(quantiles_BHQ, of_few, task).moved_MH
    assert (moved_MH[0] > 0.3).all()
    assert (by_few_MH[0] < moved_MH[0] / 2).all()


def test_of_few_nothing_is_learned(batch: SequenceBatch, task: Task) -> None:
    quantiles_BHQ, people, task = drawn(batch, task, 0.0)
    few = people.take(np.arange(2))
    visits = learn_visits(quantiles_BHQ[:2], few, task)
    assert visits.correlation == USUAL_CORRELATION
    assert not visits.moved_MH.any()
