from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import shap
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import IntegrityError
from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from features.sequences import present_modalities
from serving import explain as explain_module
from serving.bundle import Bundle, embed, join
from serving.explain import coalitions, explain, shapley_weights


@given(st.integers(1, 5), st.integers(0, 2**31))
def test_values_are_the_mean_marginal_gain_over_all_orders(players: int, seed: int) -> None:
    """Against the definition: join one by one, in every order (Shapley 1953)."""
    worth_K = np.random.default_rng(seed).normal(size=2**players)
    gained = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        joined = 0
        for player in order:
            gained[player] += worth_K[joined | 1 << player] - worth_K[joined]
            joined |= 1 << player
    np.testing.assert_allclose(shapley_weights(players) @ worth_K, gained / len(orders), atol=1e-12)


def test_a_coalition_is_its_number_in_binary() -> None:
    assert coalitions(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]


def test_values_agree_with_shap_on_the_full_model(bundle: Bundle, batch: SequenceBatch) -> None:
    """shap's exact explainer runs encoder and head from inputs whose modalities are hidden."""
    pair = batch.take(np.array([3]))
    modalities = bundle.manifest.modalities
    present_1M = present_modalities(pair, modalities)

    def model(shown_KM: np.ndarray) -> np.ndarray:
        repeated = pair.take(np.zeros(len(shown_KM), dtype=np.int64))
        quantiles = join(bundle, embed(bundle, repeated), shown_KM.astype(np.float32) * present_1M)
        return quantiles[:, 3, MEDIAN]

    hidden = np.zeros((1, len(modalities)))
    reference = shap.explainers.Exact(model, shap.maskers.Independent(hidden))(
        np.ones((1, len(modalities)))
    )
    ours = explain(bundle, embed(bundle, pair), present_1M, 3)
    np.testing.assert_allclose(ours.values, reference.values[0], atol=1e-3)
    assert float(ours.base_values) == pytest.approx(float(reference.base_values[0]), abs=1e-3)


def test_contributions_add_up_and_what_was_not_observed_adds_nothing(
    bundle: Bundle, batch: SequenceBatch
) -> None:
    modalities = bundle.manifest.modalities
    for row in range(12):
        pair = batch.take(np.array([row]))
        present_1M = present_modalities(pair, modalities)
        for hidden in range(len(modalities)):
            shown = present_1M.copy()
            shown[0, hidden] = 0
            explanation = explain(bundle, embed(bundle, pair), shown, 3)
            forecast = join(bundle, embed(bundle, pair), shown)[0, 3, MEDIAN]
            total = float(explanation.base_values) + explanation.values.sum()
            assert total == pytest.approx(forecast, abs=1e-4)
            assert explanation.values[hidden] == 0


def test_an_explanation_that_does_not_add_up_is_not_shown(
    bundle: Bundle, batch: SequenceBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = batch.take(np.array([0]))
    present_1M = present_modalities(pair, bundle.manifest.modalities)
    monkeypatch.setattr(explain_module, "LARGEST_GAP", -1.0)
    with pytest.raises(IntegrityError, match="misses the forecast"):
        explain(bundle, embed(bundle, pair), present_1M, 3)
