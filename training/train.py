"""The training job: from a cohort and a task to a registered candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import meds
import numpy as np
import pandas as pd

from contracts.bundle import PEOPLE_FILE, PROFILE_FILE
from contracts.cohort import Cohort
from contracts.digests import code_digest, file_digest, record_digest
from contracts.predictions import SUBJECT
from contracts.priors import prior_of
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.newest import days_with_score
from inference.people_at_times import learn_people_at_times
from training.comparators import Better, better_comparators
from training.data_seen import SEEN_FILE, Seen, seal_seen
from training.evidence import COMPARATORS, out_of_fold_table, questions_with, served_days
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import (
    CrossFit,
    FitFolds,
    crossfit,
    fit_sequentially,
    networks_of,
)
from training.fitting.preparation import (
    CohortNote,
    cohort_notes,
    require_enough,
    require_horizon,
    training_parts,
)
from training.fitting.pretrain import pretrain
from training.follow_up import follow_up_table
from training.logged_evidence import log_evidence
from training.models.layers.network import Ensemble
from training.people_seen import sealed_people
from training.predictions import with_clusters
from training.registry.bundle import TrainingProvenance, own_codes, write_bundle
from training.registry.model_card import model_card, model_description, version_description
from training.registry.model_versions import (
    FOLLOW_UP_FILE,
    PREDICTIONS_FILE,
    ModelVersion,
    check_model_name,
    register,
    write_model_file,
)
from training.split import Parts
from training.task import task_digest
from training.tracking import Run, Store, run


def train(
    cohort: Cohort,
    task: Task,
    config: TrainingConfig,
    *,
    model: str,
    store: Store,
    checkpoints: Path,
    pretrain_on: Cohort | None = None,
    people_key: bytes | None = None,
    seen: Seen | None = None,
    facts: Mapping[str, str] | None = None,
    fit_folds: FitFolds = fit_sequentially,
    advance: Callable[[str], None] = lambda _: None,
    tell: Callable[[tuple[CohortNote, ...]], None] = lambda _: None,
    tell_better: Callable[[tuple[Better, ...]], None] = lambda _: None,
) -> ModelVersion:
    """Train, score out of fold beside the comparators, and register a candidate.

    After an interruption, the same call with the same cohort, task, configuration and code resumes
    where it stopped.

    Parameters
    ----------
    checkpoints
        Folder for unfinished fits.
    pretrain_on
        A cohort to pre-train on, usually a large simulated one; it is recorded in the bundle.
    people_key
        Seals into the bundle whom it has seen (`inference.people`); without one nobody can tell
        later whether a cohort is an external one.
    seen
        The cohort's facts and scores under that key (`training.data_seen`), kept with the run.
    facts
        What else is put on record with the run, by name.
    fit_folds
        Fits the networks: in this process, or on a cluster (`training.fitting.ray_cluster`).
    advance
        Called with a short message after each finished step, `steps(config)` times in all.
    tell
        Called before anything is fitted, with what the cohort cannot fill of the task.
    tell_better
        Called at the end with the comparators that did better than the candidate.

    Raises
    ------
    ContractError
        Too few subjects have a past score and an outcome, or too few at every horizon
        (`training.fitting.preparation`); or the model's name cannot be used
        (`training.registry.model_versions.check_model_name`).
    """
    check_model_name(store.client(make=True), model)
    parts = _enough(training_parts(cohort, task, config), cohort, task)
    batch = parts.train
    tell(cohort_notes(batch, task))
    key = {
        "data": cohort.digest,
        "task": task_digest(task),
        "config": config.digest,
        "code": code_digest(),
        "splits": record_digest({str(subject): fold for subject, fold in parts.fold_of.items()}),
        "pretraining": "" if pretrain_on is None else pretrain_on.digest,
    }
    tags = _tags(cohort, task, config)
    inputs = record_digest({**key, "model": model})
    with (
        run(store, name=f"train {model}", tags=tags, inputs_digest=inputs) as opened,
        TemporaryDirectory() as temporary,
    ):
        opened.log_cohort(cohort, "training")
        digests = {f"{name}_digest": digest for name, digest in key.items()}
        opened.log_params({**asdict(config), **digests, **(facts or {})})
        unfinished = checkpoints / record_digest(key)[:16]
        pretrained = None
        if pretrain_on is not None:
            opened.log_cohort(pretrain_on, "pre-training")
            pretrained = pretrain(
                pretrain_on, batch.layout, task, config, folder=unfinished / "pretraining"
            )
        people = cohort.events[cohort.events[SUBJECT].isin(batch.subject_B)]
        records = days_with_score(people, task, batch.layout)
        fitted = crossfit(
            batch,
            task,
            config,
            folder=unfinished,
            records=records,
            start=None if pretrained is None else pretrained.weights,
            tuning=parts.tuning,
            fit_folds=fit_folds,
            advance=lambda: advance("network"),
        )
        table = out_of_fold_table(batch, records, task, config, fitted, advance)
        folder = Path(temporary)
        asked = questions_with(table, cohort, batch, records, task, config)
        with_clusters(asked, cohort, task).to_parquet(folder / PREDICTIONS_FILE, index=False)
        followed = follow_up_table(cohort, task, config, parts, table, served_days(fitted, task))
        followed.to_parquet(folder / FOLLOW_UP_FILE, index=False)
        provenance = TrainingProvenance(
            family=config.architecture,
            cohort_name=cohort.provenance.name,
            simulated=cohort.provenance.simulated,
            data_digest=key["data"],
            task_digest=key["task"],
            config_digest=key["config"],
            code_digest=key["code"],
            predictions_digest=file_digest(folder / PREDICTIONS_FILE),
            follow_up_digest=file_digest(folder / FOLLOW_UP_FILE),
            seed=config.seed,
            subjects=len(np.unique(batch.subject_B)),
            judging=fitted.judging,
            pretrained_on="" if pretrained is None else str(pretrained),
            prior=tags.get("prior"),
        )
        log_evidence(opened, folder, table, parts, task, fitted, provenance)
        bundle = folder / "bundle"
        write_model_file(bundle, run_id=opened.run_id)
        if people_key is not None:
            (bundle / PEOPLE_FILE).write_bytes(
                sealed_people(cohort, parts, pretrain_on, people_key)
            )
            _log_seen(opened, folder / SEEN_FILE, seen, people_key)
        _write_bundle(bundle, fitted, batch, records, people, table, task, provenance)
        better = better_comparators(table)
        tell_better(better)
        version = register(
            opened,
            bundle,
            name=model,
            tags={**tags, **({"better_comparator": better[0].model} if better else {})},
            description=(description := version_description(task, provenance, table, better)),
            of_all=model_description(task),
        )
        opened.describe(f"train {version}", description)
        advance("bundle")
    return version


def _enough(parts: Parts, cohort: Cohort, task: Task) -> Parts:
    """Return the parts if there are people and outcomes enough in them to train on."""
    declared = (cohort.splits.get(subject, meds.train_split) for subject in parts.fold_of)
    require_enough(sum(split == meds.train_split for split in declared))
    require_horizon(parts.train, task)
    return parts


def _write_bundle(
    folder: Path,
    fitted: CrossFit,
    batch: SequenceBatch,
    records: SequenceBatch,
    people: pd.DataFrame,
    table: pd.DataFrame,
    task: Task,
    provenance: TrainingProvenance,
) -> None:
    """Write what is served, with its card and what the codes mean that it is about."""
    at_times = learn_people_at_times(people)
    (folder / PROFILE_FILE).write_text(at_times.model_dump_json(), "utf-8")
    codes = own_codes(task, at_times)
    write_bundle(
        folder,
        Ensemble(fitted.served),
        fitted.calibration,
        batch,
        task,
        provenance,
        card=model_card(table, task, provenance, codes),
        records=records,
        codes=codes,
        by_people_H=fitted.by_people_H,
    )


def steps(config: TrainingConfig) -> int:
    """Return how many steps `train` reports."""
    return networks_of(config) + len(COMPARATORS) + 1


def _tags(cohort: Cohort, task: Task, config: TrainingConfig) -> dict[str, str]:
    """Return what a run, and the version that it registers, can be found by."""
    prior = prior_of(config.architecture, task.prior)
    return {
        "task": task.name,
        "cohort": cohort.provenance.name,
        "simulated": str(cohort.provenance.simulated),
        **({} if prior is None else {"prior": prior.name}),
    }


def _log_seen(opened: Run, file: Path, seen: Seen | None, people_key: bytes) -> None:
    if seen is not None:
        file.write_bytes(seal_seen(seen, people_key))
        opened.log_file(file)
