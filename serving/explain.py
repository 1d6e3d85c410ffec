"""Exact Shapley values of a forecast, by modality and window, in score points or chances.

Letters: B pairs, T days, C channels, M modalities, E embedding width, P players, K = 2^P
coalitions, H horizons, Q quantile levels.

A player is a modality, or its early or its recent days. A coalition re-runs only the small head
over cached embeddings (docs/decisions/0002): each modality is encoded with all its days, with the
early and with the recent ones, and nothing is sampled. An absent player is one that the network
met in training, so the base value is the forecast for somebody of whom nothing is known, and no
background of other people's rows is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shap
from numpy.typing import NDArray

from contracts.errors import ForecastRefused, IntegrityError
from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from features.sequences import present_modalities
from serving.bundle import Bundle, calibrated, embed, join
from serving.request import SCORE
from serving.shapley import coalitions, shapley_weights
from training.milestones import chances

LARGEST_GAP = 1e-4
"""Points by which base and contributions may miss the forecast; more is no explanation."""

RECENT_DAYS = 14
"""Days up to the origin that make the recent window; the rest of the past is the early one."""

MOST_PLAYERS = 12
"""Modalities are parted by windows while there are no more players than this: 4,096 coalitions."""

DAY_PLAYERS = 6
"""Blocks of days of one modality that are told apart on request: 64 more passes of the encoder."""

AT_ONCE = 256
"""Coalitions in one pass of the head: more would only take memory."""

WHOLE, EARLY, RECENT = "all days", "early days", "recent days"
UNPARTED = frozenset({"time since onset", "person", "therapy"})
"""Not parted: the first two have no days, and the recent dose acts on the course as a whole."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Player:
    """A modality, by its place along M, and which of its days."""

    modality: int
    window: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """One subject's forecast as a game of coalitions.

    Parameters
    ----------
    batch
        The subject, a batch of one.
    players
        What is known.
    embeddings_3ME
        Embeddings from all days, the early and the recent ones; (1, M, E) where nothing is parted.
    """

    bundle: Bundle
    batch: SequenceBatch
    players: tuple[Player, ...]
    embeddings_3ME: NDArray[np.float32]


def game_of(bundle: Bundle, batch: SequenceBatch, most_players: int = MOST_PLAYERS) -> Game:
    """Encode a subject once for every coalition."""
    present_M = present_modalities(batch, bundle.manifest.modalities)[0] > 0
    parted = _parted(bundle, batch, present_M, most_players)
    players: list[Player] = []
    for m in np.flatnonzero(present_M):
        windows = (EARLY, RECENT) if m in parted else (WHOLE,)
        players += [Player(int(m), window) for window in windows]
    views = [batch, *_windows(batch)] if parted else [batch]
    return Game(
        bundle=bundle,
        batch=batch,
        players=tuple(players),
        embeddings_3ME=np.concatenate([embed(bundle, view) for view in views]),
    )


def worths(game: Game, member_KP: Flags) -> NDArray[np.float64]:
    """Forecast what each coalition knows: calibrated quantiles (K, H, Q)."""
    parts = np.array_split(member_KP, max(1, len(member_KP) // AT_ONCE))
    quantiles_KHQ = np.concatenate([_joined(game, part) for part in parts])
    return calibrated(game.bundle, quantiles_KHQ, game.batch.groups_B)


def explain(game: Game, horizon: int, output: str = SCORE) -> shap.Explanation:
    """Explain one output at one horizon.

    Parameters
    ----------
    horizon
        Index of the horizon.
    output
        `score`, for the median in score points, or a milestone's name, for its chance.

    Returns
    -------
    `values` (P,) and `base_values` in points of the output, `data` 1 for each player, and
    `feature_names`, the modalities and their windows.

    Raises
    ------
    ForecastRefused
        There is no such output.
    IntegrityError
        Base and contributions miss the forecast by more than `LARGEST_GAP`.
    """
    players = len(game.players)
    worth_K = output_of(game, worths(game, coalitions(players)), output)[:, horizon]
    value_P = shapley_weights(players) @ worth_K
    gap = abs(worth_K[0] + value_P.sum() - worth_K[-1])
    if not gap <= LARGEST_GAP:
        raise IntegrityError(f"the explanation misses the forecast by {gap:.2g} points: not shown")
    names = game.bundle.manifest.modalities
    return shap.Explanation(
        values=value_P,
        base_values=worth_K[0],
        data=np.ones(players),
        feature_names=[
            names[each.modality] + ("" if each.window == WHOLE else f", {each.window}")
            for each in game.players
        ],
    )


def explain_days(
    game: Game, modality: str, horizon: int, output: str = SCORE
) -> list[tuple[int, int, float]]:
    """Say which days of one modality matter, everything else being known.

    Returns
    -------
    First and last day of each block, as places along T, and its Shapley value. Together they are
    what the forecast would lose without the modality.

    Raises
    ------
    ForecastRefused
        The modality was not observed, or has no days.
    """
    bundle, batch = game.bundle, game.batch
    columns = _columns(batch, modality)
    days = np.flatnonzero(batch.observed_BTC[0][:, columns].any(axis=1))
    if len(days) == 0:
        raise ForecastRefused("no days of that modality are on record: ask for one of those known")
    blocks = np.array_split(days, min(DAY_PLAYERS, len(days)))
    member_KD = coalitions(len(blocks))
    views = [
        _without(batch, columns, [b for b, block in enumerate(blocks) if not shown[b]], blocks)
        for shown in member_KD
    ]
    quantiles_KHQ = np.concatenate(
        [
            join(bundle, embed(bundle, view), present_modalities(view, bundle.manifest.modalities))
            for view in views
        ]
    )
    worth_K = output_of(game, calibrated(bundle, quantiles_KHQ, batch.groups_B), output)[:, horizon]
    value_D = shapley_weights(len(blocks)) @ worth_K
    return [
        (int(block[0]), int(block[-1]), float(value))
        for block, value in zip(blocks, value_D, strict=True)
    ]


def _parted(bundle: Bundle, batch: SequenceBatch, present_M: Flags, most: int) -> set[int]:
    """Choose the modalities to part by windows: those with most days, seen in both windows."""
    days: dict[int, int] = {}
    for m, name in enumerate(bundle.manifest.modalities):
        seen_T = batch.observed_BTC[0][:, _columns(batch, name)].any(axis=1)
        both = seen_T[:-RECENT_DAYS].any() and seen_T[-RECENT_DAYS:].any()
        if present_M[m] and name not in UNPARTED and both:
            days[m] = int(seen_T.sum())
    spare = max(0, most - int(present_M.sum()))
    return set(sorted(days, key=lambda m: (-days[m], m))[:spare])


def _windows(batch: SequenceBatch) -> tuple[SequenceBatch, SequenceBatch]:
    recent_T = np.arange(batch.observed_BTC.shape[1]) >= batch.observed_BTC.shape[1] - RECENT_DAYS
    return _showing(batch, ~recent_T[None, :, None]), _showing(batch, recent_T[None, :, None])


def _showing(batch: SequenceBatch, shown_1TC: Flags) -> SequenceBatch:
    return replace(
        batch,
        values_BTC=np.where(shown_1TC, batch.values_BTC, np.float32(0)),
        observed_BTC=batch.observed_BTC & shown_1TC,
    )


def _without(
    batch: SequenceBatch,
    columns: NDArray[np.intp],
    hidden: list[int],
    blocks: list[NDArray[np.intp]],
) -> SequenceBatch:
    shown_1TC = np.ones(batch.observed_BTC.shape, dtype=np.bool_)
    for block in hidden:
        shown_1TC[:, blocks[block][:, None], columns] = False
    return _showing(batch, shown_1TC)


def _columns(batch: SequenceBatch, modality: str) -> NDArray[np.intp]:
    return np.flatnonzero(np.array(batch.layout.modality_C) == modality)


def _joined(game: Game, member_KP: Flags) -> NDArray[np.float64]:
    modalities = game.embeddings_3ME.shape[1]
    present_KM = np.zeros((len(member_KP), modalities), dtype=np.float32)
    view_KM = np.zeros((len(member_KP), modalities), dtype=np.int64)
    for p, player in enumerate(game.players):
        m, shown_K = player.modality, member_KP[:, p]
        present_KM[shown_K, m] = 1
        # Early alone is view 1, recent alone view 2, both together 3, which are all the days: 0.
        view_KM[:, m] += {WHOLE: 0, EARLY: 1, RECENT: 2}[player.window] * shown_K
    if len(game.embeddings_3ME) == 1:
        return join(game.bundle, game.embeddings_3ME, present_KM)
    embeddings_KME = game.embeddings_3ME[view_KM % 3, np.arange(modalities)]
    return join(game.bundle, embeddings_KME, present_KM)


def output_of(game: Game, quantiles_KHQ: NDArray[np.float64], output: str) -> NDArray[np.float64]:
    """Return the explained number at each horizon, (K, H)."""
    if output == SCORE:
        return quantiles_KHQ[:, :, MEDIAN]
    task = game.bundle.task
    last_K = np.repeat(game.batch.last_score_B, len(quantiles_KHQ))
    chance = chances(quantiles_KHQ, last_K, task)
    if output not in chance:
        raise ForecastRefused(f"that output is not forecast: explain {SCORE}, {', '.join(chance)}")
    return chance[output]
