"""Properties that every rival has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.models import Fit
from training.models.rivals import bayesian_recovery as bayesian
from training.models.rivals import kernel_regression as kernel
from training.models.rivals import recovery_process as process
from training.models.rivals.bayesian_recovery import bayesian_recovery
from training.models.rivals.kernel_regression import kernel_regression
from training.models.rivals.recovery_process import recovery_process
from training.models.rivals.tuning import pinball

BARTHEL = "REHABCAST//BARTHEL"
RIVALS = {"kernel": kernel_regression, "process": recovery_process, "Bayesian": bayesian_recovery}


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bayesian, "ROUNDS", 6)
        patch.setattr(bayesian, "CURVES", 128)
        patch.setattr(bayesian, "CURVES_OF_FORECAST", 128)
        patch.setattr(bayesian, "DOUBTS", (10.0, 10_000.0))
        patch.setattr(kernel, "BANDWIDTHS", ((0.1, 0.5), (0.2, 0.5)))
        patch.setattr(process, "STEPS", 60)
        yield


def with_a_second_instrument(batch: SequenceBatch, task: Task) -> SequenceBatch:
    """The same people, two of three of whom have a Barthel index that goes with their score."""
    target = batch.layout.channels_C.index(task.target.code)
    has_BT1 = (batch.observed_BTC[:, :, target] & (batch.subject_B % 3 > 0)[:, None])[..., None]
    score_BT1 = np.where(has_BT1, 10 + batch.values_BTC[:, :, [target]], 0).astype(np.float32)
    layout = replace(
        batch.layout,
        channels_C=(*batch.layout.channels_C, BARTHEL),
        modality_C=(*batch.layout.modality_C, batch.layout.modality_C[target]),
    )
    return replace(
        batch,
        layout=layout,
        values_BTC=np.concatenate([batch.values_BTC, score_BT1], axis=2),
        observed_BTC=np.concatenate([batch.observed_BTC, has_BT1], axis=2),
    )


@pytest.fixture(scope="module")
def halves(batch: SequenceBatch, task: Task) -> tuple[SequenceBatch, SequenceBatch]:
    both = with_a_second_instrument(batch, task)
    unseen = both.subject_B % 4 == 0
    return both.take(~unseen), both.take(unseen)


@pytest.mark.parametrize("fit", RIVALS.values(), ids=RIVALS)
def test_quantiles_rise_stay_on_the_scale_and_beat_the_training_distribution(
    fit: Fit, halves: tuple[SequenceBatch, SequenceBatch], task: Task
) -> None:
    train, unseen = halves
    quantiles_BHQ = fit(train, task, seed=2)(unseen)
    assert quantiles_BHQ.shape == (len(unseen), 6, 19)
    assert (np.diff(quantiles_BHQ, axis=-1) >= -1e-6).all()
    assert quantiles_BHQ.min() >= 0
    assert quantiles_BHQ.max() <= 66
    everybody_Q = np.nanquantile(train.truth_BH, np.linspace(0.05, 0.95, 19))
    naive = pinball(np.broadcast_to(everybody_Q, quantiles_BHQ.shape), unseen.truth_BH)
    assert pinball(quantiles_BHQ, unseen.truth_BH) < 0.6 * naive


@pytest.mark.parametrize("fit", RIVALS.values(), ids=RIVALS)
def test_the_order_of_the_subjects_does_not_matter(
    fit: Fit, halves: tuple[SequenceBatch, SequenceBatch], task: Task
) -> None:
    """Of those learned from, and of those forecast: each is forecast by itself."""
    train, unseen = halves
    order = np.random.default_rng(0).permutation(len(train))
    few = unseen.take(np.arange(len(unseen) - 1, -1, -1))
    forecast_BHQ = fit(train, task, seed=2)(unseen)
    again_BHQ = fit(train.take(order), task, seed=2)(few)[::-1]
    np.testing.assert_allclose(again_BHQ, forecast_BHQ, atol=1e-3)


@pytest.mark.parametrize("fit", RIVALS.values(), ids=RIVALS)
def test_a_patient_without_the_other_instruments_is_forecast_as_if_there_were_none(
    fit: Fit, halves: tuple[SequenceBatch, SequenceBatch], task: Task
) -> None:
    """An instrument that nobody forecast has changes nothing, whatever the others have."""
    train, unseen = halves
    predict = fit(train, task, seed=2)
    target = train.layout.channels_C.index(task.target.code)
    only_C = np.arange(train.observed_BTC.shape[2]) == target
    bare = replace(
        unseen,
        observed_BTC=unseen.observed_BTC & only_C,
        values_BTC=np.where(unseen.observed_BTC & only_C, unseen.values_BTC, 0),
    )
    mixed_BHQ = predict(replace(
        unseen,
        observed_BTC=np.concatenate([bare.observed_BTC[:1], unseen.observed_BTC[1:]]),
        values_BTC=np.concatenate([bare.values_BTC[:1], unseen.values_BTC[1:]]),
    ))  # fmt: skip
    assert np.isfinite(mixed_BHQ).all()
    np.testing.assert_allclose(mixed_BHQ[0], predict(bare)[0], atol=1e-6)


def test_the_process_reads_the_other_instruments_of_those_who_have_them(
    halves: tuple[SequenceBatch, SequenceBatch], task: Task
) -> None:
    train, unseen = halves
    predict = recovery_process(train, task, seed=2)
    second = train.layout.channels_C.index(BARTHEL)
    without = replace(
        unseen,
        observed_BTC=unseen.observed_BTC & (np.arange(unseen.observed_BTC.shape[2]) != second),
    )
    has_B = unseen.observed_BTC[:, :, second].any(axis=1)
    moved_B = np.abs(predict(unseen) - predict(without)).max(axis=(1, 2))
    assert 0 < has_B.sum() < len(has_B)
    assert (moved_B[has_B] > 0.01).all()
    np.testing.assert_allclose(moved_B[~has_B], 0, atol=1e-9)


@pytest.mark.parametrize("fit", RIVALS.values(), ids=RIVALS)
def test_no_rival_learns_from_the_people_it_forecasts(
    fit: Fit, halves: tuple[SequenceBatch, SequenceBatch], task: Task
) -> None:
    train, unseen = halves
    predict = fit(train, task, seed=2)
    blind = replace(unseen, truth_BH=np.full_like(unseen.truth_BH, np.nan))
    np.testing.assert_array_equal(predict(blind), predict(unseen))
