"""SIMULATED people who come to deployments: how channels, missing values and refusals shift.

Deployments are columns beside each other, so that all of them are computed at once; a test of this
file compares them with what the product computes week by week.

Letters: D deployments, N people of a week, P pairs, Q quantities, L levels, W weeks, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audits.measure.groups import EVERYONE
from audits.sequential.betting import e_process
from audits.sequential.conformal import growth_of, p_values
from audits.sequential.plan import load_plan
from audits.sequential.shift import part_of_year, share
from contracts.evidence.arrivals import ABSENT, LEVELS
from support.deployments import WEEKS, first_week

Levels = NDArray[np.int64]
Array = NDArray[np.float64]

CHANNELS, BINARY = 6, ("missing", "no forecast")
QUANTITIES = (*(f"channel {c}" for c in range(CHANNELS)), *BINARY)
SITES = {"first site": 0.6, "second site": 0.3, "third site": 0.1}
SEXES = {"female": 0.5, "male": 0.5}
GROUPS = {"site": SITES, "sex": SEXES}
CHANCE = {"missing": 0.1, "no forecast": 0.05}
DAYS_OF_YEAR = 365.2425
FIRST_WEEK = 105_000
"""Of the calendar, by which the parts of the year are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How people come; standard deviations, or chances.

    Parameters
    ----------
    site, from_week
        Whose people are measured otherwise, or everyone's, from that week on.
    shift, noise
        Added to the first channel, and what it is multiplied by.
    missing, refused
        Chance that the first channel is missing, or that there is no forecast.
    season
        Amplitude of every channel over the year; the chance of a missing value follows by a tenth.
    apart
        How far the second site's people are from others, always.
    """

    people: int = 20
    site: str = EVERYONE
    from_week: int = WEEKS
    shift: float = 0.0
    noise: float = 1.0
    missing: float = CHANCE["missing"]
    refused: float = CHANCE["no forecast"]
    season: float = 0.0
    apart: float = 0.5


def weeks_of(
    setting: Setting, deployments: int, seed: int
) -> Iterator[tuple[Levels, dict[str, NDArray[np.int64]]]]:
    """Yield each week's levels, (N, D, Q), and the numbers of people's groups, (N, D)."""
    rng = np.random.default_rng(seed)
    shape = setting.people, deployments
    for week in range(WEEKS):
        group = {
            name: rng.choice(len(shares), shape, p=list(shares.values()))
            for name, shares in GROUPS.items()
        }
        # By the calendar, whose years are not 52 weeks.
        season = np.sin(2 * np.pi * 7 * (FIRST_WEEK + week) / DAYS_OF_YEAR)
        value_NDC = rng.normal(size=(*shape, CHANNELS)) + setting.season * season
        value_NDC += setting.apart * (group["site"] == 1)[..., None]
        chance = {
            "missing": np.full(shape, CHANCE["missing"] + 0.1 * setting.season * season),
            "no forecast": np.full(shape, CHANCE["no forecast"]),
        }
        if week >= setting.from_week:
            is_hit = np.ones(shape, dtype=np.bool_)
            if setting.site != EVERYONE:
                is_hit = group["site"] == list(SITES).index(setting.site)
            value_NDC[is_hit, 0] = value_NDC[is_hit, 0] * setting.noise + setting.shift
            chance["missing"][is_hit] += setting.missing - CHANCE["missing"]
            chance["no forecast"][is_hit] = setting.refused
        level_NDC = np.clip(np.floor((value_NDC + 4) * LEVELS / 8), 0, LEVELS - 1).astype(np.int64)
        is_so = [(rng.random(shape) < chance[name]).astype(np.int64) for name in BINARY]
        level_NDC[..., 0][is_so[0] == 1] = ABSENT
        yield np.concatenate([level_NDC, np.stack(is_so, axis=2)], axis=2), group


def means(setting: Setting, deployments: int, seed: int) -> Array:
    """Return the weighted mean of all e-values after each week, (W, D)."""
    rng = np.random.default_rng(seed + 1)
    columns, bets = deployments * len(QUANTITIES), 12
    names = [(EVERYONE, EVERYONE), *((a, label) for a, of in GROUPS.items() for label in of)]
    growth = {name: np.zeros((WEEKS, columns, bets)) for name in names}
    seen: dict[object, Levels] = {}
    for week, (level_NDQ, group) in enumerate(weeks_of(setting, deployments, seed)):
        level_NC = level_NDQ.reshape(len(level_NDQ), columns)
        for attribute, label in names:
            if attribute == EVERYONE:
                key: object = part_of_year(FIRST_WEEK + week)
                compared_NC, levels = level_NC, LEVELS
            else:
                key, levels = (attribute, label), 2 * LEVELS - 1
                in_group_ND = group[attribute] == list(GROUPS[attribute]).index(label)
                compared_NC = pairs(level_NDQ, in_group_ND).reshape(-1, columns)
            before = seen.setdefault(key, np.zeros((columns, levels), dtype=np.int64))
            p_NC = p_values(compared_NC, before, rng.random(compared_NC.shape))
            growth[attribute, label][week] = growth_of(p_NC)
    total_WD = np.full((WEEKS, deployments), 1.0)
    starts = load_plan().starts
    for attribute, label in names:
        number = 1 if attribute == EVERYONE else 1 + list(GROUPS[attribute]).index(label)
        weight = share(attribute, number, len(GROUPS)) / len(QUANTITIES)
        e_WC = e_process(growth.pop((attribute, label)), starts)
        total_WD += weight * (e_WC.reshape(WEEKS, deployments, -1) - 1).sum(axis=2)
    return total_WD


def pairs(level_NDQ: Levels, in_group_ND: NDArray[np.bool_]) -> Levels:
    """Return the differences of pairs in each deployment, (P, D, Q); absent where one has fewer."""
    order = [np.argsort(~side, axis=0, kind="stable") for side in (in_group_ND, ~in_group_ND)]
    one, other = (np.take_along_axis(level_NDQ, each[..., None], axis=0) for each in order)
    pairs_D = np.minimum(in_group_ND.sum(axis=0), (~in_group_ND).sum(axis=0))
    has_both = (one != ABSENT) & (other != ABSENT) & (one != other)
    has_both &= (np.arange(len(one))[:, None] < pairs_D)[..., None]
    differences = np.where(has_both, one - other + LEVELS - 1, ABSENT)
    return np.asarray(differences[: max(1, int(pairs_D.max()))])


def warned(setting: Setting, deployments: int, seed: int) -> Array:
    """Return the week in which each deployment is first warned; NaN where never."""
    return first_week(means(setting, deployments, seed) >= 1 / load_plan().alpha)
