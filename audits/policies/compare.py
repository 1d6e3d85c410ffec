"""Which rules of a policy are stricter, looser, new or gone, compared with another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from audits.judging.policy import Policy, Rule
from audits.judging.wording import limit_in_words
from audits.measure.disparity import Direction
from audits.measure.losses import LossTerms


class Kind(StrEnum):
    """How a requirement differs."""

    STRICTER = "stricter"
    LOOSER = "looser"
    NEW = "new"
    GONE = "gone"
    OTHER = "other"
    """Neither is stricter: it asks something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference of a requirement.

    Parameters
    ----------
    requirement
        Name of the rule, or what else is required.
    kind, what
        How it differs, and in words what it was and is.
    weakens
        True where the second policy asks less: a looser limit, or a binding requirement gone.
    """

    requirement: str
    kind: Kind
    what: str
    weakens: bool


def changes(first: Policy, second: Policy) -> tuple[Change, ...]:
    """Return what the second policy asks more or less than the first one, by name of the rule.

    Limits in points are compared in important differences where the instruments differ.
    """
    first = first.carried_over(second.instrument, second.important_difference)
    before = {rule.name: rule for rule in first.rules}
    after = {rule.name: rule for rule in second.rules}
    return (
        *(_gone(rule) for name, rule in before.items() if name not in after),
        *(_new(rule) for name, rule in after.items() if name not in before),
        *(
            change
            for name, rule in after.items()
            if name in before
            for change in _of_rule(before[name], rule, first, second)
        ),
        *_required(first, second),
        *_lost(first.lost, second.lost),
        *_terms(first, second),
    )


def _gone(rule: Rule) -> Change:
    return Change(
        requirement=rule.name, kind=Kind.GONE, weakens=rule.binding,
        what="it was binding" if rule.binding else "it was reported only",
    )  # fmt: skip


def _new(rule: Rule) -> Change:
    return Change(
        requirement=rule.name, kind=Kind.NEW, weakens=False,
        what=_binds(rule) if rule.binding else "it is reported only",
    )  # fmt: skip


def _binds(rule: Rule) -> str:
    return "it binds" if rule.must_be_shown else "it binds where it is broken or suspected to be"


ASKED = ("scope", "each_horizon", "metric", "statistic", "comparator", "direction")
"""What a rule asks about; where one of these differs, the limits can't be compared."""


def _of_rule(old: Rule, new: Rule, first: Policy, second: Policy) -> Iterator[Change]:
    if old.binding != new.binding:
        yield Change(
            requirement=new.name, kind=Kind.STRICTER if new.binding else Kind.LOOSER,
            what="it binds now" if new.binding else "it no longer binds", weakens=old.binding,
        )  # fmt: skip
    elif old.must_be_shown != new.must_be_shown:
        yield _ranked(new.name, new.must_be_shown, f"{_binds(old)}, now {_binds(new)}")
    if [getattr(old, part) for part in ASKED] != [getattr(new, part) for part in ASKED]:
        yield Change(
            requirement=new.name, kind=Kind.OTHER, weakens=old.binding,
            what="it has the same name and asks something else",
        )  # fmt: skip
        return
    if old.limit != new.limit:
        tightened = new.limit > old.limit
        if new.direction is not Direction.AT_LEAST:
            tightened = not tightened
        yield _ranked(
            new.name, tightened,
            f"limit {limit_in_words(old, first.score_unit)}, now"
            f" {limit_in_words(new, second.score_unit)}",
        )  # fmt: skip
    yield from _number(new.name, "confidence", old.confidence, new.confidence)
    yield from _number(new.name, "fewest people", old.minimum_subjects, new.minimum_subjects)
    yield from _number(new.name, "fewest events", old.minimum_events, new.minimum_events)
    yield from _number(
        new.name, "certainty for a pair to be inside the scope",
        old.excludes_unless, new.excludes_unless,
    )  # fmt: skip
    if old.axes != new.axes:
        everything = old.axes is None or (new.axes is not None and set(new.axes) <= set(old.axes))
        yield _ranked(new.name, not everything, "it applies to other attributes")


def _required(first: Policy, second: Policy) -> Iterator[Change]:
    before = {each.attribute: each.minimum_recorded for each in first.required}
    after = {each.attribute: each.minimum_recorded for each in second.required}
    for attribute in dict.fromkeys((*before, *after)):
        yield from _number(
            f"{attribute} is recorded", "share of the people",
            before.get(attribute), after.get(attribute),
        )  # fmt: skip


LOST = "lost outcomes"


def _lost(first: LossTerms | None, second: LossTerms | None) -> Iterator[Change]:
    """Compare what may be lost; a policy without terms asks nothing."""
    if first is not None and second is None:
        what = "a group may lose any share of its outcomes"
        yield Change(requirement=LOST, kind=Kind.GONE, what=what, weakens=True)
        return
    asked: tuple[tuple[str, Callable[[LossTerms], float]], ...] = (
        ("share of a group's outcomes that must not be lost", lambda t: 1 - t.maximum_share),
        (
            "1 less the share that a group may lose beyond the rest",
            lambda t: 1 - t.maximum_difference,
        ),
        ("confidence", lambda t: t.confidence),
        ("chance of being traced that counts", lambda t: t.minimum_tracing_chance),
    )
    for what, number in asked:
        old, new = (None if terms is None else number(terms) for terms in (first, second))
        yield from _number(LOST, what, old, new)


def _terms(first: Policy, second: Policy) -> Iterator[Change]:
    yield from _number(
        "scope", "share of the people inside",
        first.scope.minimum_share, second.scope.minimum_share,
    )  # fmt: skip
    yield from _number("least error", "points", first.least_error, second.least_error)
    if first.valid_days != second.valid_days:
        what = f"{first.valid_days} days, now {second.valid_days}"
        yield _ranked("validity of an audit", second.valid_days < first.valid_days, what)
    for name, old, new in (
        ("important difference", first.important_difference, second.important_difference),
        ("decision threshold", first.decision_threshold, second.decision_threshold),
        ("recovery rule", first.recovery_rule, second.recovery_rule),
    ):
        if old != new:
            what = f"{old}, now {new}"
            yield Change(requirement=name, kind=Kind.OTHER, what=what, weakens=True)


def _number(name: str, what: str, old: float | None, new: float | None) -> Iterator[Change]:
    """Compare a number of which more asks more; None asks nothing."""
    if old != new:
        before, after = ("none" if each is None else f"{each:g}" for each in (old, new))
        yield _ranked(name, (new or 0) > (old or 0), f"{what} {before}, now {after}")


def _ranked(name: str, is_stricter: bool, what: str) -> Change:
    kind = Kind.STRICTER if is_stricter else Kind.LOOSER
    return Change(requirement=name, kind=kind, what=what, weakens=not is_stricter)
