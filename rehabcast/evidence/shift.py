"""Whether people still come to a version as they came: looked at by each run of monitoring."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from audits.judging.wording import group_in_words
from audits.sequential.shift import Shifts, ShiftTest, parts_of, shifts, week_of_arrivals
from contracts.digests import record_digest
from contracts.evidence.arrivals import Arrivals
from contracts.groups import EVERYONE, MINIMUM_SHOWN, people_in_words
from inference.matching.arrivals import is_yes_or_no, scales
from rehabcast.evidence.watched import Watched
from serving.state.evidence.accounts import Account, Sums, counted
from serving.state.evidence.arrivals import Asked, Seen, close_weeks, take_in
from serving.state.store import Store

OFTEN = {"higher": "more frequent", "lower": "rarer"}
"""How a direction is said of what is so or not."""

LARGEST_SHOWN = 5
"""Tests that a result names, those that speak most for a shift first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownShift:
    """One test of a shift as it stands.

    Parameters
    ----------
    quantity, attribute, group, direction
        What is otherwise, of whom, and how.
    e_value, largest
        How much wealth bets on a shift have made of 1: now, and at most.
    needed
        The e-value at which this test alone warns.
    """

    quantity: str
    attribute: str
    group: str
    direction: str
    e_value: float
    largest: float
    needed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftRun:
    """Where the tests of a shift stand; they only warn.

    Parameters
    ----------
    people
        Who came; rounded, in words.
    tests, mean_e, largest_mean_e
        How many tests there are, and the weighted mean of their e-values: now and at most.
    warns_at, warns, since_week
        The mean that is a warning, whether it was ever reached, and in which week of the service.
    said
        What follows, in words.
    foremost
        The tests that speak most for a shift: of everyone, or of groups of whom somebody came in
        at least 11 weeks.
    """

    people: str
    tests: int
    mean_e: float
    largest_mean_e: float
    warns_at: float
    warns: bool
    since_week: int | None
    said: str
    foremost: tuple[ShownShift, ...]


def look(store: Store, version: Watched, now: date) -> ShiftRun:
    """Count the people who came, and look at the tests.

    Raises
    ------
    ContractError
        The version was followed by other terms until now.
    """
    asked = asked_of(version)
    take_in(store, asked)
    close_weeks(store, asked, now, compared_in(asked.account.name))
    first, weeks = counted(store, asked.account.name)
    return _shown(
        shifts(first, weeks, asked.scales.quantities, asked.attributes, version.plan), version
    )


def asked_of(version: Watched) -> Asked:
    """Return by what the people are counted about whom a version is asked."""
    bundle, followed = version.bundle, version.followed
    scale = scales(bundle.task, bundle.layout, bundle.reference)
    terms = {
        "plan": version.plan.terms,
        "quantities": [*scale.quantities],
        "low": scale.low_Q.tolist(),
        "step": scale.step_Q.tolist(),
        "attributes": [attribute.name for attribute in bundle.task.sensitive],
    }
    account = Account(
        name=f"people of {followed.service}", model_version=followed.model_version,
        since=followed.since, terms=record_digest(terms),
    )  # fmt: skip
    return Asked(account=account, task=bundle.task, scales=scale)


def compared_in(
    name: str,
) -> Callable[[Arrivals, int, Callable[[Sequence[str]], Seen]], tuple[Sums, Seen]]:
    """Return what compares an account's people of a week with those before."""

    def compared(
        people: Arrivals, week: int, seen: Callable[[Sequence[str]], Seen]
    ) -> tuple[Sums, Seen]:
        # Counted again after a crash, a week is decided by the same numbers.
        seed = hashlib.blake2b(f"{name}\0{week}".encode(), digest_size=16).digest()
        rng = np.random.default_rng(int.from_bytes(seed))
        found = week_of_arrivals(people, week, seen(parts_of(people, week)), rng)
        return {"growth": found.growth, "people": found.people}, found.seen

    return compared


def _shown(found: Shifts, version: Watched) -> ShiftRun:
    plan = version.plan
    named = sorted(found.named(plan), key=lambda t: -t.weight * t.largest)
    warns = found.since_week is not None
    said = "nothing shows that people come otherwise than before"
    if warns:
        which = "; ".join(map(in_words, named[:LARGEST_SHOWN])) or "all tests together"
        said = f"people do not come as they came: {which}"
    # Each week that paid had somebody of the group: of so many weeks it is not about few people.
    many = (
        each
        for each in found.tests
        if each.reaches(plan.alpha)
        or (found.people if each.attribute == EVERYONE else each.weeks) >= MINIMUM_SHOWN
    )
    foremost = sorted(many, key=lambda t: -t.weight * t.largest)[:LARGEST_SHOWN]
    return ShiftRun(
        people=people_in_words(found.people),
        tests=len(found.tests),
        mean_e=found.mean,
        largest_mean_e=found.largest_mean,
        warns_at=1 / plan.alpha,
        warns=warns,
        since_week=found.since_week,
        said=said,
        foremost=tuple(
            ShownShift(
                quantity=each.quantity, attribute=each.attribute, group=each.group,
                direction=each.direction, e_value=each.e_value, largest=each.largest,
                needed=1 / (plan.alpha * each.weight),
            )
            for each in foremost
        ),
    )  # fmt: skip


def in_words(test: ShiftTest) -> str:
    """Say what a test names."""
    who = group_in_words(test.attribute, test.group)
    how = OFTEN.get(test.direction) if is_yes_or_no(test.quantity) else None
    return f"“{test.quantity}” of {who} is {how or test.direction} (e-value {test.largest:,.0f})"
