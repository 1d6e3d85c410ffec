"""A version beside the one last in service, as the change plan of its line asks.

The criteria are judged on forecasts that both versions made of the same people, of those whom the
new version would be served to; on people served, they are judged in `audits.sequential`. A version
that was trained on more people is so compared on the people whom both have seen, each out of fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from audits.changes.plan import ChangePlan, Criterion, ShownOn, Who
from audits.judging.further.compared import criteria_on, inside, nobody_compared
from audits.judging.policy import Policy, Rule
from audits.judging.rules import apply_rules, rows_of
from audits.judging.validation import breaks_contract
from audits.measure.disparity import Direction, Scope, Statistic
from audits.measure.groups import by_attribute
from audits.measure.looks import Earlier
from audits.measure.metric_definitions import Better
from audits.measure.metrics import available_measures
from audits.measure.prediction_table import KEY
from contracts.changes.comparison import CriterionResult, PlanComparison, ServedComparison, Shown
from contracts.changes.facts import VersionFacts
from contracts.predictions import CANDIDATE, CHAMPION, CHANCE, MODEL, REACHED, TRUTH
from contracts.scope import Scope as Served
from contracts.verdict import Finding, Outcome, Verdict

SHOWN = {
    Outcome.PASS: Shown.MET,
    Outcome.WITHIN_SCOPE: Shown.MET,
    Outcome.INSUFFICIENT: Shown.NOT_SHOWN,
    Outcome.REVIEW: Shown.NOT_MET,
    Outcome.BLOCKED: Shown.NOT_MET,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InService:
    """The version last in service, revoked or not.

    Parameters
    ----------
    version, bundle_digest
        Which.
    returns
        Whether the audited bundle was in service before and was not revoked since.
    facts
        What it is; of a bundle that returns, what that one was.
    had_more_people
        Whether it was trained on more people than the audited one.
    other_outcomes
        Whether forecasts are left out because their outcome is another one now.
    forecasts
        Its rows beside the candidate's, as `champion`; None of a bundle that returns.
    """

    version: str
    bundle_digest: str
    returns: bool = False
    facts: VersionFacts
    had_more_people: bool = False
    other_outcomes: bool = False
    forecasts: pd.DataFrame | None


def under_plan(
    verdict: Verdict,
    plan: ChangePlan,
    after: VersionFacts,
    before: InService | None,
    predictions: pd.DataFrame,
    policy: Policy,
    earlier: Earlier,
    *,
    served: ServedComparison | None = None,
    of_served: Sequence[CriterionResult] = (),
) -> Verdict:
    """Return a verdict with what was found under a plan.

    Parameters
    ----------
    after, before
        What the audited version is (its scope is taken from the verdict), and the version last in
        service; None where there was none.
    predictions
        The candidate's prediction table.
    policy, earlier
        As in `audits.judging.judge`: its unit and thresholds, and how many attempts came before.
    served, of_served
        A comparison in service, and what it found by the criteria on people served.
    """
    after = after.model_copy(update={"scope": verdict.scope})
    change = PlanComparison(plan_digest=plan.digest, after=after)
    if before is None:
        return verdict.model_copy(update={"change": change})
    beside, found = before.forecasts, tuple[CriterionResult, ...]()
    if beside is not None and not breaks_contract(verdict.findings):
        own = rows_of(predictions, CANDIDATE)
        found = (
            *criteria_results(plan, own, beside, verdict.scope, policy, earlier),
            *of_served,
        )
    beside_champion = {
        "champion": before.version,
        "champion_bundle_digest": before.bundle_digest,
        "returns": before.returns,
        "before": before.facts,
        "other_outcomes": before.other_outcomes,
        "fewer_people": before.had_more_people,
        "external_validation": verdict.external is not None,
        "criteria": found,
        "served": served,
    }
    return verdict.model_copy(update={"change": change.model_copy(update=beside_champion)})


def criteria_results(
    plan: ChangePlan,
    candidate: pd.DataFrame,
    champion: pd.DataFrame,
    scope: Served | None,
    policy: Policy,
    earlier: Earlier,
) -> tuple[CriterionResult, ...]:
    """Judge the criteria on a cohort; nothing where both versions forecast nobody in common.

    Parameters
    ----------
    candidate, champion
        Their rows of prediction tables of the same people.
    scope
        For whom the candidate would be served; None for everyone.
    """
    served = candidate if scope is None else candidate[inside(candidate, scope)]
    both = _both(served, champion)
    if both.empty:
        return ()
    compared, numbered = rows_of(both, CANDIDATE), criteria_on(plan, ShownOn.COHORT)
    rules = {
        rule: number
        for number, criterion in numbered.items()
        for rule in _rules(number, criterion, compared)
    }
    number_of = {rule.name: number for rule, number in rules.items()}
    applied = apply_rules(
        both,
        policy.model_copy(update={"rules": tuple(rules)}),
        champion=CHAMPION,
        earlier=earlier,
    )
    found = [
        _result(plan, number_of[finding.rule], finding, compared)
        for finding in applied.findings
        if finding.rule in number_of
    ]
    return (*found, *nobody_compared(numbered, served, found))


def _both(candidate: pd.DataFrame, champion: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of forecasts that both made of the same outcome.

    A later visit may have given a row another score. Where the scores are the same and a milestone
    is not, its threshold was moved: it is left out, and everything else is compared.
    """
    reached = [
        str(name)
        for name in candidate.columns
        if str(name).startswith(REACHED) and name in champion.columns
    ]
    has_score = TRUTH in candidate.columns and TRUTH in champion.columns
    outcomes = [TRUTH] if has_score else reached
    columns = [*KEY, *dict.fromkeys([*outcomes, *reached])]
    shared = candidate[columns].merge(champion[columns], on=KEY)
    same = pd.Series(bool(outcomes), index=shared.index)
    for name in outcomes:
        same &= _is_same(shared, name)
    shared = shared[same]
    moved = [name for name in reached if not _is_same(shared, name).all()]
    left_out = [*moved, *(CHANCE + name.removeprefix(REACHED) for name in moved)]
    return pd.concat(
        [
            candidate.merge(shared[list(KEY)], on=KEY),
            champion.merge(shared[list(KEY)], on=KEY).assign(**{MODEL: CHAMPION}),
        ],
        ignore_index=True,
    ).drop(columns=left_out, errors="ignore")


def _is_same(shared: pd.DataFrame, name: str) -> pd.Series[bool]:
    one, other = shared[f"{name}_x"], shared[f"{name}_y"]
    return (one == other) | (one.isna() & other.isna())


def _rules(number: int, criterion: Criterion, table: pd.DataFrame) -> Iterator[Rule]:
    """Yield the rules that a criterion comes to.

    An attribute with everyone in one group is judged on everyone.
    """
    if criterion.who is Who.EVERYONE:
        yield _rule(number, criterion, Scope.OVERALL, None)
        return
    constant = {grouping.axis for grouping in by_attribute(table) if grouping.is_constant}
    named = criterion.attributes
    varied = None if named is None else tuple(axis for axis in named if axis not in constant)
    if varied is None or varied:
        yield _rule(number, criterion, Scope.AXES, varied)
    if named is not None and set(named) & constant:
        yield _rule(number, criterion, Scope.OVERALL, None)


def _rule(number: int, criterion: Criterion, scope: Scope, axes: tuple[str, ...] | None) -> Rule:
    higher_is_better = criterion.metric.definition.better is Better.HIGHER
    limit = criterion.worse_by_at_most
    return Rule(
        name=f"criterion {number + 1}, {scope}",
        scope=scope,
        axes=axes,
        each_horizon=criterion.each_horizon,
        metric=criterion.metric,
        statistic=Statistic.AGAINST_COMPARATOR,
        comparator=CHAMPION,
        direction=Direction.AT_LEAST if higher_is_better else Direction.AT_MOST,
        limit=-limit if higher_is_better else limit,
        # A rule names the confidence of both bounds together.
        confidence=2 * criterion.confidence - 1,
        minimum_subjects=criterion.minimum_people,
        minimum_events=criterion.minimum_events if criterion.metric.of_milestone else None,
        binding=True,
        rationale=criterion.rationale,
    )


def _result(
    plan: ChangePlan, number: int, finding: Finding, compared: pd.DataFrame
) -> CriterionResult:
    measures = available_measures(compared, plan.criteria[number].metric)
    milestone_of = {measure.name: measure.milestone for measure in measures}
    return CriterionResult(
        criterion=number,
        measure=finding.metric,
        milestone=milestone_of.get(finding.metric),
        axis=finding.axis,
        group=finding.group,
        horizon_day=finding.horizon_day,
        result=SHOWN[finding.outcome],
    )
