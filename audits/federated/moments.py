"""What the bounds of an audit need of each group, from sums over people. Letters: G groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audits.federated.agreement import Axis
from audits.federated.people import Array, Summed
from audits.federated.sums import GroupSums
from audits.judging.counts import OF_A_DENOMINATOR, Counts
from audits.measure.groups import EVERYONE, Grouping
from audits.measure.losses import Losses, of_moments
from audits.measure.metric_definitions import ratio
from audits.measure.people import Moments, PeopleOfGroups, moments_of, pooled_variance


def grouping_of(axis: Axis) -> Grouping:
    """Return the groups of an axis by their names; there are no rows."""
    return Grouping(
        axis=axis.name or EVERYONE, attributes=axis.attributes,
        labels_G=axis.labels_G if axis.attributes else (EVERYONE,), group_N=np.array([], np.intp),
    )  # fmt: skip


def _moments(people_G: Array, value_G: Array, square_G: Array) -> Moments:
    # Every person is in one group, and weighs one.
    return moments_of(np.stack([people_G, people_G, value_G, square_G]), people_G.astype(np.intp))


def people_of_sums(sums: GroupSums, whole: GroupSums) -> PeopleOfGroups:
    """Return mean and spread over people in each group and in its rest: everyone less the group."""
    inside = _moments(sums.people_G, sums.value_G, sums.square_G)
    rest = _moments(
        whole.people_G - sums.people_G, whole.value_G - sums.value_G, whole.square_G - sums.square_G
    )
    return PeopleOfGroups(
        inside=inside, rest=rest, pooled_G=np.full(len(sums.people_G), pooled_variance(inside)),
        rows_each_G=ratio(sums.rows_G, sums.people_G),
    )  # fmt: skip


def counts_of(
    summed: Summed, sums: GroupSums, people: PeopleOfGroups
) -> tuple[Sequence[Counts], Sequence[Counts]]:
    """Return the people and events of each group, and of its rest."""
    inside_G, rest_G = (m.people_G.astype(int).tolist() for m in (people.inside, people.rest))
    if summed.milestone is None:
        return (
            [Counts(subjects=n, events=None) for n in inside_G],
            [Counts(subjects=n, events=None) for n in rest_G],
        )
    events_G = inside_G
    if summed.metric not in OF_A_DENOMINATOR and sums.sides:
        events_G = np.minimum(*sums.sides).astype(int).tolist()
    return (
        [Counts(subjects=n, events=e) for n, e in zip(inside_G, events_G, strict=True)],
        # Whoever counts in the rest's denominator is an event of the rest.
        [Counts(subjects=n, events=n) for n in rest_G],
    )


def losses_of(sums: GroupSums, whole: GroupSums) -> Losses:
    """Return how much each group lost, and its rest."""
    people = people_of_sums(sums, whole)
    return of_moments(people.inside, people.rest)
