"""The operating point of the whole verdict: how often it is right, and for how many people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from audits.judging.policy import load_policy
from audits.judging.rules import at_look
from support.operating_point import SHARES, Attempt, Outcome, audit, draw, draw_labels

LIMIT = 4.25
SIZES = (150, 300, 500, 800, 2000)
RARE = (list(SHARES).index("ethnicity"), 3)
"""The label that exactly so many people get, where a scenario fixes their number."""

PAIRS = {"4.8 %": ((0, 1), (1, 0)), "17 %": ((0, 1), (1, 2))}
"""Intersections of a sex and an age band, by their share of the people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmed:
    """Who is promised too much, and by how many times the limit.

    Parameters
    ----------
    people
        So many people get a rare label and are harmed; None where `labels` says who is.
    labels
        The harmed are those with all of these labels (attribute, label).
    times
        Signed error, in limits.
    """

    name: str
    people: int | None = None
    labels: tuple[tuple[int, int], ...] = ()
    times: float = 0.0


SCENARIOS = (
    Harmed(name="no disparity"),
    Harmed(name="30 people, twice the limit", people=30, times=2),
    Harmed(name="12 people, twice the limit", people=12, times=2),
    Harmed(name="10 % (an ethnicity), at the limit", labels=((8, 2),), times=1),
    Harmed(name="4 % (an ethnicity), at the limit", labels=((8, 3),), times=1),
    *(
        Harmed(name=f"intersection of {share}, {times:g} times the limit", labels=labels,
               times=times)
        for share, labels in PAIRS.items()
        for times in (1.0, 1.5, 2.0)
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Counts over the cohorts of one scenario and size.

    Parameters
    ----------
    cohorts, passed, blocked, harmed_served
        Cohorts; those in which the model may be served; those in which harm was shown; those in
        which any of the harmed are served.
    share
        Mean share of the people who are served.
    """

    cohorts: int
    passed: int
    blocked: int
    harmed_served: int
    share: float


def cell(harmed: Harmed, people: int, cohorts: int, seed: int) -> Cell:
    """Audit SIMULATED cohorts of a scenario, with the shipped policy."""
    policy = load_policy()
    rng = np.random.default_rng([seed, people, SCENARIOS.index(harmed)])
    passed = blocked = served = 0
    shares = []
    for _ in range(cohorts):
        label_SA = draw_labels(people, rng)
        is_harmed_S = _harmed(harmed, label_SA, rng)
        points_S = np.asarray(harmed.times * LIMIT * is_harmed_S, dtype=np.float64)
        outcome = audit(draw(people, rng, harmed_S=points_S, label_SA=label_SA), policy)
        passed += outcome.passed
        blocked += outcome.blocked
        served += bool(outcome.passed and (outcome.served_S & is_harmed_S).any())
        shares.append(outcome.share)
    return Cell(
        cohorts=cohorts, passed=passed, blocked=blocked, harmed_served=served,
        share=float(np.mean(shares)),
    )  # fmt: skip


def rows(
    pool: Executor, *, cohorts: int, seed: int = 0, only: str = "", sizes: Sequence[int] = SIZES
) -> Iterator[str]:
    """Return the lines of the table; each share with its one-sided 95 % upper bound.

    Parameters
    ----------
    only
        Scenarios with these words in their name.
    """
    yield (
        "| SIMULATED cohorts | people | may be served | share of people served | blocked"
        " | the harmed are served |"
    )
    yield "|---|---|---|---|---|---|"
    jobs = [
        (harmed, people, pool.submit(cell, harmed, people, cohorts, seed))
        for harmed in SCENARIOS
        if only in harmed.name
        for people in sizes
    ]
    for harmed, people, job in jobs:
        found = job.result()
        is_fair = harmed.times == 0
        shown = [
            harmed.name,
            str(people),
            f"{found.passed / found.cohorts:.1%}",
            f"{found.share:.1%}",
            bounded(found.blocked, found.cohorts),
            "" if is_fair else bounded(found.harmed_served, found.cohorts),
        ]
        yield f"| {' | '.join(shown)} |"


def attempts(people: int, cohorts: int, seed: int = 0) -> tuple[float, ...]:
    """Return the mean share of SIMULATED people who are served, without disparity.

    Returns
    -------
    At the first audit; at a second and at a third one if every group had to be shown with more
    certainty; and at a second and a third one where just those groups must that one of the audits
    before did not show (at the third, as if they had failed in both). Each version has errors of
    its own for the same people.
    """
    policy = load_policy()
    rng = np.random.default_rng([seed, people])
    shares = np.zeros((cohorts, 5))
    for n in range(cohorts):
        label_SA = draw_labels(people, rng)
        first, second, third = (draw(people, rng, label_SA=label_SA) for _ in range(3))
        one = audit(first, policy)
        two, three = (
            Attempt(policy=at_look(policy, look), inside_A=one.inside_A) for look in (2, 3)
        )
        again = audit(second, policy, two)
        shares[n] = (
            one.share,
            audit(second, policy, replace(two, inside_A=())).share,
            audit(third, policy, replace(three, inside_A=())).share,
            again.share,
            audit(third, policy, replace(three, inside_A=_in_both(one, again))).share,
        )
    return tuple(shares.mean(axis=0).tolist())


def _in_both(one: Outcome, other: Outcome) -> tuple[NDArray[np.bool_], ...]:
    """Return the labels that two audits showed to be inside; none where one did not pass."""
    if not (one.inside_A and other.inside_A):
        return ()
    return tuple(a & b for a, b in zip(one.inside_A, other.inside_A, strict=True))


def attempt_rows(*, cohorts: int) -> Iterator[str]:
    """Return the lines of the table of attempts."""
    yield "| SIMULATED people | first audit | second, all anew | third, all anew | second | third |"
    yield "|---|---|---|---|---|---|"
    for people in (300, 800, 2000):
        cells = " | ".join(f"{share:.0%}" for share in attempts(people, cohorts))
        yield f"| {people} | {cells} |"


def bounded(hits: int, of: int) -> str:
    """Return a share and its one-sided 95 % upper bound (Clopper and Pearson 1934)."""
    upper = 1.0 if hits == of else float(beta.ppf(0.95, hits + 1, of - hits))
    return f"{hits / of:.1%} (at most {upper:.1%})"


def _harmed(
    harmed: Harmed, label_SA: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return who is harmed; where their number is fixed, give just them the rare label."""
    if harmed.people is not None:
        attribute, rare = RARE
        label_SA[label_SA[:, attribute] == rare, attribute] = 0
        chosen = rng.choice(len(label_SA), harmed.people, replace=False)
        label_SA[chosen, attribute] = rare
        return np.asarray(label_SA[:, attribute] == rare)
    is_harmed_S = np.full(len(label_SA), bool(harmed.labels))
    for attribute, label in harmed.labels:
        is_harmed_S &= label_SA[:, attribute] == label
    return is_harmed_S
