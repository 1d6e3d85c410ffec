"""A person in draws: where therapy does nothing, every plan is that of today, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.doses import DoseResponse, shipped_dose_response
from inference.twin.person import DRAWS, Person, person_of
from inference.twin.plans import ALL, Part, Plan, as_now, doses_of

CURVES = 40
DAYS_H = np.array([7.0, 84.0, 400.0])


def response_with(nothing: float) -> DoseResponse:
    response = shipped_dose_response("REHABCAST//FUGL_MEYER_UE")
    assert response is not None
    return response.model_copy(update={"nothing_early": nothing, "nothing_late": nothing})


def person(seed: int, nothing: float, hours: float = 3.0) -> Person:
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
        horizons_H=np.array([-20.0, 400.0]), days_H=DAYS_H,
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
