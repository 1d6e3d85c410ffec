"""The same forecasts with and without some inputs: what is left out, and what that costs.

Letters: B pairs, T days of the past, C channels, H horizons, Q quantile levels, N outcomes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts import predictions as columns
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import vocabulary
from features.past.groups import wearable_codes
from training.predictions import prediction_table
from training.scores import losses, paired_difference

KEYS = [columns.SUBJECT, columns.ORIGIN, columns.HORIZON]


def families(task: Task) -> dict[str, tuple[str, ...]]:
    """Return the wearable channels of a task by what they measure."""
    worn, known = wearable_codes(task), vocabulary()
    names = dict.fromkeys(known[code].modality for code in worn)
    return {name: tuple(c for c in worn if known[c].modality == name) for name in names}


def task_without(task: Task, codes: Collection[str]) -> Task:
    """Return the task without some of its daily channels."""
    daily = tuple(code for code in task.inputs.daily if code not in codes)
    return task.model_copy(update={"inputs": task.inputs.model_copy(update={"daily": daily})})


def hidden(batch: SequenceBatch, codes: Collection[str]) -> SequenceBatch:
    """Return the pairs as if some channels had never been measured."""
    hidden_C = np.isin(batch.layout.channels_C, list(codes))
    return shown(batch, ~np.broadcast_to(hidden_C, batch.observed_BTC.shape))


def dropped(batch: SequenceBatch, codes: Collection[str]) -> SequenceBatch:
    """Return the pairs without some channels, as if nobody could have measured them.

    To the best possible forecast this is not the same as `hidden`: a day that was worn, on which
    walking could have been measured and was not, says that nobody walked.
    """
    kept_C = ~np.isin(batch.layout.channels_C, list(codes))
    layout = replace(
        batch.layout,
        channels_C=tuple(np.array(batch.layout.channels_C)[kept_C].tolist()),
        modality_C=tuple(np.array(batch.layout.modality_C)[kept_C].tolist()),
    )
    return replace(
        batch,
        layout=layout,
        values_BTC=batch.values_BTC[..., kept_C],
        observed_BTC=batch.observed_BTC[..., kept_C],
    )


def scored_at_enrolment_only(batch: SequenceBatch, task: Task) -> SequenceBatch:
    """Return the pairs as if nobody had assessed these people after the day of enrolment."""
    day_BT = days_after_enrolment(batch)
    assessed_C = np.isin(batch.layout.channels_C, task.inputs.assessments)
    return shown(batch, ~(assessed_C & (day_BT[..., None] > 0)))


def days_after_enrolment(batch: SequenceBatch) -> NDArray[np.int64]:
    """Return the day of each step of the past, (B, T)."""
    steps = batch.values_BTC.shape[1]
    return np.asarray(batch.origin_day_B[:, None] - np.arange(steps)[::-1])


def shown(batch: SequenceBatch, kept_BTC: NDArray[np.bool_]) -> SequenceBatch:
    """Return the pairs as if only what is kept had been measured."""
    observed_BTC = batch.observed_BTC & kept_BTC
    return replace(
        batch,
        observed_BTC=observed_BTC,
        values_BTC=np.where(observed_BTC, batch.values_BTC, np.float32(0)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What some inputs add to the forecasts of the same people.

    Parameters
    ----------
    where, model, what
        Cohort and day; what forecast; which inputs, and beside which others.
    people, outcomes
        How many were judged.
    crps_without, crps_with, mae_without, mae_with
        Means over the outcomes, score points.
    low, high
        95 % interval of `crps_with - crps_without` (paired bootstrap by person); below 0 the inputs
        help.
    width_without, width_with, holds_without, holds_with
        Mean width of the 80 % range, and the share of outcomes in it.
    width_low, width_high
        95 % interval of the difference of the widths.
    """

    where: str
    model: str
    what: str
    people: int
    outcomes: int
    crps_without: float
    crps_with: float
    low: float
    high: float
    mae_without: float
    mae_with: float
    width_without: float
    width_with: float
    width_low: float
    width_high: float
    holds_without: float
    holds_with: float

    @property
    def percent(self) -> float:
        """The change of the CRPS in per cent of what it is without."""
        return 100 * (self.crps_with / self.crps_without - 1)

    def row(self) -> dict[str, object]:
        """Return it for a table, the widths beside each other."""
        change = self.crps_with - self.crps_without
        return {
            "model": self.model,
            "inputs": self.what,
            "people, outcomes": f"{self.people}, {self.outcomes}",
            "CRPS": f"{self.crps_without:.3g} to {self.crps_with:.3g}",
            "change": f"{change:+.3f} [{self.low:+.3f}, {self.high:+.3f}]",
            "%": f"{self.percent:+.1f}",
            "MAE": f"{self.mae_without:.3g} to {self.mae_with:.3g}",
            "width": f"{self.width_without:.3g} to {self.width_with:.3g}",
            "holds %": f"{100 * self.holds_without:.0f}, {100 * self.holds_with:.0f}",
        }

    def record(self) -> dict[str, object]:
        """Return it for JSON."""
        return {**asdict(self), "percent": self.percent}


def forecasts(batch: SequenceBatch, quantiles_BHQ: NDArray[np.float64], task: Task) -> pd.DataFrame:
    """Return one row for each known outcome, with the quantiles of its forecast."""
    return prediction_table(batch, quantiles_BHQ, task, model="")


def added(
    without: pd.DataFrame, with_them: pd.DataFrame, *, where: str, model: str, what: str
) -> Added:
    """Compare two tables of forecasts of the same outcomes, whose rows may be in any order."""
    first, second = (
        table.set_index(KEYS).sort_index().pipe(lambda t: t.join(losses(t)))
        for table in (without, with_them)
    )
    if not first.index.equals(second.index):
        raise ValueError(f"{where}, {what}: these are not the same outcomes")
    subject_N = first.index.get_level_values(columns.SUBJECT).to_numpy()
    scores = ["crps", "mae", "width_80", "coverage_80"]
    before, after = first[scores].mean(), second[scores].mean()
    better, narrower = (
        paired_difference(second[name].to_numpy(), first[name].to_numpy(), subject_N)
        for name in ("crps", "width_80")
    )
    return Added(
        where=where, model=model, what=what,
        people=len(np.unique(subject_N)), outcomes=len(first),
        crps_without=before["crps"], crps_with=after["crps"], low=better.low, high=better.high,
        mae_without=before["mae"], mae_with=after["mae"],
        width_without=before["width_80"], width_with=after["width_80"],
        width_low=narrower.low, width_high=narrower.high,
        holds_without=before["coverage_80"], holds_with=after["coverage_80"],
    )  # fmt: skip
