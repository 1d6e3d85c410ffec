"""Exact Shapley values of a forecast, by modality and window, in score points or chances.

Letters: B pairs, T days, C channels, M modalities, E embedding width, P players, K = 2^P
coalitions, H horizons, Q quantile levels.

A player is a modality, or its early or its recent days. For a coalition only the small head runs
again, over cached embeddings (docs/decisions/0002): each modality is encoded with all its days,
with the early and with the recent ones, and nothing is sampled. The network was trained with absent
modalities, so the base value is the forecast for somebody about whom nothing is known, and no
background data set of other people is needed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from contracts.errors import ForecastRefused, IntegrityError
from contracts.forecast import MEDIAN, rounding_allowed
from contracts.sequences import SequenceBatch
from features.sequences import present_modalities
from inference.bundle import Bundle, calibrated, coalition_medians, embed, run_head
from serving.forecast.shapley import coalitions, shapley_weights
from serving.schemas import SCORE
from stores.cores import usable_cores

MAX_GAP = 1e-4
"""Points by which base and contributions may miss the forecast, on a scale of up to 100 (on longer
ones `contracts.forecast.rounding_allowed`); beyond that it is refused."""

RECENT_WINDOW_DAYS = 14
"""Days up to the origin that form the recent window; the rest of the past is the early one."""

MAX_PLAYERS = 12
"""Modalities are split into windows up to this many players: 4,096 coalitions."""

COALITIONS_PER_PASS = 1024
"""Coalitions in one pass of a graph: more would only take more memory."""

ALL_DAYS, EARLY_DAYS, RECENT_DAYS = "all days", "early days", "recent days"
WINDOW_BITS = {EARLY_DAYS: 1, RECENT_DAYS: 2, ALL_DAYS: 3}
UNSPLIT = frozenset({"time since onset", "person", "therapy"})
"""Not split: the first two have no days, and recent therapy acts on the whole course."""
SHARED = UNSPLIT - {"person"}
"""What all coalitions of a pass have or lack together: the curves' levels depend on it."""

Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Player:
    """A modality, by its index along M, and which of its days."""

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
        The modalities and windows that are known.
    embeddings_3ME
        Embeddings from all days, the early and the recent ones; (1, M, E) where nothing is split.
    quantiles_1HQ
        The forecast itself.
    """

    bundle: Bundle
    batch: SequenceBatch
    players: tuple[Player, ...]
    embeddings_3ME: NDArray[np.float32]
    quantiles_1HQ: NDArray[np.float64]


def game_of(bundle: Bundle, batch: SequenceBatch, max_players: int = MAX_PLAYERS) -> Game:
    """Encode a subject once, for all coalitions."""
    present_M = present_modalities(batch, bundle.manifest.modalities)[0] > 0
    split = _modalities_to_split(bundle, batch, present_M, max_players)
    players: list[Player] = []
    for m in np.flatnonzero(present_M):
        windows = (EARLY_DAYS, RECENT_DAYS) if m in split else (ALL_DAYS,)
        players += [Player(int(m), window) for window in windows]
    views = [batch, *_windows(batch)] if split else [batch]
    embeddings_3ME = np.concatenate([embed(bundle, view) for view in views])
    quantiles_1HQ = run_head(bundle, embeddings_3ME[:1], present_M[None].astype(np.float32))
    return Game(
        bundle=bundle,
        batch=batch,
        players=tuple(players),
        embeddings_3ME=embeddings_3ME,
        quantiles_1HQ=calibrated(bundle, quantiles_1HQ, batch),
    )


def forecast(game: Game, output: str) -> NDArray[np.float64]:
    """Return the forecast output at each horizon, (H,)."""
    return np.asarray(output_of(game, game.quantiles_1HQ, output)[0])


def coalition_values(
    game: Game, member_KP: Flags, horizon: int, output: str
) -> NDArray[np.float64]:
    """Forecast one output at one horizon from what each coalition knows, (K,).

    The median needs no other quantile and no calibration, so it has a graph of its own.
    """
    value_of = _coalition_medians if output == SCORE else partial(_from_quantiles, output=output)
    batches = _groups_of_coalitions(game, member_KP)
    value_K = np.empty(len(member_KP))
    # A graph runs on one thread and releases the interpreter lock: the cores share the batches.
    with ThreadPoolExecutor(usable_cores()) as pool:
        values = pool.map(lambda rows: value_of(game, member_KP[rows], horizon), batches)
        for rows, value_R in zip(batches, values, strict=True):
            value_K[rows] = value_R
    return value_K


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """Shapley values of one output at one horizon, by the names that `shap.Explanation` has.

    The service imports no shap, which brings scikit-learn, numba and matplotlib with it: 0.9 s of
    each start, and 300 MB of an image.

    Parameters
    ----------
    values
        Contribution of each player, (P,), in points of the output.
    base_values
        The forecast for somebody about whom nothing is known, in the same points.
    data
        1 for each player, (P,): it is there.
    feature_names
        The players: modalities and their windows.
    """

    values: NDArray[np.float64]
    base_values: float
    data: NDArray[np.float64]
    feature_names: list[str]


def explain(game: Game, horizon: int, output: str = SCORE) -> Explanation:
    """Explain one output at one horizon.

    Parameters
    ----------
    horizon
        Index of the horizon.
    output
        `score`, for the median in score points, or a milestone's name, for its chance.

    Raises
    ------
    ForecastRefused
        There is no such output.
    IntegrityError
        Base and contributions miss the forecast by more than `MAX_GAP`.
    """
    players = len(game.players)
    value_K = coalition_values(game, coalitions(players), horizon, output)
    shapley_P = shapley_weights(players) @ value_K
    gap = abs(value_K[0] + shapley_P.sum() - forecast(game, output)[horizon])
    target = game.bundle.task.target
    if not gap <= rounding_allowed(MAX_GAP, max(abs(target.low), abs(target.high))):
        raise IntegrityError(
            f"the explanation misses the forecast by {gap:.2g} points, so it is not given",
            "ask without reasons (explain: false), and report this model version to its developers",
        )
    names = game.bundle.manifest.modalities
    return Explanation(
        values=shapley_P,
        base_values=float(value_K[0]),
        data=np.ones(players),
        feature_names=[
            names[player.modality] + ("" if player.window == ALL_DAYS else f", {player.window}")
            for player in game.players
        ],
    )


def _modalities_to_split(
    bundle: Bundle, batch: SequenceBatch, present_M: Flags, max_players: int
) -> set[int]:
    """Choose the modalities to split: those with most days, if observed in both windows."""
    days: dict[int, int] = {}
    for m, name in enumerate(bundle.manifest.modalities):
        seen_T = batch.observed_BTC[0][:, columns_of(batch, name)].any(axis=1)
        both = seen_T[:-RECENT_WINDOW_DAYS].any() and seen_T[-RECENT_WINDOW_DAYS:].any()
        if present_M[m] and name not in UNSPLIT and both:
            days[m] = int(seen_T.sum())
    spare = max(0, max_players - int(present_M.sum()))
    return set(sorted(days, key=lambda m: (-days[m], m))[:spare])


def _windows(batch: SequenceBatch) -> tuple[SequenceBatch, SequenceBatch]:
    days = batch.observed_BTC.shape[1]
    recent_T = np.arange(days) >= days - RECENT_WINDOW_DAYS
    return masked(batch, ~recent_T[None, :, None]), masked(batch, recent_T[None, :, None])


def masked(batch: SequenceBatch, visible_1TC: Flags) -> SequenceBatch:
    """Return a batch in which only some of the observations are known."""
    return replace(
        batch,
        values_BTC=np.where(visible_1TC, batch.values_BTC, np.float32(0)),
        observed_BTC=batch.observed_BTC & visible_1TC,
    )


def columns_of(batch: SequenceBatch, modality: str) -> Indices:
    """Return the channels of a modality, as indices along C."""
    return np.flatnonzero(np.array(batch.layout.modality_C) == modality)


def _groups_of_coalitions(game: Game, member_KP: Flags) -> list[Indices]:
    """Group the coalitions by what a pass shares, in passes of limited size."""
    names = game.bundle.manifest.modalities
    shared = [p for p, player in enumerate(game.players) if names[player.modality] in SHARED]
    kind_K = member_KP[:, shared] @ (1 << np.arange(len(shared)))
    groups = [np.flatnonzero(kind_K == kind) for kind in np.unique(kind_K)]
    return [
        rows
        for group in groups
        for rows in np.array_split(group, max(1, len(group) // COALITIONS_PER_PASS))
    ]


def _visible_views(game: Game, member_KP: Flags) -> NDArray[np.float32]:
    """Return which view of each modality a coalition knows, (K, V, M) of 0 and 1."""
    views, modalities = game.embeddings_3ME.shape[:2]
    know_KM = np.zeros((len(member_KP), modalities), dtype=np.int64)
    for p, player in enumerate(game.players):
        # Early days are 1, recent ones 2; all of them, or both together, are 3.
        know_KM[:, player.modality] += WINDOW_BITS[player.window] * member_KP[:, p]
    view_KM = know_KM % 3
    visible_KVM = (view_KM[:, None] == np.arange(views)[:, None]) & (know_KM > 0)[:, None]
    return np.asarray(visible_KVM, dtype=np.float32)


def _coalition_medians(game: Game, member_KP: Flags, horizon: int) -> NDArray[np.float64]:
    views_KVM = _visible_views(game, member_KP)
    return coalition_medians(game.bundle, game.embeddings_3ME, views_KVM, horizon)


def _from_quantiles(game: Game, member_KP: Flags, horizon: int, output: str) -> NDArray[np.float64]:
    visible_KVM = _visible_views(game, member_KP)
    embeddings_KME = np.einsum("kvm,vme->kme", visible_KVM, game.embeddings_3ME)
    quantiles_KHQ = run_head(game.bundle, embeddings_KME, visible_KVM.sum(axis=1))
    calibrated_KHQ = calibrated(game.bundle, quantiles_KHQ, game.batch)
    return output_of(game, calibrated_KHQ, output)[:, horizon]


def output_of(game: Game, quantiles_KHQ: NDArray[np.float64], output: str) -> NDArray[np.float64]:
    """Return the explained number at each horizon, (K, H)."""
    if output == SCORE:
        return quantiles_KHQ[:, :, MEDIAN]
    chance = game.bundle.calibration.chances(quantiles_KHQ, game.batch, game.bundle.task)
    if output not in chance:
        offered = ", ".join([SCORE, *chance])
        raise ForecastRefused("that output is not forecast", f"set output to one of: {offered}")
    return chance[output]
