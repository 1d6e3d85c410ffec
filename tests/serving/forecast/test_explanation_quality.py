from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from contracts.predictions import EXPLANATION_GAP, EXPLANATION_INSTABILITY, HORIZON, ORIGIN, SUBJECT
from inference.bundle import Bundle
from serving.forecast import explanation_quality as module
from serving.forecast.explanation_quality import explanation_quality, with_explanations


@pytest.fixture
def quality(bundle: Bundle, events: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Explains three people."""
    monkeypatch.setattr(module, "SAMPLE", 3)
    cohort: Any = SimpleNamespace(events=events)
    return lambda seed: explanation_quality(bundle, cohort, seed=seed)


def test_some_people_are_explained_twice_the_same_for_a_seed(quality: Any) -> None:
    first = quality(0)
    assert len(first) == len(set(first[SUBJECT])) == 3
    assert list(first[SUBJECT]) == sorted(first[SUBJECT])
    assert set(first[HORIZON]) == {84}
    assert (first[EXPLANATION_GAP] < 1e-3).all()
    # A second reading of the same arm changes a contribution by parts of a point.
    assert ((first[EXPLANATION_INSTABILITY] > 0) & (first[EXPLANATION_INSTABILITY] < 2)).all()
    pd.testing.assert_frame_equal(first, quality(0))
    assert list(quality(1)[SUBJECT]) != list(first[SUBJECT])


def test_what_was_not_explained_has_no_number(quality: Any) -> None:
    rows = quality(0)
    keys = rows[[SUBJECT, ORIGIN, HORIZON]]
    other = keys.assign(**{HORIZON: 1})
    marked = pd.concat([keys.assign(model="candidate"), other.assign(model="candidate"),
                        keys.assign(model="comparator")])  # fmt: skip
    joined = with_explanations(marked, rows)
    assert len(joined) == 9
    explained = joined[EXPLANATION_GAP].notna()
    assert list(joined.loc[explained, EXPLANATION_GAP]) == list(rows[EXPLANATION_GAP])
    assert explained.sum() == 3
