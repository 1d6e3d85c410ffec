"""The realism gate, on 5,000 subjects, and that each of its gates can refuse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.simulate.latent import Groups
from features.simulate.people import People
from features.simulate.published import published_median
from features.simulate.realism import (
    GATE_SUBJECTS,
    Gate,
    Sample,
    plateau_day,
    realism_gates,
    sample,
)
from features.simulate.scenario import Scenario
from features.simulate.subjects import SHARD, draw_subjects
from features.simulate.wear import Wear


def samples(scenario: Scenario, subjects: int, seed: int = 0) -> Iterator[Sample]:
    for shard in range(subjects // SHARD):
        yield sample(draw_subjects(shard, seed, scenario), shard, SHARD)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.soak) for n in (1, 2, 3))])
def test_the_simulated_cohort_shows_what_is_reported_of_real_patients(seed: int) -> None:
    gates = realism_gates(samples(Scenario(), GATE_SUBJECTS, seed))
    assert len(gates) == 14
    assert [gate for gate in gates if not gate.held] == []


@pytest.mark.parametrize(
    ("scenario", "missed"),
    [
        (Scenario(groups=Groups(rate_spread=0.01, time_spread=0.01)), "median of the published"),
        (Scenario(groups=Groups(walk_days=90.0)), "week by which 95 %"),
        (Scenario(wear=Wear(keenness=1.0)), "mean share of valid days"),
        (Scenario(groups=Groups(time_weeks=(12.0, 20.0, 20.0, 8.0, 6.0))), "plateau of the Fugl"),
    ],
    ids=["as published: too easy", "slow walkers", "rarely worn", "slow arms"],
)
def test_an_unrealistic_cohort_misses_its_gate(scenario: Scenario, missed: str) -> None:
    gates = realism_gates(samples(scenario, 2_000))
    assert any(gate.name.startswith(missed) and not gate.held for gate in gates)


def test_a_figure_that_is_not_a_number_never_holds() -> None:
    gate = Gate(name="x", source="y", target=1, low=0, high=2, value=float("nan"))
    assert not gate.held


def test_a_cohort_without_walkers_is_judged_without_a_warning() -> None:
    few = Scenario(people=People(owner_share=-9.0))
    gates = realism_gates(samples(few, SHARD))
    assert sum(np.isnan(gate.value) for gate in gates) == 5


@settings(max_examples=30, deadline=None)
@given(
    rate=st.floats(0.04, 0.12),
    middle=st.floats(-20, 20),
    best=st.floats(5, 60),
    seed=st.integers(0, 99),
)
def test_the_plateau_of_logistic_courses_is_found(
    rate: float, middle: float, best: float, seed: int
) -> None:
    """Closed form: 90 % of the asymptote is reached at middle + ln(9) / rate."""
    day = 7.0 * np.array([2, 4, 6, 8, 12, 16, 20, 24])
    asymptote = best * np.random.default_rng(seed).uniform(0.2, 1, size=(30, 1))
    score = asymptote / (1 + np.exp(-rate * (day - middle)))
    assert plateau_day(score, day) == pytest.approx(middle + np.log(9) / rate, rel=0.01, abs=0.1)


def test_the_published_predictor_errs_as_reported_on_its_own_model() -> None:
    """Bayes-optimal error of the published model: medians 3.2 and 2.9 (research notes, A1)."""
    generator = np.random.default_rng(0)
    groups = Groups()
    group = generator.choice(5, size=4_000, p=np.array(groups.share) / sum(groups.share))
    logit = generator.normal(
        np.array(groups.start_mean)[group], np.array(groups.start_spread)[group]
    )
    start = 66 / (1 + np.exp(-logit))
    day = np.tile([7.0, 14.0, 182.0], (4_000, 1))
    rate, time = np.array(groups.rate)[group], 7 * np.array(groups.time_weeks)[group]
    level = start[:, None] + (rate * (66 - start))[:, None] * -np.expm1(-day / time[:, None])
    score = np.clip(np.round(level + generator.normal(0, 3.855, level.shape)), 0, 66)
    for seen, reported in ((1, 3.2), (2, 2.9)):
        predicted = published_median(day[:, :seen], score[:, :seen], 182.0)
        missed = np.median(np.abs(predicted - score[:, 2]))
        assert missed == pytest.approx(reported, rel=0.15)
