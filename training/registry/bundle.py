"""Writes the model bundle: ONNX graphs, safetensors, JSON and a manifest; no pickle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from contracts import bundle as names
from contracts.bundle import Judging, Manifest
from contracts.digests import file_digest
from contracts.groups import GroupName
from contracts.naming.formats import name_of
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import NOTHING, Additions, added_among
from contracts.vocabulary.additions import as_toml
from inference.calibration import Calibration
from inference.out_of_distribution import fit_reference
from inference.people_at_times import PeopleAtTimes
from inference.twin.courses import learn_courses_seen
from inference.twin.support import learn_doses_seen
from training.models.layers.input_columns import modalities_of
from training.models.layers.network import Ensemble
from training.registry.onnx_export import export_graphs


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProvenance:
    """How a model was trained, for its manifest and card; see `contracts.bundle.Manifest`."""

    family: str
    cohort_name: str
    simulated: bool
    data_digest: str
    task_digest: str
    config_digest: str
    code_digest: str
    predictions_digest: str
    seed: int
    subjects: int
    judging: Judging | None = None
    pretrained_on: str = ""
    follow_up_digest: str | None = None
    prior: str | None = None


def write_bundle(
    folder: Path,
    ensemble: Ensemble,
    calibration: Calibration,
    sample: SequenceBatch,
    task: Task,
    provenance: TrainingProvenance,
    *,
    card: str,
    records: SequenceBatch | None = None,
    codes: Additions = NOTHING,
    by_people_H: NDArray[np.float64] | None = None,
) -> Manifest:
    """Write a bundle into an empty folder and check that its graphs agree with the network.

    Parameters
    ----------
    calibration
        As learned from the out-of-fold forecasts.
    sample
        The training pairs: to trace and check with.
    records
        The same people on all of their days, to say what is out of distribution; None: on those
        of the sample.
    codes
        What those codes mean that the model is about and rehabcast does not ship.
    by_people_H
        As of the cross-fit; None where it was not measured.

    Raises
    ------
    IntegrityError
        The exported graphs differ from the network (`training.registry.onnx_export`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    export_graphs(folder, ensemble, sample)
    reference = fit_reference(sample if records is None else records)
    arrays: dict[str, NDArray[Any]] = {
        names.CALIBRATION: calibration.offsets.offsets_HQ,
        names.GROUP_CALIBRATION: calibration.offsets.offsets_GHQ,
        names.LATE_CALIBRATION: calibration.offsets.late_Q,
        names.ONSET_DAYS: np.array(calibration.offsets.onset_days),
        names.PEOPLE_SEEN: calibration.seen.count_DSKH,
        names.PEOPLE_SEEN_FROM: np.array([calibration.seen.first_place]),
        names.CAUTION: np.array([calibration.caution]),
        names.OUTCOMES: calibration.seen.outcomes_H,
        names.VISIT_CORRELATION: np.array([calibration.visits.correlation]),
        names.CHANCES_MOVED: calibration.visits.moved_MH,
        names.REFERENCE_MEAN: reference.mean_F,
        names.REFERENCE_COVARIANCE: reference.covariance_FF,
        names.REFERENCE_LIMIT: np.array([reference.limit]),
    }
    if (doses := learn_doses_seen(sample if records is None else records, task)) is not None:
        arrays[names.DOSES_SEEN] = doses.count_KDSE
        arrays[names.DOSES_SEEN_FROM] = np.array([doses.first_place])
    if by_people_H is not None:
        arrays[names.BY_PEOPLE] = by_people_H
    if (courses := learn_courses_seen(sample if records is None else records, task)) is not None:
        arrays[names.COURSES_SEEN] = courses.count_WDSE
        arrays[names.COURSES_SEEN_FROM] = np.array([courses.first_place])
    save_file(arrays, folder / names.TENSORS_FILE)
    (folder / names.TASK_FILE).write_text(task.model_dump_json(indent=2), "utf-8")
    (folder / names.CARD_FILE).write_text(card, "utf-8")
    if codes.codes:
        (folder / names.CODES_FILE).write_text(as_toml(codes), "utf-8")
    return write_manifest(folder, sample, provenance, calibration.offsets.groups_G)


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


def write_manifest(
    folder: Path,
    sample: SequenceBatch,
    provenance: TrainingProvenance,
    groups_G: tuple[GroupName, ...] = (),
) -> Manifest:
    """Write the manifest over everything in the folder."""
    layout = sample.layout
    files = {
        str(path.relative_to(folder)): file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != names.MANIFEST_FILE
    }
    manifest = Manifest(
        format=name_of("bundle"),
        files=files,
        family=provenance.family,
        modalities=modalities_of(layout),
        channels=layout.channels_C,
        channel_modalities=layout.modality_C,
        person=layout.person_S,
        horizon_days=layout.horizon_days_H,
        calibration_groups=groups_G,
        judging=provenance.judging,
        pretrained_on=provenance.pretrained_on,
        prior=provenance.prior,
        cohort_name=provenance.cohort_name,
        simulated=provenance.simulated,
        data_digest=provenance.data_digest,
        task_digest=provenance.task_digest,
        config_digest=provenance.config_digest,
        code_digest=provenance.code_digest,
        predictions_digest=provenance.predictions_digest,
        follow_up_digest=provenance.follow_up_digest,
        seed=provenance.seed,
        subjects=provenance.subjects,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    (folder / names.MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2), "utf-8")
    return manifest
