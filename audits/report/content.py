"""The report: one JSON that is signed, and from which every edition is written.

Numbers that would be about fewer than 11 people, or let theirs be worked out, are not in it
(`audits.disclosure`). They were judged nevertheless, and can be computed again from the prediction
table whose digest it carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pandas as pd
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from audits.changes.plan import ChangePlan
from audits.disclosure.cells import Cell
from audits.disclosure.counts import forecasts_shown, people_shown
from audits.disclosure.earlier import EarlierReport
from audits.disclosure.losses import ShownLosses, shown_losses
from audits.disclosure.published import Pattern, pattern_of
from audits.disclosure.quantities import Quantity
from audits.disclosure.suppress import (
    suppress_in_performance,
    suppress_in_sensitivity,
    suppress_in_verdict,
)
from audits.judging.lost.facts import lost_outcomes
from audits.judging.performance import Performance, performance, unavailable
from audits.judging.policy import Policy
from audits.judging.rules import rows_of
from audits.judging.sensitivity import LabelSensitivity, label_sensitivity
from audits.judging.validation import breaks_contract
from audits.measure.groups import EVERYONE
from audits.measure.metrics import Metric
from audits.policies.clustered import ClusterEffect, cluster_effect
from audits.policies.stricter import StricterLimit, stricter_limits
from audits.report.further import OwnCode, StartsFrom, refusals_today, without_counts
from contracts.bundle import Judging
from contracts.groups import MINIMUM_SHOWN, rounded_people
from contracts.predictions import CANDIDATE, MODEL
from contracts.verdict import Verdict
from contracts.vocabulary import vocabulary

FORMAT = "rehabcast-audit-report/1"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFacts(_Strict):
    """Facts about the model, from its bundle; None means not available.

    Parameters
    ----------
    developer, contact, funding
        Who developed it, whom to contact, and who funded it.
    family, condition, target, horizon_weeks, milestones, inputs
        What it is, what it forecasts, and from which inputs.
    target_low, target_high
        Ends of the target's scale.
    cohort_name, simulated, subjects, seed, created
        What it was trained on, and when; people rounded down to a ten, None for fewer than 11.
    judging
        How the judged forecasts were made.
    audited_attributes
        The attributes that the audit compares people by, each with its reason.
    starts_from
        The recovery population that its networks started from; None of families without one.
    own_codes
        What those codes of the bundle mean that rehabcast does not ship.
    recovery_rule_published
        Whether a recovery rule was published of the target; else the comparator of that name is
        only fitted to the people trained on.
    """

    developer: str | None
    contact: str | None
    funding: str | None
    family: str
    condition: str
    target: str
    target_low: float
    target_high: float
    horizon_weeks: tuple[int, ...]
    milestones: tuple[str, ...]
    inputs: tuple[str, ...]
    audited_attributes: dict[str, str]
    cohort_name: str
    simulated: bool
    subjects: int | None
    seed: int
    created: str
    judging: Judging | None = None
    starts_from: StartsFrom | None = None
    own_codes: tuple[OwnCode, ...] = ()
    recovery_rule_published: bool = True

    @field_validator("subjects")
    @classmethod
    def _rounded(cls, subjects: int | None) -> int | None:
        return None if subjects is None else rounded_people(subjects)


class Report(_Strict):
    """Everything that an audit reports.

    Parameters
    ----------
    format
        Format of this record; `rehabcast ledger schema` prints its JSON schema.
    verdict, policy
        What was decided, by which rules.
    facts
        About the model.
    made_at, valid_until
        UTC, ISO 8601.
    people, forecasts, comparators
        Numbers of people and of the candidate's forecasts, and the models compared with it.
    performance, unavailable
        Every metric of every group, and the metrics that the table has no columns for.
    label_sensitivity
        What biased labels could hide.
    names_verified
        Whether people sign approvals with their own keys; else names are as somebody typed them.
    refusals_are_of_today
        Whether refusals are counted among all people of the cohort, each on the newest day with
        data, as a ward would ask; else among the forecasts at the landmarks.
    lost_outcomes
        What became of the outcomes that were due; empty where that was not recorded or not asked.
    stricter
        What the stricter policy that rehabcast ships would have said; empty where it asks no more.
    plan
        The change plan of the model's line that was in force; None where there was none.
    some_wait
        Whether people who came since an earlier report are not counted yet, because they are fewer
        than 11 and beside that report would show through.
    clusters
        What it changed that people are clustered; None where the task declares no clusters.
    """

    format: Literal["rehabcast-audit-report/1"] = "rehabcast-audit-report/1"
    verdict: Verdict
    policy: Policy
    facts: ModelFacts
    made_at: str
    valid_until: str
    people: int
    forecasts: int | None
    comparators: tuple[str, ...]
    performance: tuple[Performance, ...]
    unavailable: tuple[str, ...]
    label_sensitivity: tuple[LabelSensitivity, ...]
    names_verified: bool = False
    refusals_are_of_today: bool = False
    lost_outcomes: tuple[ShownLosses, ...] = ()
    stricter: tuple[StricterLimit, ...] = ()
    plan: ChangePlan | None = None
    some_wait: bool = False
    clusters: ClusterEffect | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Write a report as before there were clusters, plans, own codes and priors."""
        record: dict[str, Any] = serialize(self)
        if self.plan is None:
            record.pop("plan", None)
        if self.verdict.change is None:
            record.get("verdict", {}).pop("change", None)
        if not self.some_wait:
            record.pop("some_wait", None)
        if self.clusters is None:
            record.pop("clusters", None)
        if not self.facts.own_codes:
            record.get("facts", {}).pop("own_codes", None)
        if self.facts.starts_from is None:
            record.get("facts", {}).pop("starts_from", None)
        if self.facts.recovery_rule_published:
            record.get("facts", {}).pop("recovery_rule_published", None)
        return record


def compose(
    predictions: pd.DataFrame,
    verdict: Verdict,
    policy: Policy,
    facts: ModelFacts,
    *,
    made_at: str,
    valid_until: str,
    names_verified: bool = False,
    questions: pd.DataFrame | None = None,
    follow_up: pd.DataFrame | None = None,
    plan: ChangePlan | None = None,
    earlier: Sequence[EarlierReport] = (),
    some_wait: bool = False,
    external_numbers: bool = True,
) -> Report:
    """Put a report together; for a table that broke its contract it holds the verdict alone.

    Parameters
    ----------
    questions
        Of the prediction table; without them, refusals are those at the landmarks.
    follow_up
        The follow-up table; None where there is none.
    plan
        The change plan by which the verdict was compared; None where none was in force.
    earlier
        Reports that readers may have beside this one.
    some_wait
        Whether the tables leave out people who came since one of them (`not_yet_counted`).
    external_numbers
        False where numbers of an external cohort could be compared with those of an earlier report.
    """
    table = rows_of(predictions, CANDIDATE) if MODEL in predictions.columns else pd.DataFrame()
    scored = len(table) > 0 and not breaks_contract(verdict.findings)
    pattern = pattern_of(predictions, policy, earlier) if scored else Pattern(shown={}, groups={})
    at_landmarks = [m for m in Metric if questions is None or m is not Metric.REFUSAL_RATE]
    scale = (facts.target_low, facts.target_high)
    lost = (
        lost_outcomes(table, follow_up, policy, scale) if scored and follow_up is not None else ()
    )
    published = suppress_in_verdict(
        without_counts(verdict, external_numbers=external_numbers), pattern, policy
    )
    return Report(
        verdict=published,
        policy=policy,
        facts=facts,
        made_at=made_at,
        valid_until=valid_until,
        people=people_shown(table) if scored else 0,
        forecasts=forecasts_shown(table) if scored else 0,
        comparators=tuple(str(name) for name in predictions[MODEL].unique() if name != CANDIDATE)
        if scored
        else (),
        performance=(
            *suppress_in_performance(performance(table, policy, at_landmarks), pattern),
            *(() if questions is None else refusals_today(questions, policy)),
        )
        if scored
        else (),
        refusals_are_of_today=scored and questions is not None,
        unavailable=unavailable(table) if scored else (),
        label_sensitivity=suppress_in_sensitivity(label_sensitivity(table, policy), pattern)
        if scored
        else (),
        names_verified=names_verified,
        lost_outcomes=shown_losses(
            lost,
            scale[1] - scale[0],
            lambda axis, group: pattern.shows(Quantity(), Cell(axis=axis, group=group)),
        ),
        stricter=stricter_limits(predictions, policy, published, follow_up) if scored else (),
        plan=plan,
        some_wait=some_wait,
        clusters=cluster_effect(predictions, policy, verdict, follow_up) if scored else None,
    )


def trained_on(facts: ModelFacts) -> str:
    """Return how many people a model was trained on, in words."""
    if facts.subjects is None:
        return f"fewer than {MINIMUM_SHOWN} people"
    return f"at least {facts.subjects} people"


def target_in_words(facts: ModelFacts) -> str:
    """Return the name of the instrument; its code where the vocabulary does not know it."""
    code = vocabulary().get(facts.target)
    return facts.target if code is None else code.name


def over_all_horizons(report: Report, metric: Metric) -> list[Performance]:
    """Return a metric over all horizons: for everyone, and for each group of varied attributes.

    An attribute with everyone in one group would only repeat the line of everyone.
    """
    rows = [r for r in report.performance if r.metric == metric and r.horizon_day is None]
    return [row for row in rows if row.axis in varied_axes(rows)]


def varied_axes(rows: Iterable[Performance]) -> set[str]:
    """Return the attributes with more than one group, and everyone."""
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row.axis, set()).add(row.group)
    return {axis for axis, labels in groups.items() if axis == EVERYONE or len(labels) > 1}
