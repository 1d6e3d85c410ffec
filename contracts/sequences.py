"""The sequence batch: many subjects' observed past as arrays. Nothing is imputed.

Letters: B subject-origin pairs, T days of the past (the last is the origin's day), C channels,
S person covariates, H horizons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonCovariate:
    """One input about the person: a number, or whether a code has a certain label.

    Parameters
    ----------
    code
        Code of the vocabulary.
    label
        The label that is 1 where the person has it, 0 where another; None for a number.
    """

    code: str
    label: str | None = None

    @property
    def name(self) -> str:
        """The code, or `code=label`, for people."""
        return self.code if self.label is None else f"{self.code}={self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Names along the axes of a sequence batch, the same for every subject of a task.

    Parameters
    ----------
    channels_C, modality_C
        Codes of the daily and assessment channels, and the modality of each.
    person_S
        The person covariates.
    horizon_days_H
        Horizons, days after enrolment.
    """

    channels_C: tuple[str, ...]
    modality_C: tuple[str, ...]
    person_S: tuple[PersonCovariate, ...]
    horizon_days_H: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceBatch:
    """Past, person, and where known the outcomes of B subject-origin pairs.

    Parameters
    ----------
    layout
        Names along the axes.
    values_BTC, observed_BTC
        Values in the vocabulary's units, 0 where not observed; True where observed.
    days_since_onset_BT
        Days since onset of each day of the past.
    person_BS, person_known_BS
        Person covariates, 0 where not recorded; True where recorded.
    subject_B, origin_day_B
        Subject, and days from enrolment to the forecast's origin.
    last_score_B
        Target score last observed up to the origin; where there is none, the one that the task
        assumes, or NaN.
    truth_BH
        Target score observed in each horizon's window; NaN where none, or not after the origin.
    groups_B
        One row per pair and one column per sensitive attribute, as labels.
    """

    layout: Layout
    values_BTC: NDArray[np.float32]
    observed_BTC: NDArray[np.bool_]
    days_since_onset_BT: NDArray[np.float32]
    person_BS: NDArray[np.float32]
    person_known_BS: NDArray[np.bool_]
    subject_B: NDArray[np.int64]
    origin_day_B: NDArray[np.int64]
    last_score_B: NDArray[np.float32]
    truth_BH: NDArray[np.float32]
    groups_B: pd.DataFrame

    def __len__(self) -> int:
        return len(self.subject_B)

    def days_since_observed_BTC(self) -> NDArray[np.float32]:
        """Return for each day and channel how many days ago it was last observed.

        It is computed and not stored: code that hides a part of the mask (training, explanations)
        changes it together with the mask, and the two can't disagree.

        Returns
        -------
        (B, T, C): 0 on a day that was observed, then counting on; NaN before the first observation.
        """
        days = self.observed_BTC.shape[1]
        day_T1 = np.arange(days, dtype=np.int32)[:, None]
        last_BTC = np.maximum.accumulate(np.where(self.observed_BTC, day_T1, -1), axis=1)
        return np.where(last_BTC < 0, np.float32(np.nan), (day_T1 - last_BTC).astype(np.float32))

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> SequenceBatch:
        """Return the pairs at `rows` (indices, or a mask of shape (B,))."""
        return SequenceBatch(
            layout=self.layout,
            values_BTC=self.values_BTC[rows],
            observed_BTC=self.observed_BTC[rows],
            days_since_onset_BT=self.days_since_onset_BT[rows],
            person_BS=self.person_BS[rows],
            person_known_BS=self.person_known_BS[rows],
            subject_B=self.subject_B[rows],
            origin_day_B=self.origin_day_B[rows],
            last_score_B=self.last_score_B[rows],
            truth_BH=self.truth_BH[rows],
            groups_B=self.groups_B.loc[self.groups_B.index[rows]].reset_index(drop=True),
        )
