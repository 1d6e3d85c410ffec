from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.split import HELD_OUT, fold_of_subjects, validation_subjects

subjects = st.lists(st.integers(0, 500), min_size=1, max_size=200).map(np.array)


@given(subjects, st.integers(1, 6), st.floats(0, 0.5), st.integers(0, 2**31))
def test_every_subject_is_in_one_fold_and_folds_are_even(
    ids: np.ndarray, folds: int, share: float, seed: int
) -> None:
    fold_of = fold_of_subjects(ids, folds, share, seed=seed)
    assert set(fold_of) == set(ids.tolist())
    held_out = [fold for fold in fold_of.values() if fold == HELD_OUT]
    assert len(held_out) == round(share * len(set(ids.tolist())))
    counts = [list(fold_of.values()).count(fold) for fold in range(folds)]
    assert max(counts) - min(counts) <= 1


@given(subjects, st.integers(0, 2**31))
def test_folds_depend_on_the_subjects_and_not_on_their_order(ids: np.ndarray, seed: int) -> None:
    again = fold_of_subjects(ids[::-1].repeat(2), 5, 0.1, seed=seed)
    assert again == fold_of_subjects(ids, 5, 0.1, seed=seed)


@given(subjects, st.integers(0, 2**31))
def test_early_stopping_always_has_a_validation_subject(ids: np.ndarray, seed: int) -> None:
    validation = validation_subjects(ids, 0.2, seed=seed)
    assert 1 <= len(validation) == len(set(validation.tolist()))
    assert set(validation.tolist()) <= set(ids.tolist())
