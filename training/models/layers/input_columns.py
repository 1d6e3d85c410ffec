"""Which columns of a sequence batch a network reads."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.sequences import Layout
from contracts.task import Task
from contracts.therapy import THERAPY
from features.sequences import TIME_SINCE_ONSET
from training.models.layers.bounded_distribution import cells_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumns:
    """Which columns a network reads.

    Parameters
    ----------
    modality_channels
        Indices of the channels of each modality that changes by day.
    covariates, days
        Number of person covariates, and of days of the past.
    target, dose
        Index of the target's channel, and of the therapy dose's where there is one.
    target_modality
        Index of the target's modality among the embeddings.
    low, high
        Ends of the scale.
    worst, best
        The same in the order of recovery: where lower is better, `best` is `low`.
    cells
        Of the grid that a distribution over the scale is computed on (`bounded_distribution`).
    """

    modality_channels: tuple[tuple[int, ...], ...]
    covariates: int
    days: int
    target: int
    dose: int | None
    target_modality: int
    low: float
    high: float
    worst: float
    best: float
    cells: int

    @property
    def dose_modality(self) -> int | None:
        """Index of the dose's modality among the embeddings; None without a dose."""
        first = self.modalities - len(self.modality_channels)
        for modality, channels in enumerate(self.modality_channels, first):
            if self.dose in channels:
                return modality
        return None

    @property
    def channels(self) -> int:
        """Number of channels of all modalities."""
        return sum(len(channels) for channels in self.modality_channels)

    @property
    def modalities(self) -> int:
        """Number of modalities: time since onset, the person if any covariate, those by day."""
        return 1 + (self.covariates > 0) + len(self.modality_channels)


def input_columns(layout: Layout, task: Task) -> InputColumns:
    """Return the columns that a network for this layout and task reads."""
    modalities = modalities_of(layout)
    target = layout.channels_C.index(task.target.code)
    return InputColumns(
        modality_channels=tuple(
            tuple(c for c, name in enumerate(layout.modality_C) if name == modality)
            for modality in dict.fromkeys(layout.modality_C)
        ),
        covariates=len(layout.person_S),
        days=task.inputs.past_days,
        target=target,
        dose=layout.channels_C.index(THERAPY) if THERAPY in layout.channels_C else None,
        target_modality=modalities.index(layout.modality_C[target]),
        low=task.target.low,
        high=task.target.high,
        worst=task.target.worst,
        best=task.target.best,
        cells=cells_of(task.target),
    )


def modalities_of(layout: Layout) -> tuple[str, ...]:
    """Return the modalities of a layout in the order of the network's embeddings."""
    series = tuple(dict.fromkeys(layout.modality_C))
    return (TIME_SINCE_ONSET, *(("person",) if layout.person_S else ()), *series)
