"""How often the rule on lost outcomes lets a group pass: SIMULATED cohorts, judged by arrays.

Each cohort has one group and the rest, and one error a person; the bounds and penalties are the
product's (`audits.measure`), for all cohorts at once. Letters: K cohorts, S people of a side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from audits.measure.bounds import Limit, difference_bounds
from audits.measure.disparity import Direction
from audits.measure.losses import LossTerms, of_moments, points_to_bear
from audits.measure.people import Moments, PeopleOfGroups
from audits.measure.reweighted import traced_values

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

SPREAD, LIMIT = 6.0, 4.25
"""Standard deviation of a person's error, and the limit of a difference, in points."""

Chance = Callable[[Array, Array], Array]
"""Chance of losing each person, from errors and early errors without the group's shift, (K, S)."""


def at_random(share: float) -> Chance:
    """Lose a share of the people, whoever they are."""
    return lambda error_KS, _: np.full(error_KS.shape, share)


def the_worst(share: float) -> Chance:
    """Lose those with the largest errors, exactly a share of them."""

    def chance(error_KS: Array, _: Array) -> Array:
        count = round(share * error_KS.shape[1])
        order_KS = np.argsort(np.argsort(-error_KS, axis=1), axis=1)
        return np.asarray(order_KS < count, dtype=np.float64)

    return chance


def by_error(share: float) -> Chance:
    """Lose people the likelier, the larger their error is; about a share of them."""
    return lambda error_KS, _: expit(np.log(share / (1 - share)) + error_KS / SPREAD)


def by_early_error(share: float) -> Chance:
    """Lose people the likelier, the larger their early error was; about a share of them."""
    return lambda _, early_KS: expit(np.log(share / (1 - share)) + early_KS / SPREAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens to a group.

    Parameters
    ----------
    shift
        Points that the group is promised too much, in limits.
    lost, lost_rest
        Who is lost.
    """

    name: str
    shift: float
    lost: Chance
    lost_rest: Chance = field(default_factory=lambda: at_random(0.1))


SCENARIOS = (
    Scenario(name="fair, 10 % lost at random", shift=0, lost=at_random(0.1)),
    Scenario(
        name="fair, 20 % lost at random", shift=0, lost=at_random(0.2), lost_rest=at_random(0.2)
    ),
    Scenario(name="fair, 20 % against 10 % lost", shift=0, lost=at_random(0.2)),
    Scenario(
        name="at the limit, 20 % lost at random", shift=1, lost=at_random(0.2),
        lost_rest=at_random(0.2),
    ),
    Scenario(name="at the limit, the worst 33 % vanish", shift=1, lost=the_worst(0.33)),
    Scenario(name="at the limit, the worst 15 % vanish", shift=1, lost=the_worst(0.15)),
    Scenario(
        name="at the limit, the worst 8 % vanish, nobody else", shift=1, lost=the_worst(0.08),
        lost_rest=at_random(0),
    ),
    Scenario(name="at the limit, likelier to vanish", shift=1, lost=by_error(0.24)),
    Scenario(name="twice the limit, the worst 60 % vanish", shift=2, lost=the_worst(0.6)),
    Scenario(name="twice the limit, loss by the early error", shift=2, lost=by_early_error(0.33)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Share of the cohorts in which the group passes.

    Parameters
    ----------
    lost
        Mean share of the group that was lost.
    complete
        With the observed alone, as if nobody were missing.
    gate
        By the shares lost alone.
    rule
        With the gate, and with what the bound must bear.
    flat
        As `rule`, but bearing only one important difference for each of those lost in excess.
    all_worst
        As `rule`, but as if everybody lost, and not those lost in excess, were the group's worst.
    """

    lost: float
    complete: float
    gate: float
    rule: float
    flat: float
    all_worst: float


def trial(
    scenario: Scenario, terms: LossTerms, *, group: int, rest: int, cohorts: int, seed: int
) -> Passed:
    """Judge the signed error of a group in many SIMULATED cohorts."""
    rng = np.random.default_rng(seed)
    mine, mine_kept = _side(scenario.lost, scenario.shift * LIMIT, cohorts, group, rng)
    others, others_kept = _side(scenario.lost_rest, 0.0, cohorts, rest, rng)
    inside, outside = _moments(mine, mine_kept), _moments(others, others_kept)
    freedom_K = inside.people_G + outside.people_G - 2
    pooled_K = (
        inside.variance_G * (inside.people_G - 1) + outside.variance_G * (outside.people_G - 1)
    ) / freedom_K
    people = PeopleOfGroups(
        inside=inside, rest=outside, pooled_G=pooled_K, rows_each_G=np.ones(cohorts)
    )
    limit = Limit(direction=Direction.WITHIN, value=LIMIT, confidence=0.95)
    bounds = difference_bounds(people, limit)
    lost = of_moments(_lost(mine_kept), _lost(others_kept))
    is_kept_K = (lost.high_G(terms.confidence) <= terms.maximum_difference) & (
        lost.share_G <= terms.maximum_share
    )
    spread_K = np.sqrt(np.fmax(inside.variance_G, pooled_K))
    bear_K = points_to_bear(lost.excess_G, spread_K, LIMIT)
    bear_all_K = points_to_bear(lost.share_G, spread_K, LIMIT)

    def passes(bear: Array | float) -> Flags:
        ends = np.stack([np.abs(bounds.low_G - bear), np.abs(bounds.high_G + bear)])
        return np.asarray(ends.max(axis=0) <= LIMIT)

    return Passed(
        lost=float(lost.share_G.mean()),
        complete=float(passes(0.0).mean()),
        gate=float(is_kept_K.mean()),
        rule=float((passes(bear_K) & is_kept_K).mean()),
        flat=float((passes(lost.excess_G * LIMIT) & is_kept_K).mean()),
        all_worst=float((passes(bear_all_K) & is_kept_K).mean()),
    )


def table(terms: LossTerms, *, cohorts: int) -> Iterator[str]:
    """Yield the lines of a table of all scenarios, for three sizes of the group."""
    sizes = ((80, 720), (105, 195), (800, 7200))
    yield ("| SIMULATED, group of | " + " | ".join(f"{g} of {g + r}" for g, r in sizes) + " |")
    yield "| --- " * (1 + len(sizes)) + "|"
    for scenario in SCENARIOS:
        found = [
            trial(scenario, terms, group=g, rest=r, cohorts=cohorts, seed=18) for g, r in sizes
        ]
        cells = [
            f"{f.complete:.3f} -> {f.rule:.3f} (lost {f.lost:.0%}; gate {f.gate:.2f};"
            f" flat {f.flat:.3f})"
            for f in found
        ]
        yield f"| {scenario.name} | " + " | ".join(cells) + " |"


def small_losses(terms: LossTerms, *, cohorts: int) -> Iterator[str]:
    """Yield the lines of a table of groups that lose a little more than others, but their worst.

    A fifth of the people; others lose 10 % at random. In brackets: if all of the group's lost were
    taken to be its worst.
    """
    sizes = (150, 500, 2000)
    yield "| SIMULATED, a fifth of | " + " | ".join(f"{people:,}" for people in sizes) + " |"
    yield "| --- " * (1 + len(sizes)) + "|"
    for times in (0.0, 1.0, 1.25, 1.5, 2.0):
        for share in (0.05, 0.1, 0.15, 0.2, 0.25):
            chance = at_random(share) if times == 0 else the_worst(share)
            scenario = Scenario(
                name=f"{times:g} times the limit, {'the worst ' if times else ''}{share:.0%} lost",
                shift=times, lost=chance, lost_rest=at_random(0.1),
            )  # fmt: skip
            found = [
                trial(scenario, terms, group=n // 5, rest=n - n // 5, cohorts=cohorts, seed=18)
                for n in sizes
            ]
            cells = (f"{f.rule:.3f} ({f.all_worst:.3f})" for f in found)
            yield f"| {scenario.name} | " + " | ".join(cells) + " |"


def traced_rows(*, trials: int, people: int = 240, lost: float = 0.33) -> Iterator[str]:
    """Yield the lines of a table of tracing: the mean error, if a share of the lost is traced.

    A group (SIMULATED) is promised twice the limit, and its worst vanish. The standard error is
    that of the group's mean over the trials, the coverage that of its 95 % interval.
    """
    yield "| SIMULATED, traced | weights alone | SE | with the early error | SE | covered |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for share in (0.1, 0.3, 0.5):
        rng = np.random.default_rng(18)
        alone: list[float] = []
        augmented: list[float] = []
        covered: list[bool] = []
        for _ in range(trials):
            error_S = SPREAD * rng.normal(size=people)
            early_S = 0.8 * error_S + 0.6 * SPREAD * rng.normal(size=people)
            lost_S = the_worst(lost)(error_S[None], early_S[None])[0] > 0
            drawn_S = np.zeros(people, dtype=np.bool_)
            drawn_S[rng.permutation(np.flatnonzero(lost_S))[: round(share * lost_S.sum())]] = True
            error_S = error_S + 2 * LIMIT
            for proxy_S, means in ((np.full(people, np.nan), alone), (early_S, augmented)):
                value_S = error_S.copy()
                value_S[lost_S] = traced_values(
                    np.where(drawn_S, error_S, 0.0)[lost_S], proxy_S[lost_S],
                    np.zeros(int(lost_S.sum()), dtype=np.intp), drawn_S[lost_S],
                    np.full(int(lost_S.sum()), drawn_S.sum() / lost_S.sum()),
                )  # fmt: skip
                means.append(float(value_S.mean()))
            half = 1.96 * value_S.std(ddof=1) / np.sqrt(people)
            covered.append(bool(abs(augmented[-1] - 2 * LIMIT) <= half))
        yield (
            f"| {share:.0%} of the {lost:.0%} lost | {np.mean(alone):.2f} | {np.std(alone):.2f}"
            f" | {np.mean(augmented):.2f} | {np.std(augmented):.2f} | {np.mean(covered):.3f} |"
        )


def _side(
    chance: Chance, shift: float, cohorts: int, people: int, rng: np.random.Generator
) -> tuple[Array, Flags]:
    error_KS = SPREAD * rng.normal(size=(cohorts, people))
    early_KS = 0.6 * error_KS + 0.8 * SPREAD * rng.normal(size=(cohorts, people))
    kept_KS = rng.random((cohorts, people)) >= chance(error_KS, early_KS)
    return error_KS + shift, kept_KS


def _lost(kept_KS: Flags) -> Moments:
    """Return the share of people who are lost."""
    return _moments((~kept_KS).astype(np.float64), np.ones(kept_KS.shape, dtype=np.bool_))


def _moments(value_KS: Array, kept_KS: Flags) -> Moments:
    count_K = kept_KS.sum(axis=1).astype(np.float64)
    mean_K = (value_KS * kept_KS).sum(axis=1) / count_K
    square_K = (((value_KS - mean_K[:, None]) ** 2) * kept_KS).sum(axis=1)
    return Moments(
        people_G=count_K, effective_G=count_K, mean_G=mean_K, variance_G=square_K / (count_K - 1)
    )
