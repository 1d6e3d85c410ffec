"""How good the served explanations of a version are, on a sample of the people it was trained on.

Neither training nor the auditor may see the service, so it is measured here, after training, and
kept beside the prediction table.
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
"""Forecasts explained, each of another person, drawn at random; two explanations of each."""

MOVED = 0.1
"""By how much of its spread between people a reading is moved to see whether reasons hold: about
what a second reading of the same arm differs by (standard error of measurement 1.9 points of a
spread of about 20, Wagner 2008)."""

MOST_PLAYERS = 0
"""No modality is parted by windows: as stable or not, and some ten times quicker."""


def explanation_quality(bundle: Bundle, cohort: Cohort, *, seed: int) -> pd.DataFrame:
    """Explain a sample at the primary horizon, and again from readings moved a little.

    Returns
    -------
    One row a forecast: `KEYS`, and the two columns of explanations (`contracts.predictions`).
    """
    batch = _sampled(training_sequences(cohort.events, bundle.task), seed)
    horizon = [h.weeks for h in bundle.task.horizons].index(bundle.task.primary_horizon_weeks)
    moved = _moved(batch, seed)
    each = [np.array([b]) for b in range(len(batch))]
    rows = [_quality(bundle, batch.take(b), moved.take(b), horizon) for b in each]
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
    """Put the explanations' columns beside the candidate's forecasts; NaN where not explained."""
    marked = quality.assign(**{MODEL: "candidate"})
    return predictions.merge(marked, on=[MODEL, *KEYS], how="left", validate="one_to_one")


def _sampled(batch: SequenceBatch, seed: int) -> SequenceBatch:
    """Return one pair each of `SAMPLE` people, or of all where they are fewer."""
    order = np.random.default_rng([seed, 2]).permutation(len(batch))
    _, first = np.unique(batch.subject_B[order], return_index=True)
    chosen = order[np.sort(first)[:SAMPLE]]
    return batch.take(np.sort(chosen))


def _moved(batch: SequenceBatch, seed: int) -> SequenceBatch:
    seen_BTC = batch.observed_BTC
    spread_C = np.array(
        [
            batch.values_BTC[:, :, c][seen_BTC[:, :, c]].std() if seen_BTC[:, :, c].any() else 0.0
            for c in range(seen_BTC.shape[2])
        ]
    )
    noise_BTC = np.random.default_rng([seed, 3]).normal(size=seen_BTC.shape) * spread_C * MOVED
    moved_BTC = np.where(seen_BTC, batch.values_BTC + noise_BTC, batch.values_BTC)
    return replace(batch, values_BTC=moved_BTC.astype(np.float32))


def _quality(
    bundle: Bundle, pair: SequenceBatch, moved: SequenceBatch, horizon: int
) -> tuple[float, float]:
    """Return by how much contributions miss the forecast, and how far they move."""
    game = game_of(bundle, pair, MOST_PLAYERS)
    told = explain(game, horizon)
    again = explain(game_of(bundle, moved, MOST_PLAYERS), horizon)
    foretold = float(forecast(game, SCORE)[horizon])
    value_P: NDArray[np.float64] = told.values
    gap = abs(float(told.base_values) + float(value_P.sum()) - foretold)
    return gap, float(np.abs(value_P - again.values).mean()) if len(value_P) else 0.0
