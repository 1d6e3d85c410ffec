from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from contracts.errors import ContractError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.comparison.benchmark import Benchmark, benchmark, families, number_of_fits
from training.comparison.evaluate import scores_by_horizon
from training.comparison.leaderboard import FLOOR, calibration_slope, leaderboard_rows
from training.fitting.config import TrainingConfig
from training.models import Predict
from training.models.bedside_rules import last_observation, proportional_recovery
from training.models.stack import crps_weights, stack
from training.predictions import prediction_table
from training.scores import with_losses


def oracle(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
    """Knows every outcome, so that no honest model can beat it."""
    return lambda batch: np.repeat(np.nan_to_num(batch.truth_BH)[..., None], 19, axis=-1)


@pytest.fixture(scope="module")
def measured(batch: SequenceBatch, task: Task) -> tuple[Benchmark, pd.DataFrame]:
    competing = {"oracle": oracle, "last observation": last_observation}
    first = batch.take(batch.origin_day_B == 0)
    seen: Counter[str] = Counter()
    floor = prediction_table(first, oracle(batch, task, seed=0)(first), task, model=FLOOR)
    result = benchmark(
        batch, task, competing, repeats=2, folds=3, floor=floor,
        advance=lambda name: seen.update([name]),
    )  # fmt: skip
    assert seen == {"oracle": 6, "last observation": 6}
    assert number_of_fits(batch, task, "subject", 2, 3) == 6
    return result


def test_a_better_family_is_distinguished_from_a_worse_one(
    measured: tuple[Benchmark, pd.DataFrame],
) -> None:
    rows = [row for row in measured[0].rows if row.model != FLOOR]
    for row in rows:
        if row.model == "oracle":
            assert row.mae == row.crps == row.interval_score == 0
            assert row.mae_difference is None
        else:
            assert row.mae_difference is not None
            assert row.mae_difference.high < 0
            assert row.mae_difference.mean == pytest.approx(-row.mae)
    assert {row.origin_day for row in rows} == {0, 21}


def test_skill_is_zero_for_the_last_observation_and_one_for_the_floor(
    measured: tuple[Benchmark, pd.DataFrame],
) -> None:
    skills = {row.model: row.skill for row in measured[0].rows if row.skill is not None}
    assert skills == {
        "oracle": 1.0, "last observation": 0.0, FLOOR: 1.0,
    }  # fmt: skip


def test_every_family_has_a_price(measured: tuple[Benchmark, pd.DataFrame]) -> None:
    for price in measured[0].prices.values():
        assert price.fit_seconds >= 0
        assert price.alone_ms > 0
        assert price.parameters is None


def test_milestones_of_an_oracle_are_perfect(measured: tuple[Benchmark, pd.DataFrame]) -> None:
    rows = [row for row in measured[0].milestones if row.model == "oracle"]
    assert rows
    for row in rows:
        assert row.auroc > 0.99
        assert row.events <= row.subjects


def test_every_family_is_scored_on_the_same_people(batch: SequenceBatch, task: Task) -> None:
    competing = {"a": last_observation, "b": proportional_recovery}
    result, _ = benchmark(batch, task, competing, repeats=1, folds=3)
    counts = {(r.population, r.origin_day, r.weeks, r.subjects) for r in result.rows}
    assert len(result.rows) == 2 * len(counts)
    first = batch.take(batch.origin_day_B == 0)
    observed = (~np.isnan(first.truth_BH[:, 3])).sum()
    assert ("all", 0, 12, observed) in counts


def test_by_site_each_site_is_forecast_by_the_others(batch: SequenceBatch, task: Task) -> None:
    sites: list[tuple[set[str], set[str]]] = []

    def spy(train: SequenceBatch, task: Task, *, seed: int) -> Predict:
        def predict(unseen: SequenceBatch) -> np.ndarray:
            sites.append((set(train.groups_B["hospital"]), set(unseen.groups_B["hospital"])))
            return np.zeros((*unseen.truth_BH.shape, 19))

        return predict

    result, _ = benchmark(batch, task, {"spy": spy}, by="site")
    assert (result.repeats, result.folds) == (1, 2)
    assert all(not trained & scored for trained, scored in sites)
    one_site = replace(batch, groups_B=batch.groups_B.assign(hospital="A"))
    with pytest.raises(ContractError, match="two sites"):
        benchmark(one_site, task, {"spy": spy}, by="site")


def test_the_benchmark_has_all_families(task: Task) -> None:
    everything = [
        "hybrid", "GRU-D", "temporal convolution", "stack", "boosted quantiles", "random forest",
        "mixed effects", "kernel regression", "Gaussian process", "Bayesian recovery",
        "recovery groups", "proportional recovery", "last observation",
    ]  # fmt: skip
    assert list(families(TrainingConfig(), task)) == everything
    # Groups that were published for the arm are no rival where the task names no prior.
    without = task.model_copy(update={"prior": None})
    everything.remove("recovery groups")
    assert list(families(TrainingConfig(), without)) == everything


def test_a_stack_gives_its_weight_to_the_best_family(batch: SequenceBatch, task: Task) -> None:
    truth_BH = np.random.default_rng(0).normal(30, 5, (200, 2)).astype(np.float32)
    right = np.repeat(truth_BH[..., None], 19, axis=-1).astype(np.float64)
    weight_K = crps_weights(np.stack([right + 20, right, right - 30]), truth_BH)
    assert weight_K.sum() == pytest.approx(1)
    # Two errors of opposite sign can cancel: any weights for which they do are as good.
    mixed = np.tensordot(weight_K, np.stack([right + 20, right, right - 30]), axes=1)
    assert np.abs(mixed - right).max() < 0.5
    fitted = stack({"oracle": oracle, "last": last_observation})(batch, task, seed=0)
    quantiles_BHQ = fitted(batch)
    np.testing.assert_allclose(quantiles_BHQ, oracle(batch, task, seed=0)(batch), atol=1e-6)


def test_the_calibration_slope_is_one_for_honest_chances_and_less_for_bold_ones() -> None:
    generator = np.random.default_rng(0)
    chance = generator.uniform(0.05, 0.95, 20_000)
    reached = generator.random(20_000) < chance
    bold = chance**2 / (chance**2 + (1 - chance) ** 2)
    assert calibration_slope(chance, reached) == pytest.approx(1, abs=0.05)
    assert calibration_slope(bold, reached) == pytest.approx(0.5, abs=0.03)
    assert calibration_slope(np.full(20_000, 0.3), reached) is None


def test_an_evaluation_counts_people_and_gives_the_direction_of_the_bias(
    batch: SequenceBatch, task: Task
) -> None:
    too_high = np.repeat((np.nan_to_num(batch.truth_BH) + 3.0)[..., None], 19, axis=-1)
    table = prediction_table(batch, too_high, task, model="candidate")
    for scores in scores_by_horizon(table):
        assert scores.bias == pytest.approx(3.0)
        assert scores.mae == pytest.approx(3.0)
        assert scores.coverage_80 == 0.0
        assert scores.subjects <= scores.outcomes
    scored = with_losses(table)
    # Width 0, plus ten times the distance of the truth.
    assert scored["interval_score"].to_numpy() == pytest.approx(30.0)


def scored_table(people_at: dict[int, int], early: int) -> pd.DataFrame:
    """Return scored forecasts of as many people at each horizon, so many of them early."""
    rows = [(person, day) for day, people in people_at.items() for person in range(people)]
    table = pd.DataFrame(rows, columns=["subject_id", "horizon_day"])
    quantiles = {f"q{5 * n:02d}": 10.0 + n for n in range(1, 20)}
    return with_losses(
        table.assign(
            model="a", origin_day=0, repeat=0, truth=table["subject_id"] % 30 + 5.0,
            days_since_onset=np.where(table["subject_id"] < early, 10.0, 900.0), **quantiles,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("people_at", "early", "all_at", "early_at"),
    [
        ({42: 60, 84: 60}, 30, {6, 12}, {6, 12}),
        # Beside all, the early ones tell of the five who are not.
        ({42: 60, 84: 60}, 55, {6, 12}, set()),
        # Beside the standings over all, one horizon of five is what is left over.
        ({42: 60, 84: 60, 182: 5}, 30, {12}, {12}),
        ({42: 60, 84: 60, 182: 15}, 30, {6, 12, 26}, {6, 12, 26}),
        ({42: 60, 84: 60, 182: 10}, 30, {12}, {12}),
    ],
)
def test_a_leaderboard_leaves_over_no_fewer_than_eleven_people(
    task: Task, people_at: dict[int, int], early: int, all_at: set[int], early_at: set[int]
) -> None:
    rows = leaderboard_rows(scored_table(people_at, early), task, ["a"])
    assert {row.weeks for row in rows if row.population == "all"} == all_at
    assert {row.weeks for row in rows if row.population == "early"} == early_at
