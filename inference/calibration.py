"""What turns the quantiles of a model's networks into forecasts that claim what they hold.

First they are widened where few similar people were seen (`inference.similar`), then shifted by the
offsets that give the intervals their coverage (`inference.offsets`); the chances of milestones
follow from them (`inference.milestones`). Letters: B pairs, H horizons, Q quantile levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts import bundle as names
from contracts.groups import GroupName
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.milestones import Visits, assessed, chances
from inference.offsets import Offsets, calibrate, learn_offsets
from inference.similar import PeopleSeen, learn_people_seen, similar_others
from inference.visits import learn_visits
from inference.widening import learn_caution, widened

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was learned from forecasts made without the subject.

    Parameters
    ----------
    offsets
        What to add to the quantiles.
    seen
        Whom the model learned from, as counts.
    caution
        How much few of them widen a range (`inference.widening`).
    visits
        How the scores of several visits hang together.
    """

    offsets: Offsets
    seen: PeopleSeen
    caution: float
    visits: Visits

    def quantiles(self, raw_BHQ: Array, batch: SequenceBatch, task: Task) -> Array:
        """Return the forecasts of a batch, (B, H, Q); a batch of one applies to many forecasts."""
        low, high = task.target.low, task.target.high
        similar_BH = self.seen.similar(batch, task)[:, :-1]
        wide_BHQ = widened(raw_BHQ, similar_BH, low, high, self.caution)
        return calibrate(
            wide_BHQ,
            self.offsets.of_pairs(batch.groups_B, batch.days_since_onset_BT[:, -1]),
            low,
            high,
        )

    def chances(
        self, quantiles_BHQ: Array, batch: SequenceBatch, task: Task, *, observed: bool = False
    ) -> dict[str, Array]:
        """Return the chances of the milestones, (B, H) by name; a batch of one applies to many.

        Parameters
        ----------
        observed
            Of the assessments whose outcome is known, to be compared with what came of them;
            otherwise of all that are forecast.
        """
        counted_BH = (
            ~np.isnan(batch.truth_BH)
            if observed
            else self.seen.given(self.seen.similar(batch, task), batch)
        )
        return chances(
            quantiles_BHQ,
            batch.last_score_B,
            task,
            self.visits,
            counted_BH=counted_BH,
            assessed_B=assessed(batch, task),
        )


def read_calibration(
    tensors: Mapping[str, NDArray[Any]], groups_G: tuple[GroupName, ...]
) -> Calibration:
    """Return what a bundle keeps; up to form 5 no offset depends on the time since onset."""
    offsets_HQ = tensors[names.CALIBRATION]
    first, second = tensors.get(names.ONSET_DAYS, np.ones(2))
    return Calibration(
        offsets=Offsets(
            offsets_HQ=offsets_HQ,
            groups_G=groups_G,
            offsets_GHQ=tensors[names.GROUP_CALIBRATION],
            onset_days=(float(first), float(second)),
            late_Q=tensors.get(names.LATE_CALIBRATION, np.zeros(offsets_HQ.shape[-1])),
        ),
        seen=PeopleSeen(
            count_DSKH=tensors[names.PEOPLE_SEEN],
            first_place=int(tensors[names.PEOPLE_SEEN_FROM][0]),
            outcomes_H=tensors[names.OUTCOMES],
        ),
        caution=float(tensors[names.CAUTION][0]),
        visits=Visits(
            correlation=float(tensors[names.VISIT_CORRELATION][0]),
            moved_MH=tensors[names.CHANCES_MOVED],
        ),
    )


def learn_calibration(
    raw_BHQ: Array, batch: SequenceBatch, records: SequenceBatch, task: Task
) -> Calibration:
    """Learn from forecasts of people whom the networks had not seen.

    Parameters
    ----------
    raw_BHQ
        Forecasts of the batch, each by networks without the subject.
    batch
        The pairs that were learned from.
    records
        The same people on all of their days (`features.newest.days_with_score`).
    """
    seen = learn_people_seen(records, batch, task)
    similar_BH = similar_others(records, batch, task)
    low, high = task.target.low, task.target.high
    # What is never given needs no range that holds, and would widen those of the others.
    given_BH = seen.given(similar_BH, batch)
    truth_BH = np.where(given_BH, batch.truth_BH, np.float32(np.nan))
    caution = learn_caution(raw_BHQ, similar_BH[:, :-1], batch, truth_BH, task)
    wide_BHQ = widened(raw_BHQ, similar_BH[:, :-1], low, high, caution)
    days_B = batch.days_since_onset_BT[:, -1]
    offsets = learn_offsets(truth_BH, wide_BHQ, batch.groups_B, days_B, batch.subject_B)
    quantiles_BHQ = calibrate(wide_BHQ, offsets.of_pairs(batch.groups_B, days_B), low, high)
    return Calibration(
        offsets=offsets, seen=seen, caution=caution, visits=learn_visits(quantiles_BHQ, batch, task)
    )
