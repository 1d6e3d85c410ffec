from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts import predictions as columns
from contracts.errors import ContractError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import training_sequences
from features.simulate import simulate
from features.simulate.floor import MEAN, MEAN_ERROR, bayes_floor
from features.simulate.scenario import Disparity, Scenario
from features.simulate.therapy import Therapy

QUANTILES = list(columns.QUANTILE_COLUMNS)
PAIRS = 60


@pytest.fixture(scope="module")
def floor(seen: SequenceBatch, simulated: pd.DataFrame, landmarks: Task) -> pd.DataFrame:
    return bayes_floor(seen.take(np.arange(PAIRS)), simulated, landmarks, Scenario(), seed=0)


def truths(batch: SequenceBatch, task: Task) -> pd.DataFrame:
    row, horizon = np.nonzero(~np.isnan(batch.truth_BH))
    return pd.DataFrame(
        {
            columns.SUBJECT: batch.subject_B[row],
            columns.ORIGIN: batch.origin_day_B[row],
            columns.HORIZON: np.array([h.day for h in task.horizons])[horizon],
            columns.TRUTH: batch.truth_BH[row, horizon].astype(float),
            columns.LAST_SCORE: batch.last_score_B[row].astype(float),
        }
    )


def test_quantiles_rise_and_stay_on_the_scale(floor: pd.DataFrame) -> None:
    quantiles = floor[QUANTILES].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert quantiles.min() >= 0
    assert quantiles.max() <= 66
    assert (floor[columns.HORIZON] > floor[columns.ORIGIN]).all()


def test_every_observed_outcome_has_a_floor_and_it_is_calibrated(
    floor: pd.DataFrame, seen: SequenceBatch, landmarks: Task
) -> None:
    both = truths(seen.take(np.arange(PAIRS)), landmarks).merge(floor, how="left")
    assert not both[QUANTILES].isna().any(axis=None)
    below = (both[columns.TRUTH] < both["q10"]).groupby(both[columns.SUBJECT]).mean()
    above = (both[columns.TRUTH] > both["q90"]).groupby(both[columns.SUBJECT]).mean()
    # Scores are whole points, so that a tail holds 10 % at most.
    for tail in (below, above):
        assert tail.mean() < 0.10 + 3 * tail.std() / np.sqrt(len(tail))
    inside = both[columns.TRUTH].between(both["q10"], both["q90"])
    assert inside.mean() < 0.95


def test_the_floor_is_far_below_no_change_and_falls_as_data_arrive(
    floor: pd.DataFrame, seen: SequenceBatch, landmarks: Task
) -> None:
    both = truths(seen.take(np.arange(PAIRS)), landmarks).merge(floor)
    both["missed"] = (both["q50"] - both[columns.TRUTH]).abs()
    both["unchanged"] = (both[columns.LAST_SCORE] - both[columns.TRUTH]).abs()
    late = both[both[columns.HORIZON] >= 84]
    by_origin = late.groupby(columns.ORIGIN)[["missed", "unchanged"]].mean()
    assert (by_origin["missed"] < 0.75 * by_origin["unchanged"]).all()
    assert by_origin["missed"][14] < by_origin["missed"][0]


def test_the_monte_carlo_error_that_it_reports_is_the_one_that_it_makes(
    floor: pd.DataFrame, seen: SequenceBatch, simulated: pd.DataFrame, landmarks: Task
) -> None:
    again = bayes_floor(seen.take(np.arange(40)), simulated, landmarks, Scenario(), seed=1)
    first = floor.head(len(again))
    scaled = (first[MEAN] - again[MEAN]) / np.hypot(first[MEAN_ERROR], again[MEAN_ERROR])
    assert 0.7 < np.sqrt((scaled**2).mean()) < 1.8
    assert floor[MEAN_ERROR].mean() < 0.35


def test_one_worker_gives_the_same_numbers_as_two(
    floor: pd.DataFrame, seen: SequenceBatch, simulated: pd.DataFrame, landmarks: Task
) -> None:
    few = seen.take(np.arange(6))
    shared = bayes_floor(few, simulated, landmarks, Scenario(), seed=0, workers=2)
    pd.testing.assert_frame_equal(shared, floor.head(len(shared)))


@pytest.mark.soak
def test_a_planted_group_that_is_not_seen_is_averaged_over(landmarks: Task) -> None:
    """Label bias of a group whose label is hidden: its members are expected too high, by less."""
    planted = Scenario(
        therapy=Therapy(truth="none"), disparity=Disparity(score_bias=-8.0, label="female")
    )
    events = simulate(subjects=40, seed=3, scenario=planted)[0]
    blind = landmarks.model_copy(
        update={
            "inputs": landmarks.inputs.model_copy(
                update={"person": tuple(c for c in landmarks.inputs.person if "SEX" not in c)}
            ),
            "origins_days": (14,),
        }
    )
    floors = {}
    for name, task in (
        ("blind", blind),
        ("seeing", blind.model_copy(update={"inputs": landmarks.inputs})),
    ):
        batch = training_sequences(events, task)
        floors[name] = bayes_floor(batch, events, task, planted, seed=0)
    women = set(events.loc[events["text_value"] == "female", columns.SUBJECT])
    later = floors["blind"][columns.HORIZON] == 182
    apart = (floors["blind"][MEAN] - floors["seeing"][MEAN])[later]
    is_woman = floors["blind"][columns.SUBJECT][later].isin(women)
    assert apart[is_woman].abs().mean() < 4
    assert np.isfinite(apart).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"origins_days": (0, 60)}, "does not see the enrolment"),
        ({"daily": ("REHABCAST//WEAR_TIME",)}, "THERAPY among the task's inputs"),
        ({"target": "REHABCAST//CAHAI"}, "CAHAI is not simulated"),
    ],
    ids=["late origin", "therapy not seen", "not simulated"],
)
def test_what_has_no_floor_is_refused_with_the_reason(
    simulated: pd.DataFrame, landmarks: Task, change: dict[str, object], message: str
) -> None:
    task = landmarks
    if "origins_days" in change:
        task = task.model_copy(update=change)
    if "daily" in change:
        task = task.model_copy(update={"inputs": task.inputs.model_copy(update=change)})
    batch = training_sequences(simulated, task)
    if "target" in change:
        target = task.target.model_copy(update={"code": change["target"]})
        task = task.model_copy(update={"target": target})
    with pytest.raises(ContractError, match=message):
        bayes_floor(batch, simulated, task, Scenario(), seed=0)
