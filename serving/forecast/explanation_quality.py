"""How good a version's explanations are, on a sample of the people it was trained on.

Neither training nor the auditor may import the service, so this is measured here, after training,
and stored beside the prediction table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.cohort import Cohort
from contracts.predictions import (
    EXPLANATION_GAP,
    EXPLANATION_INSTABILITY,
    HORIZON,
    MODEL,
    ORIGIN,
    SUBJECT,
)
from contracts.sequences import SequenceBatch
from features.sequences import training_sequences
from inference.bundle import Bundle
from serving.forecast.explain import explain, forecast, game_of
from serving.schemas import SCORE

EXPLANATIONS_FILE = "explanations.parquet"
KEYS = [SUBJECT, ORIGIN, HORIZON]

SAMPLE = 60
"""Forecasts explained, each of a different person drawn at random; each is explained twice."""

NOISE_SHARE = 0.1
"""Noise added to a reading to see whether explanations are stable, as a share of the reading's
spread between people: about what a second reading of the same arm differs by (standard error of
measurement 1.9 points, spread about 20, Wagner 2008)."""

MAX_PLAYERS = 0
"""No modality is split into windows: about ten times faster, and no more or less stable."""


def explanation_quality(bundle: Bundle, cohort: Cohort, *, seed: int) -> pd.DataFrame:
    """Explain a sample at the primary horizon, and again from slightly perturbed readings.

    Returns
    -------
    One row a forecast: `KEYS`, and the two columns of explanations (`contracts.predictions`).
    """
    batch = _sampled(training_sequences(cohort.events, bundle.task), seed)
    horizon = [h.weeks for h in bundle.task.horizons].index(bundle.task.primary_horizon_weeks)
    perturbed = _perturbed(batch, seed)
    pairs = [np.array([b]) for b in range(len(batch))]
    rows = [_quality(bundle, batch.take(b), perturbed.take(b), horizon) for b in pairs]
    return pd.DataFrame(
        {
            SUBJECT: batch.subject_B,
            ORIGIN: batch.origin_day_B,
            HORIZON: bundle.layout.horizon_days_H[horizon],
            EXPLANATION_GAP: [gap for gap, _ in rows],
            EXPLANATION_INSTABILITY: [change for _, change in rows],
        }
    )


def with_explanations(predictions: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Add the explanations' columns to the candidate's forecasts; NaN where not explained."""
    marked = quality.assign(**{MODEL: "candidate"})
    return predictions.merge(marked, on=[MODEL, *KEYS], how="left", validate="one_to_one")


def _sampled(batch: SequenceBatch, seed: int) -> SequenceBatch:
    """Return one pair of each of `SAMPLE` people, or of everybody where there are fewer."""
    order = np.random.default_rng([seed, 2]).permutation(len(batch))
    _, first = np.unique(batch.subject_B[order], return_index=True)
    chosen = order[np.sort(first)[:SAMPLE]]
    return batch.take(np.sort(chosen))


def _perturbed(batch: SequenceBatch, seed: int) -> SequenceBatch:
    seen_BTC = batch.observed_BTC
    spread_C = np.array(
        [
            batch.values_BTC[:, :, c][seen_BTC[:, :, c]].std() if seen_BTC[:, :, c].any() else 0.0
            for c in range(seen_BTC.shape[2])
        ]
    )
    noise_BTC = (
        np.random.default_rng([seed, 3]).normal(size=seen_BTC.shape) * spread_C * NOISE_SHARE
    )
    perturbed_BTC = np.where(seen_BTC, batch.values_BTC + noise_BTC, batch.values_BTC)
    return replace(batch, values_BTC=perturbed_BTC.astype(np.float32))


def _quality(
    bundle: Bundle, pair: SequenceBatch, perturbed: SequenceBatch, horizon: int
) -> tuple[float, float]:
    """Return by how much contributions miss the forecast, and how much they change."""
    game = game_of(bundle, pair, MAX_PLAYERS)
    explanation = explain(game, horizon)
    repeated = explain(game_of(bundle, perturbed, MAX_PLAYERS), horizon)
    forecast_value = float(forecast(game, SCORE)[horizon])
    value_P: NDArray[np.float64] = explanation.values
    gap = abs(float(explanation.base_values) + float(value_P.sum()) - forecast_value)
    return gap, float(np.abs(value_P - repeated.values).mean()) if len(value_P) else 0.0
