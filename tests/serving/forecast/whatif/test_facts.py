"""What is said of the prior is what a patient's own numbers come to."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.doses import shipped_dose_response
from contracts.task import Task
from inference.twin.mechanism import DAYS_A_WEEK
from inference.twin.person import person_of
from inference.twin.plans import as_now, doses_of
from serving.forecast.whatif.facts import prior_slope
from serving.forecast.whatif.twin import Twin

CURVES = 40
LITTLE_HOURS, LITTLE_DAYS = 0.01, 0.1


def twin_without_therapy(target: str, seed: int, gained: float, shift: float) -> Twin:
    """Return somebody whose level is moved by what is gained since enrolment, and by a network."""
    rng = np.random.default_rng(seed)
    response = shipped_dose_response(target)
    assert response is not None
    latent_P5 = rng.normal([-0.5, 0.5, 3.5, gained, 2.6], [1, 1, 0.3, 0.1, 0], (1, CURVES, 5))
    curves = {
        "weight": rng.dirichlet(np.ones(CURVES))[None, None],
        "onset": np.full((1, 1), 60.0),
        "shift": np.full((1, 1, 2), shift),
        "spread": np.full((1, 1, 2), 0.06),
        "latent": latent_P5,
        # By the pace nothing changes, so that all that a dose changes is its gain.
        "effect": np.zeros((1, CURVES)),
    }
    on = partial(
        person_of, {name: value.astype(np.float32) for name, value in curves.items()}, response,
        hours=0.0, days_treated=(0.0, 0.0), enrolled=40.0, horizons_H=np.array([-20.0, 84.0]),
    )  # fmt: skip
    return Twin(person=on(days_H=np.array([LITTLE_DAYS])), response=response, doses={}, on=on)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32 - 1), gained=st.floats(-0.5, 2.5), shift=st.floats(-0.15, 0.15)
)  # fmt: skip
def test_ten_hours_of_the_prior_are_what_a_little_therapy_adds_to_the_level_of_today(
    task: Task, seed: int, gained: float, shift: float
) -> None:
    twin = twin_without_therapy(task.target.code, seed, gained, shift)
    none_I, little_I = twin.person.levels(
        doses_of([as_now(0.0), as_now(LITTLE_HOURS)])
    )[:, 0]  # fmt: skip
    given_hours = LITTLE_HOURS * LITTLE_DAYS / DAYS_A_WEEK
    span = abs(task.target.best - task.target.worst)
    points_I = 10 * span * (little_I - none_I) / given_hours
    low, median, high = np.quantile(points_I, (0.1, 0.5, 0.9))
    found = prior_slope(twin, task.target)
    assert (found.low_80, found.median, found.high_80) == pytest.approx(
        (low, median, high), rel=0.02, abs=0.002
    )
