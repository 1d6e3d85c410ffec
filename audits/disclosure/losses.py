"""What a report shows of lost outcomes: shares only, rounded, and of large groups only.

Counts of those who were lost or died are of few people, and beside the counts of forecasts they
would show who is missing. So there are no counts, shares are to the nearest 5 %, and an attribute
with a group of fewer than 11 people has no line: each could be worked out from the others. Of 12
people with one lost the nearest 5 % would still tell the one, so a share of fewer than 11 people is
not shown, nor what follows from it; and where fewer than 11 were observed, no share is.
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
        Share by cause; the rest was observed. None where it is of fewer than 11 people.
    missing
        Share missing where the traced stand for others; None as above, and then the rest is too.
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
    return tuple(_shown(row, scale) for row in kept if smallest[row.axis] >= MINIMUM_SHOWN)


def _shown(row: LostOutcomes, scale: float) -> ShownLosses:
    causes = (row.lost, row.withdrew, row.died, row.missed, row.traced)
    observed = 1.0 - sum(causes)
    told = not _of_few(observed, row)
    lost, withdrew, died, missed, traced, missing = (
        _rounded(share) if told and not _of_few(share, row) else None
        for share in (*causes, row.not_stood_for)
    )
    # A tipping point and a modelled chance tell the share that they rest on.
    follows = lost is not None and missing is not None
    return ShownLosses(
        axis=row.axis, group=row.group, lost=lost, withdrew=withdrew, died=died, missed=missed,
        traced=traced, missing=missing,
        weighted_shift=_shift(row) if follows else None,
        smallest_chance=_rounded(row.smallest_chance)
        if follows and row.smallest_chance is not None
        else None,
        worst=None if missing is None else float(round(scale * missing)),
        tipping_point=float(round(row.tipping_point))
        if follows and row.tipping_point is not None
        else None,
    )  # fmt: skip


def _of_few(share: float, row: LostOutcomes) -> bool:
    """Return whether a share is of fewer people than may be shown; of nobody it is not."""
    people = share * row.people
    return 1e-9 < people < MINIMUM_SHOWN - 1e-9


def _rounded(share: float) -> float:
    return round(STEP * round(share / STEP), 2)


def _shift(row: LostOutcomes) -> float | None:
    if row.error is None or row.weighted_error is None:
        return None
    return round(2 * (row.weighted_error - row.error)) / 2
