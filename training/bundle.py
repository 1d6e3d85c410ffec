"""Writes the model bundle: ONNX graphs, safetensors, JSON and a manifest; no pickle.

The graphs are traced with the TorchScript exporter: for many GRUs it takes a second where the
newer one takes minutes (docs/decisions/0003), and torch is pinned.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from contracts import bundle as names
from contracts.bundle import Manifest
from contracts.digests import file_digest
from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.calibration import Calibration
from training.fit import tensors
from training.models.inputs import modalities_of
from training.models.network import Ensemble
from training.reference import learn_reference

TOLERANCE = 1e-2
"""Largest accepted difference, in score points, between the network and its exported graphs: sums
of log evidence in single precision leave a few thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a bundle rests on; see `contracts.bundle.Manifest`."""

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
    pretrained_on: str = ""


def write_bundle(
    folder: Path,
    ensemble: Ensemble,
    calibration: Calibration,
    sample: SequenceBatch,
    task: Task,
    lineage: Lineage,
    *,
    card: str,
) -> Manifest:
    """Write a bundle into an empty folder and check that its graphs forecast what the network does.

    Parameters
    ----------
    calibration
        Offsets in score points, for everybody and for groups.
    sample
        The training pairs: to trace and check with, and to know strangers by.

    Raises
    ------
    IntegrityError
        The exported graphs differ from the network by more than `TOLERANCE`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    *past, present_BM, _ = tensors(sample)
    embeddings_BME = ensemble.encode(*past)
    _export(
        _Method(ensemble, ensemble.encode),
        tuple(past),
        folder / names.ENCODER_FILE,
        ["values", "observed", "days_since_onset", "origin_day", "person", "person_known"],
        "embeddings",
    )
    _export(
        _Method(ensemble, ensemble.join),
        (embeddings_BME, present_BM),
        folder / names.HEAD_FILE,
        ["embeddings", "present"],
        "quantiles",
    )
    _check(folder, ensemble, past, present_BM)
    reference = learn_reference(sample)
    arrays = {
        names.CALIBRATION: calibration.offsets_HQ,
        names.GROUP_CALIBRATION: calibration.offsets_GHQ,
        names.REFERENCE_MEAN: reference.mean_F,
        names.REFERENCE_COVARIANCE: reference.covariance_FF,
        names.REFERENCE_LIMIT: np.array([reference.limit]),
    }
    save_file(arrays, folder / names.TENSORS_FILE)
    (folder / names.TASK_FILE).write_text(task.model_dump_json(indent=2), "utf-8")
    (folder / names.CARD_FILE).write_text(card, "utf-8")
    return seal(folder, sample, lineage, calibration.groups_G)


def seal(
    folder: Path, sample: SequenceBatch, lineage: Lineage, groups_G: tuple[str, ...] = ()
) -> Manifest:
    """Write the manifest over everything in the folder."""
    layout = sample.layout
    manifest = Manifest(
        files={
            str(path.relative_to(folder)): file_digest(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != names.MANIFEST_FILE
        },
        family=lineage.family,
        modalities=modalities_of(layout),
        channels=layout.channels_C,
        channel_modalities=layout.modality_C,
        person=layout.person_S,
        horizon_days=layout.horizon_days_H,
        calibration_groups=groups_G,
        pretrained_on=lineage.pretrained_on,
        cohort_name=lineage.cohort_name,
        simulated=lineage.simulated,
        data_digest=lineage.data_digest,
        task_digest=lineage.task_digest,
        config_digest=lineage.config_digest,
        code_digest=lineage.code_digest,
        predictions_digest=lineage.predictions_digest,
        seed=lineage.seed,
        subjects=lineage.subjects,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    (folder / names.MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2), "utf-8")
    return manifest


class _Method(nn.Module):
    """One method of the ensemble as the module that the exporter wants."""

    def __init__(self, ensemble: Ensemble, method: Callable[..., Tensor]) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.method = method

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.method(*inputs)


def _export(
    module: nn.Module, inputs: tuple[Tensor, ...], path: Path, given: list[str], output: str
) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # The exporter warns of its age and of GRU batch sizes; `_check` proves the result.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            inputs,
            path,
            dynamo=False,
            input_names=given,
            output_names=[output],
            dynamic_axes={name: {0: "pairs"} for name in (*given, output)},
        )


def _check(folder: Path, ensemble: Ensemble, past: list[Tensor], present_BM: Tensor) -> None:
    """Compare the graphs with the network on another batch size than they were traced with."""
    rows = slice(0, max(1, len(present_BM) // 2))
    encoder, head = (
        onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"])
        for name in (names.ENCODER_FILE, names.HEAD_FILE)
    )
    given = {node.name: x[rows].numpy() for node, x in zip(encoder.get_inputs(), past, strict=True)}
    (embeddings,) = encoder.run(None, given)
    feed = {"embeddings": embeddings, "present": present_BM[rows].numpy()}
    (exported,) = head.run(None, feed)
    with torch.inference_mode():
        inside = ensemble.join(ensemble.encode(*(x[rows] for x in past)), present_BM[rows]).numpy()
    gap = float(np.abs(exported - inside).max())
    if not gap <= TOLERANCE:
        raise IntegrityError(
            f"the exported graphs differ from the network by {gap:.2g} score points"
            f" (at most {TOLERANCE:g}): not registered"
        )
