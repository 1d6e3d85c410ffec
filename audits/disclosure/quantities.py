"""What numbers of a report add up over. Letters: D denominators, N rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.disclosure.cells import Cell
from audits.measure.metrics import Metric
from contracts.predictions import REACHED


class Counted(Enum):
    """Which forecasts a metric counts."""

    GIVEN = auto()
    OF_MILESTONE = auto()
    REQUESTED = auto()
    EXPLAINED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What numbers add up over: which forecasts, of which milestone, beside which comparator."""

    counted: Counted = Counted.GIVEN
    milestone: str | None = None
    comparator: str | None = None


ShownCells = Mapping[Quantity, frozenset[Cell]]


def quantity_of(metric: Metric, milestone: str | None, comparator: str | None = None) -> Quantity:
    """Return what a metric adds up over."""
    if metric in {Metric.EXPLANATION_GAP, Metric.EXPLANATION_INSTABILITY}:
        return Quantity(counted=Counted.EXPLAINED, comparator=comparator)
    if metric.of_milestone:
        return Quantity(counted=Counted.OF_MILESTONE, milestone=milestone, comparator=comparator)
    counted = Counted.GIVEN if metric.definition.of_forecasts else Counted.REQUESTED
    return Quantity(counted=counted, comparator=comparator)


def recorded_denominators(rows: pd.DataFrame, quantity: Quantity) -> NDArray[np.bool_]:
    """Return the denominators that no model changes: all rows, and who reached a milestone."""
    denominators = [np.ones(len(rows), dtype=np.bool_)]
    if quantity.milestone is not None:
        reached_N = rows[REACHED + quantity.milestone].to_numpy(dtype=np.bool_)
        denominators += [reached_N, ~reached_N]
    return np.stack(denominators)
