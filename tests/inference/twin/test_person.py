"""A person in draws: where therapy does nothing, every plan is that of today, bit for bit."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.doses import DoseResponse, shipped_dose_response
from inference.twin.person import CHUNK, DRAWS, Person, person_of
from inference.twin.plans import ALL, Part, Plan, as_now, doses_of

CURVES = 40
DAYS_H = np.array([7.0, 84.0, 400.0])


def response_with(nothing: float) -> DoseResponse:
    response = shipped_dose_response("REHABCAST//FUGL_MEYER_UE")
    assert response is not None
    return response.model_copy(update={"nothing_early": nothing, "nothing_late": nothing})


def person(
    seed: int, nothing: float, hours: float = 3.0, kind: type[np.floating] = np.float64
) -> Person:
    rng = np.random.default_rng(seed)
    curves = {
        "weight": rng.dirichlet(np.ones(CURVES))[None, None],
        "onset": np.full((1, 1), 60.0),
        "shift": np.zeros((1, 1, 2)),
        "spread": np.full((1, 1, 2), 0.06),
        "latent": rng.normal([-0.5, 0.5, 3.5, 0.1, 2.6], [1, 1, 0.3, 0.1, 0], (1, CURVES, 5)),
        "effect": np.full((1, CURVES), 0.2),
    }
    return person_of(
        {name: value.astype(np.float32) for name, value in curves.items()}, response_with(nothing),
        hours=hours, days_treated=(14.0, 60.0), enrolled=40.0,
        horizons_H=np.array([-20.0, 400.0]), days_H=DAYS_H, kind=kind,
    )  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), hours=st.floats(0, 30), days=st.integers(1, 200))
def test_where_therapy_does_nothing_every_plan_is_that_of_today(
    seed: int, hours: float, days: int
) -> None:
    someone = person(seed, nothing=0.4)
    parts = (Part(hours={ALL: hours}, days=days), Part(hours={ALL: hours / 2}))
    doses = doses_of([as_now(someone.hours), Plan(name="other", parts=parts)])
    for level_NHI in (someone.levels(doses), someone.by_pace(doses)):
        now_HI, other_HI = level_NHI
        without_I = ~someone.acts_I
        assert (now_HI[:, without_I] == other_HI[:, without_I]).all()
    moved_HI = np.abs(np.diff(someone.levels(doses), axis=0))[0]
    if abs(hours - someone.hours) > 0.1:
        assert (moved_HI[:, someone.acts_I].max(axis=0) > 0).mean() > 0.9


@pytest.mark.parametrize("nothing", [0.0, 0.23, 0.5])
def test_it_does_nothing_in_as_many_draws_as_the_response_says(nothing: float) -> None:
    someone = person(1, nothing)
    assert 1 - someone.acts_I.mean() == pytest.approx(nothing, abs=5 / DRAWS)
    in_half = someone.noise_I > 0
    assert someone.acts_I[in_half].mean() == pytest.approx(1 - nothing, abs=0.04), "of itself"


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), hours=st.floats(0, 40))
def test_recovery_runs_to_its_capacity_by_the_pace_of_the_dose(seed: int, hours: float) -> None:
    """By hand, at one dose from today on: minutes a day saturate at 90, the pace is that at 60."""
    someone = person(seed, nothing=0.0)

    def sped(minutes: float) -> np.ndarray:
        return np.asarray(1 + someone.effect_I * (1 - np.exp(-minutes / 90)))

    pace_I = someone.pace_I * sped(60) / sped(hours * 60 / 7)
    left_HI = np.exp(-DAYS_H[:, None] / pace_I)
    level_HI = someone.capacity_I + (someone.now_I - someone.capacity_I) * left_HI
    odds_HI = level_HI / (1 - level_HI) * np.exp(someone.enrolled_HI)
    found_HI = someone.by_pace(doses_of([as_now(hours)]))[0]
    np.testing.assert_allclose(found_HI, odds_HI / (1 + odds_HI), rtol=1e-9, atol=1e-12)


def test_many_plans_are_each_what_it_is_alone() -> None:
    someone = person(2, nothing=0.3)
    plans = [as_now(0.3 * number) for number in range(2 * CHUNK + 5)]
    together = someone.levels(doses_of(plans))
    assert len(together) == len(plans)
    for number in (0, CHUNK - 1, CHUNK, 2 * CHUNK + 4):
        alone = someone.levels(doses_of([plans[number]]))
        np.testing.assert_array_equal(together[number], alone[0])


def test_single_precision_is_single_in_every_number() -> None:
    exact, quick = person(3, nothing=0.2), person(3, nothing=0.2, kind=np.float32)
    for field in fields(quick):
        value = getattr(quick, field.name)
        if isinstance(value, np.ndarray) and field.name not in {"acts_I", "days_H"}:
            assert value.dtype == np.float32, field.name
    doses = doses_of([as_now(8.0)])
    assert quick.levels(doses).dtype == quick.scores(quick.levels(doses)).dtype == np.float32
    np.testing.assert_allclose(quick.levels(doses), exact.levels(doses), atol=1e-5)
