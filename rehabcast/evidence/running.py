"""One run of monitoring: outcomes are counted, tests looked at, and what follows is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from audits.ledger.evidence.acting import restrict, restricted_now, suspend, warn
from audits.ledger.evidence.restrictions import Restricted
from audits.ledger.ledger import Ledger
from audits.sequential.course import courses
from audits.sequential.hypotheses import not_followed
from audits.sequential.state import Act, Decision, Standings, decide, standings
from contracts.groups import people_in_words
from rehabcast.evidence.early import EARLY, EarlyRun
from rehabcast.evidence.early import look as look_early
from rehabcast.evidence.growing import GrowthRun
from rehabcast.evidence.growing import look as grow
from rehabcast.evidence.lost.tracing import HIDDEN_IN_LOSS, TracingRun
from rehabcast.evidence.lost.tracing import look as look_at_traced
from rehabcast.evidence.shift import ShiftRun, look
from rehabcast.evidence.shown_tests import ShownTest, evidence_of, foremost, which
from rehabcast.evidence.sums import sums_of
from rehabcast.evidence.watched import Watched
from serving.state.evidence.accounts import counted
from serving.state.evidence.counting import Followed, close_weeks, take_in
from serving.state.store import Store

OUTCOMES, WHO_COMES = "outcomes", "who comes"
"""What a warning is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringRun:
    """What a run has found and done.

    Parameters
    ----------
    model_version, in_service
        The version, and whether it is the champion and not withdrawn.
    awaited, weeks_closed
        People newly awaited, and weeks counted now.
    weeks
        Weeks since the version's first one.
    people_due, people_observed
        People whose outcome was due, and of whom it came; rounded, in words.
    tests, mean_e, largest_mean_e
        How many tests there are, and the mean of their e-values: now and at most.
    suspends_at, warns_at
        The mean at which the version is suspended, and at which there is a warning.
    act, done
        What follows (`none`, `warn`, `restrict` or `suspend`), and whether it was done.
    restricted
        Groups that outcomes have taken out of scope, until now and by this run.
    said
        What follows, in words.
    foremost
        The tests that speak most against a rule, of those to which at least 11 people paid.
    not_tested
        Binding rules that cannot be tested on what is on record in service.
    shift
        Whether people still come as they came, before any outcome; it only warns.
    growth
        Whom the scope may grow by; it only proposes.
    early
        What outcomes of earlier horizons begin to say; it only warns.
    tracing
        What is found where a random share of the lost is traced; it only warns.
    """

    model_version: str
    in_service: bool
    awaited: int
    weeks_closed: int
    weeks: int
    people_due: str
    people_observed: str
    tests: int
    mean_e: float
    largest_mean_e: float
    suspends_at: float
    warns_at: float
    act: str
    done: bool
    restricted: tuple[Restricted, ...]
    said: str
    foremost: tuple[ShownTest, ...]
    not_tested: tuple[str, ...]
    shift: ShiftRun
    growth: GrowthRun
    early: EarlyRun
    tracing: TracingRun


def run(
    store: Store, ledger: Ledger, version: Watched, *, act: bool, actor: str, now: datetime
) -> MonitoringRun:
    """Count the outcomes that are due, look at the tests, and do what follows.

    Whatever follows is decided from what is kept: a run that was cut off is completed by the next.

    Parameters
    ----------
    act
        Whether the ledger is changed where the evidence asks for it.

    Raises
    ------
    ContractError
        The version was followed by other terms until now.
    PromotionRefused
        Another change of the champion came first: run it again.
    """
    followed = version.followed
    awaited = take_in(store, followed)
    closed = close_weeks(
        store, followed, now.date(), lambda tables: sums_of(tables, version.policy, version.tested)
    )
    champion = version.champion
    before = () if champion is None else restricted_now(ledger.engine, champion)
    out = frozenset((each.attribute, each.label) for each in before)
    stand = standings_of(store, followed, version, out)
    decision = decide(stand, version.plan, out, may_restrict=version.scope is not None)
    serving = champion is not None and champion.revoked is None
    said = in_words(version, decision, stand)
    new = tuple(
        Restricted(attribute=axis, label=group, rules=rules)
        for axis, group, rules in decision.restricted
    )
    done = False
    if act and serving and champion is not None and decision.act in {Act.RESTRICT, Act.SUSPEND}:
        evidence = _evidence_of(store, version, decision, stand, said)
        if decision.act is Act.RESTRICT:
            restrict(
                ledger.engine, champion, new, evidence=evidence, actor=actor, now=now,
                identities=ledger.identities,
            )  # fmt: skip
        else:
            suspend(
                ledger.engine, champion, why=said, evidence=evidence, actor=actor, now=now,
                identities=ledger.identities,
            )  # fmt: skip
        done = True
    shift = look(store, version, now.date())
    early = look_early(store, version, now.date(), out)
    traced = look_at_traced(store, version, now.date(), out)
    if act and serving and champion is not None:
        found: dict[str, Mapping[str, Any]] = {}
        if decision.act is Act.WARN:
            found[OUTCOMES] = _evidence_of(store, version, decision, stand, said)
        if shift.warns:
            reached = tuple(each for each in shift.foremost if each.largest >= each.needed)
            found[WHO_COMES] = asdict(replace(shift, foremost=reached))
        if early.warning is not None:
            found[EARLY] = early.warning
        if traced.warning is not None:
            found[HIDDEN_IN_LOSS] = traced.warning
        for what, about in found.items():
            warn(
                ledger.engine, champion, what, evidence=about, actor=actor, now=now,
                identities=ledger.identities,
            )  # fmt: skip
    first, weeks = counted(store, followed.service)
    went = courses(first, weeks, version.tested, version.plan)
    ended = done and decision.act is Act.SUSPEND
    growth = grow(
        store, ledger, version, act=act and serving and not ended, actor=actor, now=now
    )  # fmt: skip
    return MonitoringRun(
        model_version=version.model_version,
        in_service=serving and not ended,
        awaited=awaited,
        weeks_closed=closed,
        weeks=stand.weeks,
        people_due=people_in_words(stand.due),
        people_observed=people_in_words(stand.observed),
        tests=len(stand.tests),
        mean_e=stand.mean,
        largest_mean_e=stand.largest_mean,
        suspends_at=1 / version.plan.alpha,
        warns_at=1 / version.plan.warn_alpha,
        act=str(decision.act),
        done=done,
        restricted=(*before, *new) if done else before,
        said=said,
        foremost=foremost(stand, went, version.plan),
        not_tested=not_followed(version.policy),
        shift=shift,
        growth=growth,
        early=early.run,
        tracing=traced.run,
    )


def standings_of(
    store: Store, followed: Followed, version: Watched, out: frozenset[tuple[str, str]]
) -> Standings:
    """Return where the tests of a version stand, from what was counted."""
    first, weeks = counted(store, followed.service)
    return standings(first, weeks, version.tested, version.plan, out)


def _evidence_of(
    store: Store, version: Watched, decision: Decision, stand: Standings, said: str
) -> dict[str, Any]:
    """Return what an entry of the ledger keeps of the evidence; nothing about a person."""
    return {
        "said": said,
        "mean_e": stand.mean,
        "largest_mean_e": stand.largest_mean,
        **evidence_of(store, version, version.followed, stand, decision.because, version.plan),
    }


def in_words(version: Watched, decision: Decision, stand: Standings) -> str:
    """Say what follows."""
    found = which(decision.because, stand)
    if decision.act is Act.SUSPEND:
        return f"outcomes show a broken rule: {found}"
    if decision.act is Act.RESTRICT:
        return f"outcomes show a broken rule for some of the people: {found}"
    if decision.act is Act.WARN:
        return f"outcomes begin to speak against a rule: {found}"
    return "outcomes speak against no rule"
