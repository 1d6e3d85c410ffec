"""What a report shows of lost outcomes: shares only, rounded, and of large groups only.

Counts of those who were lost or died are of few people, and beside the counts of forecasts they
would show who is missing. So there are no counts, shares are to the nearest 5 %, and an attribute
with a group of fewer than 11 people has no line: each could be worked out from the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from audits.judging.lost.facts import LostOutcomes
from contracts.groups import MINIMUM_SHOWN

STEP = 0.05


class ShownLosses(BaseModel):
    """Shares of a group's outcomes that were due, to the nearest 5 %, and what may lie in them.

    Parameters
    ----------
    axis, group
        Which group.
    lost, withdrew, died, missed, traced
        Share by cause; the rest was observed.
    missing
        Share missing where the traced stand for others.
    weighted_shift
        By how many points weighting by the chance of being observed moves the mean signed error, to
        half a point; None where there is none.
    smallest_chance
        Smallest modelled chance of being observed, to the nearest 5 %.
    worst
        By how many points the mean signed error would move if every missing outcome were wrong by
        the whole scale; from the rounded share.
    tipping_point
        How many points worse the lost must be for the signed error to reach the policy's limit, to
        a whole point; None where nobody is lost.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: str
    group: str
    lost: float
    withdrew: float
    died: float
    missed: float
    traced: float
    missing: float
    weighted_shift: float | None
    smallest_chance: float | None
    worst: float
    tipping_point: float | None


def shown_losses(rows: Iterable[LostOutcomes], scale: float) -> tuple[ShownLosses, ...]:
    """Return what may be shown of lost outcomes.

    Parameters
    ----------
    scale
        Length of the target's scale, points.
    """
    kept = list(rows)
    smallest: dict[str, int] = defaultdict(lambda: MINIMUM_SHOWN)
    for row in kept:
        smallest[row.axis] = min(smallest[row.axis], row.people)
    return tuple(
        ShownLosses(
            axis=row.axis, group=row.group, lost=_rounded(row.lost),
            withdrew=_rounded(row.withdrew), died=_rounded(row.died),
            missed=_rounded(row.missed), traced=_rounded(row.traced),
            missing=_rounded(row.not_stood_for), weighted_shift=_shift(row),
            smallest_chance=None
            if row.smallest_chance is None
            else _rounded(row.smallest_chance),
            worst=float(round(scale * _rounded(row.not_stood_for))),
            tipping_point=None if row.tipping_point is None else float(round(row.tipping_point)),
        )
        for row in kept
        if smallest[row.axis] >= MINIMUM_SHOWN
    )  # fmt: skip


def _rounded(share: float) -> float:
    return round(STEP * round(share / STEP), 2)


def _shift(row: LostOutcomes) -> float | None:
    if row.error is None or row.weighted_error is None:
        return None
    return round(2 * (row.weighted_error - row.error)) / 2
