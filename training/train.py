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
from contracts.groups import MINIMUM_SHOWN
from contracts.predictions import CANDIDATE, MODEL, REFUSED, SUBJECT
from contracts.priors import prior_of
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import Additions, added_among
from features.newest import days_with_score
from inference.people_at_times import PeopleAtTimes, learn_people_at_times
from training.comparison.figures import (
    calibration_figure,
    error_figure,
    pit_figure,
    reliability_figure,
)
from training.data_seen import SEEN_FILE, Seen, seal_seen
from training.evidence import COMPARATORS, out_of_fold_table, questions_with, served_days
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import (
    CrossFit,
    FitFolds,
    crossfit,
    ensemble_quantiles,
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
from training.models.layers.network import Ensemble
from training.people_seen import sealed_people
from training.predictions import prediction_table, with_clusters
from training.registry.bundle import TrainingProvenance, write_bundle
from training.registry.model_card import model_card
from training.registry.model_versions import (
    FOLLOW_UP_FILE,
    PREDICTIONS_FILE,
    SPLITS_FILE,
    ModelVersion,
    check_model_name,
    register,
    write_model_file,
)
from training.scores import losses
from training.split import Parts, split_name
from training.task import task_digest
from training.tracking import Run, Store, run

FIGURES = ("calibration.png", "error-by-horizon.png", "pit.png", "reliability.png")


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

    Raises
    ------
    ContractError
        Too few subjects have a past score and an outcome, or too few at every horizon
        (`training.fitting.preparation`); or the model's name cannot be used
        (`training.registry.model_versions.check_model_name`).
    """
    check_model_name(store.client(make=True), model)
    parts = training_parts(cohort, task, config)
    batch = parts.train
    declared = (cohort.splits.get(subject, meds.train_split) for subject in parts.fold_of)
    require_enough(sum(split == meds.train_split for split in declared))
    require_horizon(batch, task)
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
    with run(store, name=f"train {model}", tags=tags) as opened, TemporaryDirectory() as temporary:
        opened.log_params({**asdict(config), **{f"{name}_digest": key[name] for name in key}})
        opened.log_params(dict(facts or {}))
        unfinished = checkpoints / record_digest(key)[:16]
        pretrained = (
            None
            if pretrain_on is None
            else pretrain(
                pretrain_on, batch.layout, task, config, folder=unfinished / "pretraining"
            )
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
        asked = with_clusters(
            questions_with(table, cohort, batch, records, task, config), cohort, task
        )
        asked.to_parquet(folder / PREDICTIONS_FILE, index=False)
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
        _log_evidence(opened, folder, table, parts, task, fitted, provenance)
        bundle = folder / "bundle"
        write_model_file(bundle, run_id=opened.run_id)
        if people_key is not None:
            (bundle / PEOPLE_FILE).write_bytes(
                sealed_people(cohort, parts, pretrain_on, people_key)
            )
            _log_seen(opened, folder / SEEN_FILE, seen, people_key)
        at_times = learn_people_at_times(people)
        (bundle / PROFILE_FILE).write_text(at_times.model_dump_json(), "utf-8")
        ensemble = Ensemble(fitted.members)
        codes = own_codes(task, at_times)
        card = model_card(table, task, provenance, codes)
        write_bundle(
            bundle, ensemble, fitted.calibration, batch, task, provenance,
            card=card, records=records, codes=codes,
        )  # fmt: skip
        version = register(opened, bundle, name=model, tags=tags)
        advance("bundle")
    return version


def steps(config: TrainingConfig) -> int:
    """Return how many steps `train` reports."""
    return networks_of(config) + len(COMPARATORS) + 1


def _tags(cohort: Cohort, task: Task, config: TrainingConfig) -> dict[str, str]:
    """Return what a run, and the version that it registers, can be found by."""
    prior = prior_of(config.architecture, task.prior)
    return {
        "cohort": cohort.provenance.name,
        "simulated": str(cohort.provenance.simulated),
        **({} if prior is None else {"prior": prior.name}),
    }


def own_codes(task: Task, at_times: PeopleAtTimes) -> Additions:
    """Return what the codes mean that a bundle is about and rehabcast does not ship.

    They are those of the task, and those whose quartiles the bundle holds, which are of enough
    people to be told.
    """
    inputs = task.inputs
    named = {
        task.target.code, *inputs.assessments, *inputs.daily, *inputs.person,
        *(attribute.code for attribute in task.sensitive),
        *(cluster.code for cluster in task.clusters),
    }  # fmt: skip
    shown = {
        code for code, spans in at_times.codes.items() if any(span is not None for span in spans)
    }
    return added_among(named | shown)


def _log_seen(opened: Run, file: Path, seen: Seen | None, people_key: bytes) -> None:
    if seen is not None:
        file.write_bytes(seal_seen(seen, people_key))
        opened.log_file(file)


def _log_evidence(
    opened: Run,
    folder: Path,
    table: pd.DataFrame,
    parts: Parts,
    task: Task,
    fitted: CrossFit,
    provenance: TrainingProvenance,
) -> None:
    names = [split_name(fold) for fold in parts.fold_of.values()]
    splits = pd.DataFrame({"subject_id": list(parts.fold_of), "split": names})
    splits = splits.sort_values("subject_id")
    splits.to_parquet(folder / SPLITS_FILE, index=False)
    title = "SIMULATED cohort" if provenance.simulated else provenance.cohort_name
    # The report counts no refused forecast: with them, its errors would tell those of the refused.
    given = table[~table[REFUSED].astype("bool")]
    calibration_figure(table, folder / "calibration.png", title=title)
    error_figure(given, folder / "error-by-horizon.png", title=title)
    candidate = table[table[MODEL] == CANDIDATE]
    pit_figure(candidate, folder / "pit.png", title=title)
    reliability_figure(candidate, folder / "reliability.png", title=title)
    for name in (PREDICTIONS_FILE, FOLLOW_UP_FILE, SPLITS_FILE, *FIGURES):
        opened.log_file(folder / name)
    if given[SUBJECT].nunique() >= MINIMUM_SHOWN:
        opened.log_metrics(_metrics(given))
    if len(np.unique(parts.held_out.subject_B)) >= MINIMUM_SHOWN:
        opened.log_metrics(_held_out_metrics(parts.held_out, task, fitted))


def _metrics(table: pd.DataFrame) -> dict[str, float]:
    scored = table.assign(**losses(table))
    means = scored.groupby(MODEL)[["mae", "crps", "coverage_80", "width_80"]].mean()
    return {
        f"out_of_fold/{str(model).replace(' ', '_')}/{name}": float(value)
        for model, row in means.iterrows()
        for name, value in row.items()
    }


def _held_out_metrics(held_out: SequenceBatch, task: Task, fitted: CrossFit) -> dict[str, float]:
    quantiles_BHQ = ensemble_quantiles(held_out, task, fitted)
    scored = losses(prediction_table(held_out, quantiles_BHQ, task, model=CANDIDATE))
    return {f"held_out/{name}": float(value) for name, value in scored.mean().items()}
