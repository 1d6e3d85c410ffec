"""Pre-training on a large, usually simulated cohort before the fit on a small real one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.cohort import Cohort
from contracts.errors import ContractError
from contracts.sequences import Layout
from contracts.task import Task
from features.sequences import cohort_sequences
from training.fitting.config import TrainingConfig
from training.fitting.network_fit import Weights, fit_network
from training.split import parts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrained:
    """A network's weights after pre-training, and the cohort that it was pre-trained on.

    Parameters
    ----------
    weights
        Initial weights for a fit, which learns its own normalisation.
    cohort_name, data_digest, simulated, subjects
        The cohort; `simulated` is True if no real person is in it.
    """

    weights: Weights
    cohort_name: str
    data_digest: str
    simulated: bool
    subjects: int

    def __str__(self) -> str:
        label = "SIMULATED " if self.simulated else ""
        return f"{label}{self.cohort_name}, {self.subjects} subjects, digest {self.data_digest}"


def pretrain(
    cohort: Cohort, layout: Layout, task: Task, config: TrainingConfig, *, folder: Path
) -> Pretrained:
    """Fit one network on a cohort, in the layout of another cohort.

    Channels that only this cohort has are left out; those that it lacks remain unobserved.

    Raises
    ------
    ContractError
        No subject of the cohort has a past score and an outcome.
    """
    batch = cohort_sequences(cohort.events, task, layout)
    if len(batch) == 0:
        raise ContractError(
            f"{cohort.provenance.name}: no subject has a score at an origin and one at a horizon"
            f" of {task.name}",
            "pre-train on a cohort that has the target of this task",
        )
    parts = parts_of(batch, cohort.splits, folds=1, held_out_share=0.0, seed=config.seed)
    network = fit_network(
        parts.train, task, config, seed=config.seed, folder=folder, tuning=parts.tuning
    )
    return Pretrained(
        weights=network.state_dict(),
        cohort_name=cohort.provenance.name,
        data_digest=cohort.digest,
        simulated=cohort.provenance.simulated,
        subjects=len(set(parts.train.subject_B.tolist())),
    )
