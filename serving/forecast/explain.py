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

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import shap
from numpy.typing import NDArray

from contracts.errors import ForecastRefused, IntegrityError
from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from features.sequences import present_modalities
from inference.bundle import Bundle, calibrated, embed, join, medians
from inference.milestones import chances
from serving.forecast.shapley import coalitions, shapley_weights
from serving.schemas import SCORE

LARGEST_GAP = 1e-4
"""Points by which base and contributions may miss the forecast; more is no explanation."""

RECENT_DAYS = 14
"""Days up to the origin that make the recent window; the rest of the past is the early one."""

MOST_PLAYERS = 12
"""Modalities are parted by windows while there are no more players than this: 4,096 coalitions."""

DAY_PLAYERS = 6
"""Blocks of days of one modality that are told apart on request: 64 more passes of the encoder."""

AT_ONCE = 512
"""Coalitions in one pass of a graph: more would only take memory."""

WHOLE, EARLY, RECENT = "all days", "early days", "recent days"
PART = {EARLY: 1, RECENT: 2, WHOLE: 3}
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
    quantiles_1HQ
        The forecast itself.
    """

    bundle: Bundle
    batch: SequenceBatch
    players: tuple[Player, ...]
    embeddings_3ME: NDArray[np.float32]
    quantiles_1HQ: NDArray[np.float64]


def game_of(bundle: Bundle, batch: SequenceBatch, most_players: int = MOST_PLAYERS) -> Game:
    """Encode a subject once for every coalition."""
    present_M = present_modalities(batch, bundle.manifest.modalities)[0] > 0
    parted = _parted(bundle, batch, present_M, most_players)
    players: list[Player] = []
    for m in np.flatnonzero(present_M):
        windows = (EARLY, RECENT) if m in parted else (WHOLE,)
        players += [Player(int(m), window) for window in windows]
    views = [batch, *_windows(batch)] if parted else [batch]
    embeddings_3ME = np.concatenate([embed(bundle, view) for view in views])
    whole_1HQ = join(bundle, embeddings_3ME[:1], present_M[None].astype(np.float32))
    return Game(
        bundle=bundle,
        batch=batch,
        players=tuple(players),
        embeddings_3ME=embeddings_3ME,
        quantiles_1HQ=calibrated(bundle, whole_1HQ, batch.groups_B),
    )


def forecast(game: Game, output: str) -> NDArray[np.float64]:
    """Return the output at each horizon as it is forecast, (H,)."""
    return np.asarray(output_of(game, game.quantiles_1HQ, output)[0])


def worths(game: Game, member_KP: Flags, output: str) -> NDArray[np.float64]:
    """Forecast one output from what each coalition knows, (K, H).

    The median needs no other quantile and no calibration, so it has a graph of its own.
    """
    worth = _medians if output == SCORE else partial(_from_quantiles, output=output)
    parts = _alike(game, member_KP)
    worth_KH = np.empty((len(member_KP), len(game.bundle.manifest.horizon_days)))
    # A graph runs on one thread and lets go of the interpreter: the cores share the parts.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(lambda rows: worth(game, member_KP[rows]), parts)
        for rows, worth_RH in zip(parts, found, strict=True):
            worth_KH[rows] = worth_RH
    return worth_KH


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
    worth_K = worths(game, coalitions(players), output)[:, horizon]
    value_P = shapley_weights(players) @ worth_K
    gap = abs(worth_K[0] + value_P.sum() - forecast(game, output)[horizon])
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


def _alike(game: Game, member_KP: Flags) -> list[NDArray[np.intp]]:
    """Group the coalitions by which modalities without parts they know, at most `AT_ONCE` each."""
    names = game.bundle.manifest.modalities
    unparted = [p for p, player in enumerate(game.players) if names[player.modality] in UNPARTED]
    kind_K = member_KP[:, unparted] @ (1 << np.arange(len(unparted)))
    alike = [np.flatnonzero(kind_K == kind) for kind in np.unique(kind_K)]
    return [part for rows in alike for part in np.array_split(rows, max(1, len(rows) // AT_ONCE))]


def _shown(game: Game, member_KP: Flags) -> NDArray[np.float32]:
    """Return which view of each modality a coalition knows, (K, V, M) of 0 and 1."""
    views, modalities = game.embeddings_3ME.shape[:2]
    know_KM = np.zeros((len(member_KP), modalities), dtype=np.int64)
    for p, player in enumerate(game.players):
        # Early days are 1, recent ones 2; all of them, or both together, are 3.
        know_KM[:, player.modality] += PART[player.window] * member_KP[:, p]
    view_KM = know_KM % 3
    shown_KVM = (view_KM[:, None] == np.arange(views)[:, None]) & (know_KM > 0)[:, None]
    return np.asarray(shown_KVM, dtype=np.float32)


def _medians(game: Game, member_KP: Flags) -> NDArray[np.float64]:
    return medians(game.bundle, game.embeddings_3ME, _shown(game, member_KP))


def _from_quantiles(game: Game, member_KP: Flags, output: str) -> NDArray[np.float64]:
    shown_KVM = _shown(game, member_KP)
    embeddings_KME = np.einsum("kvm,vme->kme", shown_KVM, game.embeddings_3ME)
    quantiles_KHQ = join(game.bundle, embeddings_KME, shown_KVM.sum(axis=1))
    return output_of(game, calibrated(game.bundle, quantiles_KHQ, game.batch.groups_B), output)


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
