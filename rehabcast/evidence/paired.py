"""A shadow beside the champion on the people served: what is shown so far, and the signed table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.changes.plan import ChangePlan, ShownOn
from audits.changes.wording import criterion_in_words, result_in_words
from audits.disclosure.cells import Cell
from audits.disclosure.published import pattern_of
from audits.disclosure.quantities import quantity_of
from audits.judging.further.compared import criteria_on
from audits.judging.policy import Policy
from audits.judging.rules import rows_of
from audits.ledger.audit_entries import earlier_audits
from audits.ledger.changes.plans import read_book
from audits.ledger.ledger import Ledger
from audits.ledger.trail import utc
from audits.measure.groups import by_attribute, everyone
from audits.measure.metrics import Measure, Metric, range_of
from audits.sequential.in_service import ServedPairs, served_results
from audits.sequential.paired import Bounds, bounds, by_group, worse_by
from audits.sequential.plan import load_plan
from contracts.changes.comparison import CriterionResult, ServedComparison
from contracts.errors import ContractError, EvidenceMissing
from contracts.groups import last_shown_of_growing, people_in_words
from contracts.naming.model_version import split_version
from contracts.predictions import CANDIDATE, SUBJECT
from rehabcast.auditing.served_pairs import write_pairs
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import open_bundle, open_description, policy_for
from serving.state.evidence.counting import head_of
from serving.state.evidence.pairs import Side, pairs_until
from serving.state.store import Store
from training.registry.model_versions import find

SHOWN_METRICS = (
    Metric.MEAN_ABSOLUTE_ERROR,
    Metric.CRPS,
    Metric.COVERAGE,
)
ALPHA = 0.025
"""Of each bound: both hold at all looks with 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDifference:
    """By how much the shadow is worse, by one metric, for one group.

    Parameters
    ----------
    metric, attribute, group
        Of what and of whom.
    people
        In words.
    difference, low, high
        In the metric's unit, with bounds that hold at all looks; negative where the shadow is
        better. None where it would tell of few people.
    """

    metric: str
    attribute: str
    group: str
    people: str
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowComparison:
    """A shadow beside the champion.

    Parameters
    ----------
    model_version, champion
        The shadow, and the version last in service.
    people
        Of how many both forecast the outcome that came; in words.
    differences
        For everyone and by group.
    criteria
        What the change plan asks to be shown on people served, and what was found, in words; as an
        audit for everyone would find it.
    pairs_digest
        Of the table written; None without one.
    """

    model_version: str
    champion: str
    people: str
    differences: tuple[ShownDifference, ...]
    criteria: tuple[str, ...]
    pairs_digest: str | None


def compare(
    settings: Settings,
    store: Store,
    ledger: Ledger,
    model_version: str,
    *,
    actor: str,
    now: datetime,
    output: Path | None = None,
) -> ShadowComparison:
    """Compare a shadow with the version last in service, person by person; look as often as needed.

    Raises
    ------
    ContractError
        It is the version in service itself, or they do not forecast the same.
    EvidenceMissing
        No version was in service, or no outcome has come of a question that both answered.
    IntegrityError
        A bundle or a forecast is not what was signed or put on record.
    """
    model, _ = split_version(model_version)
    champion = ledger.champion(model)
    if champion.model_version == model_version:
        raise ContractError(
            f"{model_version} is the version in service, and not beside it",
            "name the version that `rehabcast serve --shadow` runs",
        )
    bundle = open_bundle(settings, find(settings.store, model_version))
    other = open_description(settings, find(settings.store, champion.model_version))
    monitoring = load_plan(settings.monitoring_plan)
    rows = pairs_until(
        store,
        Side(
            model_version=champion.model_version, task=other.task, since=utc(champion.promoted_at)
        ),
        Side(model_version=model_version, task=bundle.task),
        grace_days=monitoring.grace_days,
        now=now.date(),
    )
    if rows.empty:
        raise EvidenceMissing(
            f"{model_version}: no outcome has come of a question that it and"
            f" {champion.model_version} both answered",
            f"run `rehabcast serve --shadow {model_version}`, and this again when outcomes are due",
        )
    comparison = ServedComparison(
        champion_bundle_digest=other.digest,
        bundle_digest=bundle.digest,
        record_head=head_of(store),
        made_at=now.isoformat(timespec="seconds"),
        made_by=actor,
        monitoring_plan=monitoring.digest,
        points=monitoring.range * bundle.task.target.minimal_important_difference,
        simulated=bundle.manifest.simulated,
    )
    pairs, policy = ServedPairs(comparison=comparison, rows=rows), policy_for(settings, bundle)
    record = read_book(ledger.engine).in_force(model)
    earlier = earlier_audits(ledger.trail(), model_version, bundle.digest)
    own, criteria = rows_of(rows, CANDIDATE), tuple[str, ...]()
    if record is not None:
        results = served_results(record.plan, own, pairs, None, policy, earlier)
        criteria = tuple(_criteria(record.plan, results))
    shown = tuple(differences(pairs, policy))
    # At the end: whatever is refused leaves no table behind.
    if output is not None:
        comparison = write_pairs(settings, rows, comparison, output)
    return ShadowComparison(
        model_version=model_version,
        champion=champion.model_version,
        people=people_in_words(own[SUBJECT].nunique()),
        differences=shown,
        criteria=criteria,
        pairs_digest=comparison.pairs_digest or None,
    )


def differences(pairs: ServedPairs, policy: Policy) -> Iterator[ShownDifference]:
    """Yield by how much the shadow is worse, for everyone and each group, where it may be shown.

    An attribute with everyone in one group says nothing that everyone does not.
    Each is told anew when so many more people of the group were due that it tells of none of them
    (`contracts.groups.last_shown_of_growing`): who asks each night sees no person's difference.
    """
    own, pattern = rows_of(pairs.rows, CANDIDATE), pattern_of(pairs.rows, policy)
    for metric in SHOWN_METRICS:
        people, worse_N = worse_by(pairs.rows, Measure(metric=metric), policy.thresholds)
        size = range_of(metric, points=pairs.comparison.points)
        attributes = (each for each in by_attribute(own) if not each.is_constant)
        for grouping in (everyone(own), *attributes):
            for label, is_in_N in by_group(own, grouping, people):
                cell = Cell(axis=grouping.axis, group=label)
                shows = size is not None and pattern.shows(quantity_of(metric, None), cell)
                shown_N = worse_N[people_shown(people, is_in_N, own)]
                found = bounds(shown_N, size, ALPHA) if shows and size else None
                yield _shown(metric, grouping.axis, label, int(np.sum(is_in_N)), found)


def people_shown(
    people: NDArray[np.int64], is_in_N: NDArray[np.bool_], own: pd.DataFrame
) -> NDArray[np.int64]:
    """Return the places of those of a group whom a difference is told from.

    Parameters
    ----------
    people, is_in_N
        All who are compared, and who of them is in the group, (N,) each.
    own
        The shadow's rows, in the order in which people were due.
    """
    due_N = pd.Index(own[SUBJECT]).get_indexer(pd.Index(people))
    place_N = np.flatnonzero(is_in_N)
    in_order_N = place_N[np.argsort(due_N[place_N], kind="stable")]
    return in_order_N[: last_shown_of_growing(len(in_order_N))]


def _shown(
    metric: Metric, axis: str, group: str, people: int, found: Bounds | None
) -> ShownDifference:
    return ShownDifference(
        metric=metric,
        attribute=axis,
        group=group,
        people=people_in_words(people),
        difference=None if found is None else round(found.mean, 2),
        low=None if found is None else round(found.low, 2),
        high=None if found is None else round(found.high, 2),
    )


def _criteria(plan: ChangePlan, results: Sequence[CriterionResult]) -> Iterator[str]:
    for number, criterion in criteria_on(plan, ShownOn.SERVED).items():
        for each in results:
            if each.criterion == number:
                yield f"{criterion_in_words(criterion)}. Found for {result_in_words(each)}"
