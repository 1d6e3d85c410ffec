"""Exact Shapley values of the days of one modality, everything else being known.

Letters: T days, C channels, D blocks of days, K = 2^D coalitions, H horizons, Q quantile levels.
"""

from __future__ import annotations

import numpy as np

from contracts.errors import ForecastRefused
from contracts.sequences import SequenceBatch
from features.sequences import present_modalities
from inference.bundle import calibrated, embed, run_head
from serving.forecast.explain import Game, Indices, columns_of, masked, output_of
from serving.forecast.shapley import coalitions, shapley_weights
from serving.schemas import SCORE

MAX_DAY_BLOCKS = 6
"""Blocks of days of one modality that are explained on request: 64 more passes of the encoder."""


def explain_days(
    game: Game, modality: str, horizon: int, output: str = SCORE
) -> list[tuple[int, int, float]]:
    """Say how much the days of one modality contribute, everything else being known.

    Returns
    -------
    First and last day of each block, as indices along T, and its Shapley value. They add up to the
    change of the forecast without the modality.

    Raises
    ------
    ForecastRefused
        The modality was not observed, or has no days.
    """
    bundle, batch = game.bundle, game.batch
    columns = columns_of(batch, modality)
    days = np.flatnonzero(batch.observed_BTC[0][:, columns].any(axis=1))
    if len(days) == 0:
        raise ForecastRefused(
            "no days of that modality are on record",
            "set days_of to a modality with days on record; rests_on names those that are missing",
        )
    blocks = np.array_split(days, min(MAX_DAY_BLOCKS, len(days)))
    member_KD = coalitions(len(blocks))
    modalities = bundle.manifest.modalities
    views = [
        _without(batch, columns, [block for b, block in enumerate(blocks) if not member_D[b]])
        for member_D in member_KD
    ]
    quantiles_KHQ = np.concatenate(
        [
            run_head(bundle, embed(bundle, view), present_modalities(view, modalities))
            for view in views
        ]
    )
    calibrated_KHQ = calibrated(bundle, quantiles_KHQ, batch)
    value_K = output_of(game, calibrated_KHQ, output)[:, horizon]
    shapley_D = shapley_weights(len(blocks)) @ value_K
    return [
        (int(block[0]), int(block[-1]), float(value))
        for block, value in zip(blocks, shapley_D, strict=True)
    ]


def _without(batch: SequenceBatch, columns: Indices, hidden: list[Indices]) -> SequenceBatch:
    visible_1TC = np.ones(batch.observed_BTC.shape, dtype=np.bool_)
    for block in hidden:
        visible_1TC[:, block[:, None], columns] = False
    return masked(batch, visible_1TC)
