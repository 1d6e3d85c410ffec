"""What a report shows of lost outcomes: shares only, rounded, and of large groups only.

Counts of those who were lost or died are of few people, and beside the counts of forecasts they
would show who is missing. So there are no counts, and shares are to the nearest 5 %. Of a group of
20, 5 % would still be one person: a share is hidden in every group of an attribute where in one of
them it is of 1 to 10 people, or leaves 1 to 10 over. An attribute with a group of fewer than 11
people has no line: each could be worked out from the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from audits.judging.lost.facts import LostOutcomes
from contracts.groups import MINIMUM_SHOWN, is_few
from contracts.predictions import OutcomeStatus

STEP = 0.05

CAUSES = (
    OutcomeStatus.LOST, OutcomeStatus.WITHDREW, OutcomeStatus.DIED, OutcomeStatus.MISSED,
    OutcomeStatus.TRACED,
)  # fmt: skip
MISSING = {OutcomeStatus.LOST, OutcomeStatus.WITHDREW, OutcomeStatus.TRACED}
"""What the share that is missing is made of."""


class ShownLosses(BaseModel):
    """Shares of a group's outcomes that were due, to the nearest 5 %, and what may lie in them.

    Parameters
    ----------
    axis, group
        Which group.
    lost, withdrew, died, missed, traced
        Share by cause; the rest was observed. None where it is not shown: it would be about few
        people.
    missing
        Share missing where the traced stand for others; None as before.
    weighted_shift
        By how many points weighting by the chance of being observed moves the mean signed error, to
        half a point; None where there is none.
    smallest_chance
        Smallest modelled chance of being observed, to the nearest 5 %.
    worst
        By how many points the mean signed error would move if every missing outcome were wrong by
        the whole scale; from the rounded share.
    tipping_point
        How many points worse the missing must be for the signed error to reach the policy's limit,
        to a whole point; from the rounded share. None where that is 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str
    group: str
    lost: float | None
    withdrew: float | None
    died: float | None
    missed: float | None
    traced: float | None
    missing: float | None
    weighted_shift: float | None
    smallest_chance: float | None
    worst: float | None
    tipping_point: float | None


def shown_losses(
    rows: Iterable[LostOutcomes], scale: float, is_shown: Callable[[str, str], bool]
) -> tuple[ShownLosses, ...]:
    """Return what may be shown of lost outcomes.

    Parameters
    ----------
    scale
        Length of the target's scale, points.
    is_shown
        Whether the report shows the numbers of a group, by attribute and label.
    """
    of_axis: dict[str, list[LostOutcomes]] = defaultdict(list)
    for row in rows:
        of_axis[row.axis].append(row)
    return tuple(
        _shown(row, scale, hidden, is_known=is_shown(row.axis, row.group))
        for groups in of_axis.values()
        if min(row.people for row in groups) >= MINIMUM_SHOWN
        for hidden in [_of_few(groups)]
        for row in groups
    )


def _of_few(groups: Sequence[LostOutcomes]) -> set[OutcomeStatus]:
    """Return the causes that are about few people in one of the groups of an attribute.

    All of them where few were observed: together the causes tell how many that is.
    """
    for row in groups:
        gone = sum(row.people_by.get(status, 0) for status in CAUSES)
        # Whoever has several horizons may count with several causes, and the rest be too small.
        if is_few(row.people - gone) or is_few(row.people_by.get(OutcomeStatus.OBSERVED, 0)):
            return set(CAUSES)
    return {
        status
        for status in CAUSES
        for row in groups
        for count in [row.people_by.get(status, 0)]
        if is_few(count) or is_few(row.people - count)
    }


def _shown(
    row: LostOutcomes, scale: float, hidden: set[OutcomeStatus], *, is_known: bool
) -> ShownLosses:
    def share(status: OutcomeStatus, value: float) -> float | None:
        return None if status in hidden else _rounded(value)

    missing = None if hidden & MISSING else _rounded(row.not_stood_for)
    is_known = is_known and missing is not None
    return ShownLosses(
        axis=row.axis, group=row.group, lost=share(OutcomeStatus.LOST, row.lost),
        withdrew=share(OutcomeStatus.WITHDREW, row.withdrew),
        died=share(OutcomeStatus.DIED, row.died), missed=share(OutcomeStatus.MISSED, row.missed),
        traced=share(OutcomeStatus.TRACED, row.traced), missing=missing,
        weighted_shift=_shift(row) if is_known else None,
        smallest_chance=_rounded(row.smallest_chance)
        if is_known and row.smallest_chance is not None
        else None,
        worst=None if missing is None else float(round(scale * missing)),
        # From what is shown alone: the exact share would tell how many are lost.
        tipping_point=float(round(row.room / missing))
        if is_known and missing and row.room is not None
        else None,
    )  # fmt: skip


def _rounded(share: float) -> float:
    return round(STEP * round(share / STEP), 2)


def _shift(row: LostOutcomes) -> float | None:
    if row.error is None or row.weighted_error is None:
        return None
    return round(2 * (row.weighted_error - row.error)) / 2
