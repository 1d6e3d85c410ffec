"""The manifest of a version before it is trained, but for what only its training shows."""

from __future__ import annotations

import hashlib

import numpy as np

from contracts.bundle import CODES_FILE, FORECASTS, Manifest
from contracts.cohort import SUBJECT, Cohort
from contracts.digests import code_digest
from contracts.priors import prior_of
from contracts.task import Task
from contracts.vocabulary.additions import as_toml
from inference.people_at_times import learn_people_at_times
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import judging_of
from training.models.layers.input_columns import modalities_of
from training.registry.bundle import own_codes
from training.split import Parts
from training.task import task_digest


def foreseen(
    before: Manifest,
    cohort: Cohort,
    parts: Parts,
    task: Task,
    config: TrainingConfig,
    *,
    pretrained_on: str,
) -> Manifest:
    """Return a manifest that says of the next version what is known before its training.

    What only training shows (`contracts.changes.difference.SHOWN_BY_TRAINING`) is as before.

    Parameters
    ----------
    before
        The manifest of the version that it follows.
    parts
        The cohort's pairs (`training.fitting.preparation.training_parts`).
    pretrained_on
        What it learns from before, in the words of a manifest; empty without.
    """
    batch, prior = parts.train, prior_of(config.architecture, task.prior)
    layout = batch.layout
    people = cohort.events[cohort.events[SUBJECT].isin(batch.subject_B)]
    codes = own_codes(task, learn_people_at_times(people))
    files = {name: digest for name, digest in before.files.items() if name != CODES_FILE}
    if codes.codes:
        files[CODES_FILE] = hashlib.sha256(as_toml(codes).encode("utf-8")).hexdigest()
    joined = FORECASTS if before.judging is None else before.judging.joined
    return before.model_copy(
        update={
            "files": files,
            "family": config.architecture,
            "modalities": modalities_of(layout),
            "channels": layout.channels_C,
            "channel_modalities": layout.modality_C,
            "person": layout.person_S,
            "horizon_days": layout.horizon_days_H,
            "judging": judging_of(config, joined),
            "pretrained_on": pretrained_on,
            "prior": None if prior is None else prior.name,
            "cohort_name": cohort.provenance.name,
            "simulated": cohort.provenance.simulated,
            "data_digest": cohort.digest,
            "task_digest": task_digest(task),
            "config_digest": config.digest,
            "code_digest": code_digest(),
            "seed": config.seed,
            "subjects": len(np.unique(batch.subject_B)),
        }
    )
