"""Harm that hides in loss: the lost are traced by chance, and bets are made on everybody.

It only warns: who was found, and what is written down of it, is people's work. Its account is
another than that of the tests that act, which are the same numbers whether or not anybody traces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from audits.sequential.course import courses
from audits.sequential.state import standings
from audits.sequential.traced import week_of_traced, with_tracing, without_tracing
from contracts.groups import people_in_words
from inference.matching.tables import MonitoringTables
from rehabcast.evidence.shown_tests import ShownTest, evidence_of, foremost, which
from rehabcast.evidence.watched import Watched
from serving.state.evidence.accounts import Sums, counted
from serving.state.evidence.tracing import Tracing, close_traced, tracing_of
from serving.state.store import Store

HIDDEN_IN_LOSS = "harm that hides in loss"
"""What its warning is about."""

NOBODY_TRACES = "nobody traces the lost (`rehabcast monitor trace`)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingRun:
    """Where the tests stand that the traced are part of; they only warn.

    Parameters
    ----------
    share
        Chance of each of the lost to be drawn; None where nobody traces them.
    people_lost, people_drawn, people_found
        People who were lost, of them drawn, and of those found, of the weeks whose tracing is over;
        rounded, in words.
    tests, mean_e, largest_mean_e
        How many tests there are, and the mean of their e-values: now and at most.
    warns_at, warns
        The mean that is a warning, and whether it or a single test ever reached what it needs.
    said
        What follows, in words.
    foremost
        The tests that speak most, as of `MonitoringRun`; what is needed is needed to warn.
    not_tested
        Rules that tracing does not serve: of a lost person nobody knows whether they apply.
    """

    share: float | None
    people_lost: str
    people_drawn: str
    people_found: str
    tests: int
    mean_e: float
    largest_mean_e: float
    warns_at: float
    warns: bool
    said: str
    foremost: tuple[ShownTest, ...]
    not_tested: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingLook:
    """A look: what is shown of it, and what a warning would keep; None where there is none."""

    run: TracingRun
    warning: Mapping[str, Any] | None = None


def look(store: Store, version: Watched, now: date, out: frozenset[tuple[str, str]]) -> TracingLook:
    """Count the weeks whose tracing is over, and look at the tests.

    Parameters
    ----------
    out
        Groups out of scope already: nobody is warned of them.
    """
    plan, followed = version.plan, version.traced
    tested = with_tracing(version.policy, version.tested)
    tracing = tracing_of(store, version.followed.service)
    if tracing is not None:
        _close(store, version, tracing, now)
    first, weeks = counted(store, followed.service)
    stand = standings(first, weeks, tested, plan, out)
    because = tuple(each for each in stand.in_scope(out) if each.reaches(plan.alpha))
    warns = bool(because) or stand.largest_mean >= 1 / plan.alpha
    said = NOBODY_TRACES if tracing is None else "who was traced speaks against no rule"
    if warns:
        said = f"with who was traced, outcomes speak against a rule: {which(because, stand)}"
    run = TracingRun(
        share=None if tracing is None else tracing.share,
        people_lost=_people(weeks, "lost"),
        people_drawn=_people(weeks, "drawn"),
        people_found=_people(weeks, "found"),
        tests=len(tested),
        mean_e=stand.mean,
        largest_mean_e=stand.largest_mean,
        warns_at=1 / plan.alpha,
        warns=warns,
        said=said,
        foremost=foremost(stand, courses(first, weeks, tested, plan), plan),
        not_tested=without_tracing(version.policy, version.tested),
    )
    if not warns or tracing is None:
        return TracingLook(run=run)
    evidence = {
        "said": said, "share": tracing.share, "mean_e": stand.mean,
        "largest_mean_e": stand.largest_mean,
        **evidence_of(store, version, followed, stand, because, plan),
    }  # fmt: skip
    return TracingLook(run=run, warning=evidence)


def _close(store: Store, version: Watched, tracing: Tracing, now: date) -> None:
    tested = with_tracing(version.policy, version.tested)

    def sums_of(tables: MonitoringTables, before: Sums | None) -> Sums:
        return asdict(
            week_of_traced(
                tables.predictions, tables.follow_up, version.policy, tested, tracing.share,
                {} if before is None else before["traced"],
            )
        )  # fmt: skip

    close_traced(store, version.traced.account, version.bundle.task, now, sums_of)


def _people(weeks: Sequence[tuple[int, Sums]], which: str) -> str:
    return people_in_words(sum(sums[which] for _, sums in weeks))
