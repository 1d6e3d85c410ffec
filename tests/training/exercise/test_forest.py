from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from training.exercise.forest import as_arrays, fit_forest


@given(st.integers(0, 2**16), st.integers(1, 5), st.sampled_from([1, 8, 1e5]))
@settings(max_examples=25, deadline=None)
def test_a_tree_in_arrays_says_what_the_library_says(seed: int, seen: int, steps: float) -> None:
    """Also of exercises that it has not seen, and where values lie as close as they can."""
    generator = np.random.default_rng(seed)
    values_WF = (np.round(generator.normal(size=(60, 3)) * steps) / steps).astype(np.float32)
    exercise_W = generator.choice(5, seen, replace=False)[generator.integers(0, seen, 60)]
    fitted = DecisionTreeClassifier(random_state=seed).fit(values_WF, exercise_W)
    said_WE = as_arrays(fitted, 5).chances(values_WF)
    assert np.allclose(said_WE[:, fitted.classes_], fitted.predict_proba(values_WF))
    assert np.allclose(said_WE.sum(axis=1), 1)


def test_what_is_said_of_people_left_out_has_not_learned_from_them() -> None:
    """Each person does each exercise in a way of their own: nobody else's trees can know it."""
    generator = np.random.default_rng(0)
    person_W, exercise_W = np.repeat(np.arange(4), 40), np.tile([0, 1], 80)
    own_W = np.where(person_W % 2, exercise_W, 1 - exercise_W) + 10.0 * person_W
    values_WF = np.stack([own_W, generator.normal(size=160)], axis=1).astype(np.float32)
    forest, left_out_WE = fit_forest(values_WF, exercise_W, person_W, 0)
    known = forest.chances(values_WF).argmax(axis=1) == exercise_W
    guessed = left_out_WE.argmax(axis=1) == exercise_W
    assert known.mean() > 0.95
    assert guessed.mean() < 0.8
