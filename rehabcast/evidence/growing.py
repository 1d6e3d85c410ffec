"""Whom a version's scope may grow by: looked at by each run of monitoring, decided by people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from audits.judging.lost.findings import RULE as RULE_ON_LOSSES
from audits.judging.wording import group_in_words
from audits.ledger.evidence.proposals import propose, proposed_since
from audits.ledger.ledger import Ledger
from audits.report.monthly import content as monthly
from audits.sequential.growing import GroupStanding, group_of, group_standings, week_of_groups
from audits.sequential.hypotheses import LOSSES, Hypothesis
from contracts.digests import record_digest
from contracts.groups import MINIMUM_SHOWN, people_in_words
from inference.matching.tables import MonitoringTables
from rehabcast.evidence.watched import Watched
from serving.state.evidence.accounts import Sums, counted, week_of
from serving.state.evidence.counting import close_weeks, take_in
from serving.state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLeftOut:
    """A group that is not served, and how far it is from being proposed.

    Parameters
    ----------
    attribute, group
        Which.
    people
        Of it, whose outcome was due; rounded, in words.
    e_value
        The smallest e-value of its rules, to two digits, as it was when 11 more people had paid;
        None before.
    needed
        The e-value that each of its rules must reach.
    slowest
        The rule that is furthest from it; None while fewer than 11 outcomes were due.
    proposal
        Number of the ledger's entry that proposes it; None where there is none.
    """

    attribute: str
    group: str
    people: str
    e_value: float | None
    needed: float
    slowest: str | None
    proposal: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthRun:
    """Whom the scope may grow by; nothing of it changes who is served.

    Parameters
    ----------
    groups
        Each group that the audit left out.
    never
        Binding rules that no outcome in service can show: the groups that they are on are none of
        `groups`, and are never proposed.
    said
        What follows, in words.
    """

    groups: tuple[GroupLeftOut, ...]
    never: tuple[str, ...]
    said: str


def look(
    store: Store, ledger: Ledger, version: Watched, *, act: bool, actor: str, now: datetime
) -> GrowthRun:
    """Count the outcomes of who is left out, look at the tests, and record what is proposed.

    Parameters
    ----------
    act
        Whether proposals are recorded.

    Raises
    ------
    ContractError
        The version was followed by other terms until now.
    """
    growing, champion = version.growing, version.champion
    if growing is None or champion is None:
        return GrowthRun(groups=(), never=version.never, said="no group is left out")
    take_in(store, growing)
    close_weeks(store, growing, now.date(), lambda tables: _sums_of(version, tables))
    stand = standings_of(store, version)
    if act and champion.revoked is None:
        for each in stand:
            if each.is_shown:
                propose(
                    ledger.engine, champion, each.group, rules_of(version, each),
                    evidence=_evidence_of(store, version, each), actor=actor, now=now,
                    identities=ledger.identities,
                )  # fmt: skip
    entries = proposed_since(ledger.trail(), champion)
    groups = tuple(
        GroupLeftOut(
            attribute=each.group.attribute, group=each.group.label,
            people=people_in_words(each.people), e_value=each.e_value, needed=each.needed,
            slowest=rule_in_words(each.slowest) if each.people >= MINIMUM_SHOWN else None,
            proposal=entries[each.group].sequence if each.group in entries else None,
        )
        for each in stand
    )  # fmt: skip
    return GrowthRun(groups=groups, never=version.never, said=_in_words(stand))


def groups_left_out(
    store: Store, ledger: Ledger, version: Watched, after: date
) -> tuple[monthly.GroupLeftOut, ...]:
    """Return what an edition says of the groups that the audit left out, before a day."""
    champion = version.champion
    if champion is None:
        return ()
    proposed = proposed_since(ledger.trail(), champion)
    return tuple(
        monthly.GroupLeftOut(
            attribute=each.group.attribute,
            label=each.group.label,
            e_value=each.e_value,
            needed=each.needed,
            slowest=None if each.e_value is None else rule_in_words(each.slowest),
            proposed=each.group in proposed and proposed[each.group].at().date() < after,
        )
        for each in standings_of(store, version, week_of(after))
    )


def standings_of(
    store: Store, version: Watched, until: int | None = None
) -> tuple[GroupStanding, ...]:
    """Return how far each group is that is left out, from what was counted.

    Parameters
    ----------
    until
        Only of weeks before this one.
    """
    growing = version.growing
    if growing is None:
        return ()
    first, weeks = counted(store, growing.service, until)
    return group_standings(first, weeks, version.grows, version.plan.alpha)


def rules_of(version: Watched, standing: GroupStanding) -> Sequence[str]:
    """Return the names of the rules that were asked of a group, as audits call them."""
    own = [each.rule for each in version.grows if group_of(each) == standing.group]
    return [RULE_ON_LOSSES if rule == LOSSES else rule for rule in dict.fromkeys(own)]


def rule_in_words(each: Hypothesis) -> str:
    """Say which rule, milestone and side a test is about."""
    rule = RULE_ON_LOSSES if each.rule == LOSSES else each.rule
    return rule if each.milestone is None else f"{rule} ({each.milestone})"


def _sums_of(version: Watched, tables: MonitoringTables) -> Sums:
    assert version.shown is not None  # noqa: S101  (nobody is followed without it)
    return week_of_groups(
        tables.predictions, tables.follow_up, version.policy, version.grows, version.shown
    )


def _evidence_of(store: Store, version: Watched, standing: GroupStanding) -> dict[str, Any]:
    growing = version.growing
    assert growing is not None  # noqa: S101  (something was counted)
    _, weeks = counted(store, growing.service)
    return {
        "plan": version.plan.digest,
        "policy": version.policy.digest,
        "terms": growing.terms,
        "people_due": people_in_words(standing.people),
        "e_value": standing.e_value,
        "needed": standing.needed,
        "week": standing.week,
        "tests": [asdict(each) for each in version.grows if group_of(each) == standing.group],
        # Of every number that was kept: who recomputes them gets the same.
        "sums_digest": record_digest({"weeks": weeks}),
    }


def _in_words(stand: Sequence[GroupStanding]) -> str:
    shown = [each for each in stand if each.is_shown]
    if not shown:
        return "outcomes do not yet show of any group that every rule holds for it"
    names = "; ".join(group_in_words(e.group.attribute, e.group.label) for e in shown)
    return f"outcomes show that every rule holds for {names}: people may audit a wider scope"
