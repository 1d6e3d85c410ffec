from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import shap

from contracts.errors import ForecastRefused, IntegrityError
from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from features.sequences import present_modalities
from inference.bundle import Bundle, forecast_batch
from serving.forecast import explain as explain_module
from serving.forecast.explain import (
    ALL_DAYS,
    EARLY_DAYS,
    RECENT_DAYS,
    RECENT_WINDOW_DAYS,
    Game,
    explain,
    forecast,
    game_of,
)
from serving.forecast.explain_days import MAX_DAY_BLOCKS, explain_days
from serving.schemas import SCORE
from tests.refusals import refuses


def split_pair(bundle: Bundle, batch: SequenceBatch) -> SequenceBatch:
    """Return a pair whose wearable has early and recent days."""
    for row in range(len(batch)):
        pair = batch.take(np.array([row]))
        if (
            len(game_of(bundle, pair).players)
            > present_modalities(pair, bundle.manifest.modalities).sum()
        ):
            return pair
    raise AssertionError("no pair to split")


def knowing(game: Game, member_P: np.ndarray) -> SequenceBatch:
    """Return the pair as if only these players were known, by hiding the inputs themselves."""
    batch, names = game.batch, game.bundle.manifest.modalities
    days = batch.observed_BTC.shape[1]
    visible_TC = np.zeros(batch.observed_BTC.shape[1:], dtype=bool)
    person = False
    windows = {
        ALL_DAYS: slice(None),
        EARLY_DAYS: slice(days - RECENT_WINDOW_DAYS),
        RECENT_DAYS: slice(days - RECENT_WINDOW_DAYS, None),
    }
    for player, member in zip(game.players, member_P, strict=True):
        if member:
            person |= names[player.modality] == "person"
            columns = [
                c for c, m in enumerate(batch.layout.modality_C) if m == names[player.modality]
            ]
            visible_TC[windows[player.window], columns] = True
    return replace(
        batch,
        values_BTC=np.where(visible_TC, batch.values_BTC, 0).astype(np.float32),
        observed_BTC=batch.observed_BTC & visible_TC,
        person_known_BS=batch.person_known_BS & person,
    )


def test_values_agree_with_shap_on_the_full_model(bundle: Bundle, batch: SequenceBatch) -> None:
    """shap's exact explainer hides inputs, and runs encoder, head and calibration each time."""
    pair = split_pair(bundle, batch)
    game = game_of(bundle, pair)
    assert {player.window for player in game.players} == {ALL_DAYS, EARLY_DAYS, RECENT_DAYS}
    time = next(p for p, player in enumerate(game.players)
                if bundle.manifest.modalities[player.modality] == "time since onset")  # fmt: skip

    def model(member_KP: np.ndarray) -> np.ndarray:
        values = []
        for member_P in member_KP:
            known = knowing(game, member_P)
            # The time since onset is always known to `forecast_batch`: hide it as the head does.
            values.append(_median(bundle, known, time_known=bool(member_P[time])))
        return np.array(values)

    players = len(game.players)
    reference = shap.explainers.Exact(model, shap.maskers.Independent(np.zeros((1, players))))(
        np.ones((1, players))
    )
    ours = explain(game, 3)
    np.testing.assert_allclose(ours.values, reference.values[0], atol=1e-3)
    assert float(ours.base_values) == pytest.approx(float(reference.base_values[0]), abs=1e-3)


def _median(bundle: Bundle, pair: SequenceBatch, *, time_known: bool) -> float:
    from inference.bundle import calibrated, embed, run_head

    present_1M = present_modalities(pair, bundle.manifest.modalities)
    present_1M[0, bundle.manifest.modalities.index("time since onset")] = time_known
    raw_1HQ = run_head(bundle, embed(bundle, pair), present_1M)
    quantiles = calibrated(bundle, raw_1HQ, pair)
    return float(quantiles[0, 3, MEDIAN])


def test_contributions_add_up_to_the_forecast_for_score_and_milestones(
    bundle: Bundle, batch: SequenceBatch
) -> None:
    for row in range(8):
        pair = batch.take(np.array([row]))
        game = game_of(bundle, pair)
        explanation = explain(game, 3)
        total = float(explanation.base_values) + explanation.values.sum()
        assert total == pytest.approx(forecast_batch(bundle, pair)[0, 3, MEDIAN], abs=1e-4)
        for milestone in bundle.task.milestones:
            chance = explain(game, 3, milestone.name)
            assert 0 <= float(chance.base_values) + chance.values.sum() <= 1 + 1e-9


def test_each_horizon_is_explained_by_itself(bundle: Bundle, batch: SequenceBatch) -> None:
    pair = batch.take(np.array([0]))
    game = game_of(bundle, pair)
    medians_H = forecast_batch(bundle, pair)[0, :, MEDIAN]
    assert len(set(medians_H)) == len(medians_H)
    for horizon, median in enumerate(medians_H):
        explanation = explain(game, horizon)
        total = float(explanation.base_values) + explanation.values.sum()
        assert total == pytest.approx(median, abs=1e-4)


def test_no_more_players_than_asked_for(bundle: Bundle, batch: SequenceBatch) -> None:
    pair = split_pair(bundle, batch)
    present = int(present_modalities(pair, bundle.manifest.modalities).sum())
    assert len(game_of(bundle, pair, present).players) == present
    assert len(game_of(bundle, pair, present + 1).players) == present + 1


def test_days_add_up_to_what_the_forecast_would_lose_without_the_modality(
    bundle: Bundle, batch: SequenceBatch
) -> None:
    pair = split_pair(bundle, batch)
    game = game_of(bundle, pair)
    days = explain_days(game, "gait", 3)
    assert 1 < len(days) <= MAX_DAY_BLOCKS
    gait = bundle.manifest.modalities.index("gait")
    others = tuple(player for player in game.players if player.modality != gait)
    without = knowing(game, np.array([player in others for player in game.players]))
    lost = (
        forecast_batch(bundle, pair)[0, 3, MEDIAN] - forecast_batch(bundle, without)[0, 3, MEDIAN]
    )
    assert sum(points for *_, points in days) == pytest.approx(lost, abs=1e-3)
    assert all(first <= last for first, last, _ in days)


def test_days_of_what_was_not_observed_are_refused(bundle: Bundle, batch: SequenceBatch) -> None:
    game = game_of(bundle, batch.take(np.array([0])))
    with refuses(ForecastRefused, match="no days of that modality"):
        explain_days(game, "person", 3)


def test_an_explanation_that_does_not_add_up_is_not_shown(
    bundle: Bundle, batch: SequenceBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = game_of(bundle, batch.take(np.array([0])))
    true = forecast(game, SCORE)
    monkeypatch.setattr(explain_module, "forecast", lambda *_: true + 2.0)
    with refuses(IntegrityError, match="misses the forecast"):
        explain(game, 3)


def test_the_explanation_is_one_that_shap_can_plot(bundle: Bundle, batch: SequenceBatch) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    explanation = explain(game_of(bundle, split_pair(bundle, batch)), 3)
    assert any(name.endswith(", recent days") for name in explanation.feature_names)
    shap.plots.waterfall(shap.Explanation(**asdict(explanation)), show=False)
    mpl.pyplot.close("all")
