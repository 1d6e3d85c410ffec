"""Which columns of a sequence batch a network reads, and where."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.sequences import Layout
from contracts.task import Task
from features.sequences import TIME_SINCE_ONSET

THERAPY = "REHABCAST//THERAPY"
"""Channel of the dose: minutes of therapy a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Which channels a network reads.

    Parameters
    ----------
    series
        Channels of each modality.
    person, days
        Number of person covariates, and days of the past.
    target, dose
        Channel of the target, and of the minutes of therapy where there is one.
    anchor
        Place of the target's modality among the embeddings.
    low, high
        Ends of the scale.
    worst, best
        The same in the order of recovery: where lower is better, `best` is `low`.
    """

    series: tuple[tuple[int, ...], ...]
    person: int
    days: int
    target: int
    dose: int | None
    anchor: int
    low: float
    high: float
    worst: float
    best: float

    @property
    def therapy(self) -> int | None:
        """Place of the dose's modality among the embeddings."""
        places = [place for place, columns in enumerate(self.series) if self.dose in columns]
        return self.modalities - len(self.series) + places[0] if places else None

    @property
    def channels(self) -> int:
        """All channels together."""
        return sum(len(columns) for columns in self.series)

    @property
    def modalities(self) -> int:
        """Time since onset, the person where anything is known, and the series."""
        return 1 + (self.person > 0) + len(self.series)


def inputs_of(layout: Layout, task: Task) -> Inputs:
    """Return what a network for this layout and task reads."""
    modalities = modalities_of(layout)
    target = layout.channels_C.index(task.target.code)
    return Inputs(
        series=tuple(
            tuple(c for c, name in enumerate(layout.modality_C) if name == modality)
            for modality in dict.fromkeys(layout.modality_C)
        ),
        person=len(layout.person_S),
        days=task.inputs.past_days,
        target=target,
        dose=layout.channels_C.index(THERAPY) if THERAPY in layout.channels_C else None,
        anchor=modalities.index(layout.modality_C[target]),
        low=task.target.low,
        high=task.target.high,
        worst=task.target.worst,
        best=task.target.best,
    )


def modalities_of(layout: Layout) -> tuple[str, ...]:
    """Return the modalities of a layout in the order of the network's embeddings."""
    series = tuple(dict.fromkeys(layout.modality_C))
    return (TIME_SINCE_ONSET, *(("person",) if layout.person_S else ()), *series)
