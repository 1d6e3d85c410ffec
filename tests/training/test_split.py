from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.split import HELD_OUT, fold_of_subjects, validation_subjects

subjects = st.lists(st.integers(0, 500), min_size=1, max_size=200).map(np.array)


@given(subjects, st.integers(1, 6), st.floats(0, 0.5), st.integers(0, 2**31))
def test_everybody_is_dealt_once_and_folds_are_even(
    ids: np.ndarray, folds: int, share: float, seed: int
) -> None:
    dealt = fold_of_subjects(ids, folds, share, seed=seed)
    assert set(dealt) == set(ids.tolist())
    aside = [fold for fold in dealt.values() if fold == HELD_OUT]
    assert len(aside) == round(share * len(set(ids.tolist())))
    counts = [list(dealt.values()).count(fold) for fold in range(folds)]
    assert max(counts) - min(counts) <= 1


@given(subjects, st.integers(0, 2**31))
def test_a_deal_depends_on_who_takes_part_and_not_on_their_order(
    ids: np.ndarray, seed: int
) -> None:
    again = fold_of_subjects(ids[::-1].repeat(2), 5, 0.1, seed=seed)
    assert again == fold_of_subjects(ids, 5, 0.1, seed=seed)


@given(subjects, st.integers(0, 2**31))
def test_early_stopping_always_watches_somebody(ids: np.ndarray, seed: int) -> None:
    watched = validation_subjects(ids, 0.2, seed=seed)
    assert 1 <= len(watched) == len(set(watched.tolist()))
    assert set(watched.tolist()) <= set(ids.tolist())
