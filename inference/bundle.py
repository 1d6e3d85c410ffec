"""Loads a model bundle after checking every byte; nothing in it is ever unpickled.

Letters: B pairs, M modalities, E width of all members' embeddings, H horizons, Q quantile levels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.numpy import load

from contracts import bundle as names
from contracts.bundle import Manifest
from contracts.declarations import mistakes
from contracts.errors import IntegrityError
from contracts.naming.formats import name_of, require_known_form
from contracts.sequences import Layout, SequenceBatch
from contracts.task import Task
from contracts.vocabulary import NOTHING, Additions
from contracts.vocabulary.sealed import learn_sealed, sealed_codes
from features.sequences import present_modalities
from inference.calibration import Calibration, read_calibration
from inference.out_of_distribution import ReferenceDistribution, read_reference
from inference.people_at_times import PeopleAtTimes, read_people_at_times
from inference.readings import covering_both
from inference.twin.courses import CoursesSeen, read_courses_seen
from inference.twin.support import DosesSeen, read_doses_seen

RESTORE = "restore the bundle from a backup; do not serve this one"
"""What to do about files that are not what was sealed."""

PAIRS_AT_ONCE = 32
"""What is computed of so many pairs stays in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle in memory.

    Parameters
    ----------
    manifest, digest
        What the bundle consists of, and the SHA-256 of the manifest's bytes.
    task, layout
        What it forecasts, and the axes of its inputs.
    calibration
        What turns the graphs' quantiles into a forecast.
    reference
        Distribution of the features of the training people on all their days.
    encoder, head, coalitions
        ONNX Runtime sessions of the graphs (`contracts.bundle`).
    people, people_at_times
        Whom it has seen, sealed (`inference.people`), and how they stood at each time since onset;
        None in bundles of earlier versions.
    codes
        What those of its codes mean that rehabcast does not ship.
    curves, doses, courses, by_people_H
        The graph of a forecast's curves, which doses of therapy people had, and over the weeks that
        followed, and what more people would settle; None in earlier bundles and other families.
    """

    manifest: Manifest
    digest: str
    task: Task
    layout: Layout
    calibration: Calibration
    reference: ReferenceDistribution
    encoder: onnxruntime.InferenceSession
    head: onnxruntime.InferenceSession
    coalitions: onnxruntime.InferenceSession
    people: bytes | None = None
    people_at_times: PeopleAtTimes | None = None
    codes: Additions = NOTHING
    curves: onnxruntime.InferenceSession | None = None
    doses: DosesSeen | None = None
    courses: CoursesSeen | None = None
    by_people_H: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleDescription:
    """What a verified bundle of any form says of itself, as far as comparing versions needs it.

    Parameters
    ----------
    manifest, digest, task
        As of `Bundle`.
    """

    manifest: Manifest
    digest: str
    task: Task


def verify_bundle(folder: Path) -> str:
    """Check every file of a bundle against its manifest; return the bundle's digest.

    Raises
    ------
    IntegrityError
        A file is missing, changed or extra, is a link, or the manifest can't be read.
    """
    return _verified(folder)[2]


def describe_bundle(folder: Path) -> BundleDescription:
    """Read what a bundle says of itself, also one of an earlier form, from the verified bytes.

    Raises
    ------
    IntegrityError
        As `verify_bundle`, or its task makes no sense.
    """
    manifest, contents, digest = _verified(folder)
    own = _task(folder, contents[names.TASK_FILE])
    return BundleDescription(manifest=manifest, digest=digest, task=own)


def load_bundle(folder: Path, *, expected_digest: str) -> Bundle:
    """Load a bundle from the same bytes that were verified.

    Raises
    ------
    IntegrityError
        As `verify_bundle`, or the digest is not the expected one, its task makes no sense, it is
        of an earlier form, which gives no forecast, or this process knows one of its codes with
        another meaning.
    """
    manifest, contents, digest = _verified(folder)
    if digest != expected_digest:
        raise IntegrityError(
            f"{folder}: the bundle is {digest[:12]}, but {expected_digest[:12]} was audited and"
            " promoted",
            "restore the audited bundle, or audit and promote this one",
        )
    if manifest.format == name_of("bundle", 1):
        raise IntegrityError(
            f"{folder}: the bundle was made by an earlier version and does not tell how many people"
            " stand behind its forecasts",
            "train and audit again",
        )
    learn_sealed(folder, codes := sealed_codes(folder, contents))
    tensors = load(contents[names.TENSORS_FILE])
    return Bundle(
        manifest=manifest, digest=digest, task=_task(folder, contents[names.TASK_FILE]),
        layout=Layout(
            channels_C=manifest.channels, modality_C=manifest.channel_modalities,
            person_S=manifest.person, horizon_days_H=manifest.horizon_days,
        ),
        calibration=read_calibration(tensors, manifest.calibration_groups),
        reference=read_reference(tensors),
        encoder=_session(contents[names.ENCODER_FILE]), head=_session(contents[names.HEAD_FILE]),
        coalitions=_session(contents[names.COALITIONS_FILE]),
        people_at_times=read_people_at_times(contents.get(names.PROFILE_FILE)), codes=codes,
        curves=_session(graph) if (graph := contents.get(names.CURVES_FILE)) else None,
        doses=read_doses_seen(tensors, manifest.channels), courses=read_courses_seen(tensors),
        by_people_H=tensors.get(names.BY_PEOPLE), people=contents.get(names.PEOPLE_FILE),
    )  # fmt: skip


def _task(folder: Path, text: bytes) -> Task:
    """Read a bundle's task; earlier versions let tasks pass that left groups out of the audit."""
    try:
        return Task.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(mistakes(error, Task))
        raise IntegrityError(
            f"{folder}: its task makes no sense, so its audit does not hold: {faults}",
            "correct the task file, then train and audit again",
        ) from error


def embed(bundle: Bundle, batch: SequenceBatch) -> NDArray[np.float32]:
    """Encode the past of each pair, (B, M, E)."""
    inputs = {
        "values": batch.values_BTC, "observed": batch.observed_BTC,
        "days_since_onset": batch.days_since_onset_BT, "origin_day": batch.origin_day_B,
        "person": batch.person_BS, "person_known": batch.person_known_BS,
    }  # fmt: skip
    # A graph takes only the inputs that its model uses.
    feed = {n.name: inputs[n.name].astype(np.float32) for n in bundle.encoder.get_inputs()}
    return np.asarray(bundle.encoder.run(None, feed)[0], dtype=np.float32)


def run_head(
    bundle: Bundle, embeddings_BME: NDArray[np.float32], present_BM: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Forecast from embeddings and present modalities, before calibration: quantiles (B, H, Q).

    The median is final: calibration never changes it.
    """
    feed = {"embeddings": embeddings_BME, "present": present_BM.astype(np.float32)}
    return np.asarray(bundle.head.run(None, feed)[0], dtype=np.float64)


def coalition_medians(
    bundle: Bundle, embeddings_VME: NDArray[np.float32], visible_KVM: NDArray[np.float32],
    horizon: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Forecast from what each of many coalitions of one pair knows: final medians (K,).

    The coalitions agree on the modalities that are not split (`contracts.bundle`).
    """
    feed = {"embeddings": embeddings_VME, "shown": visible_KVM}
    # Graphs of earlier versions return all horizons, for as many times the work.
    if takes_horizon := any(node.name == "horizon" for node in bundle.coalitions.get_inputs()):
        feed["horizon"] = np.array([horizon], dtype=np.int64)
    medians = bundle.coalitions.run(None, feed)[0]
    return np.asarray(medians[:, 0 if takes_horizon else horizon], dtype=np.float64)


def forecast_batch(bundle: Bundle, batch: SequenceBatch) -> NDArray[np.float64]:
    """Forecast each pair of a batch: calibrated quantiles (B, H, Q)."""
    return calibrated(bundle, _raw(bundle, batch), batch)


def calibrated(
    bundle: Bundle, raw_BHQ: NDArray[np.float64], batch: SequenceBatch
) -> NDArray[np.float64]:
    """Calibrate what the head says of a batch, (B, H, Q); a batch of one applies to many."""
    both_BHQ = covering_both(raw_BHQ, batch, bundle.task, partial(_raw, bundle))
    return bundle.calibration.quantiles(both_BHQ, batch, bundle.task)


def _raw(bundle: Bundle, batch: SequenceBatch) -> NDArray[np.float64]:
    if len(batch) > PAIRS_AT_ONCE:
        parts = np.split(np.arange(len(batch)), range(PAIRS_AT_ONCE, len(batch), PAIRS_AT_ONCE))
        return np.concatenate([_raw(bundle, batch.take(rows)) for rows in parts])
    present_BM = present_modalities(batch, bundle.manifest.modalities)
    return run_head(bundle, embed(bundle, batch), present_BM)


def _verified(folder: Path) -> tuple[Manifest, dict[str, bytes], str]:
    file = folder / names.MANIFEST_FILE
    try:
        written = file.read_bytes()
        require_known_form(written, "bundle", str(file), IntegrityError)
        manifest = Manifest.model_validate_json(written)
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"{file}: no readable manifest", "restore the bundle from a backup, or train again"
        ) from error
    files = {
        str(path.relative_to(folder)): path
        for path in folder.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }
    files.pop(names.MANIFEST_FILE)
    if (note := files.get(names.REGISTRY_NOTE)) is not None and not note.is_symlink():
        del files[names.REGISTRY_NOTE]
    if unmatched := set(files) ^ set(manifest.files):
        raise IntegrityError(
            f"{folder}: missing or not in the manifest: {', '.join(sorted(unmatched))}", RESTORE
        )
    if links := [name for name, path in files.items() if path.is_symlink()]:
        linked = ", ".join(sorted(links))
        raise IntegrityError(f"{folder}: a link instead of a file: {linked}", RESTORE)
    contents = {name: path.read_bytes() for name, path in files.items()}
    for name, digest in manifest.files.items():
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            raise IntegrityError(f"{folder / name}: changed since the bundle was sealed", RESTORE)
    return manifest, contents, hashlib.sha256(written).hexdigest()


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One thread: the same output on any machine, and no competition for cores with other requests.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
