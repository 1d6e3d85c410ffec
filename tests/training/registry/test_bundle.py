from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file

from contracts.bundle import CALIBRATION, MANIFEST_FILE, TENSORS_FILE, Manifest
from contracts.digests import file_digest
from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import CrossFit, crossfit
from training.models.layers.network import Ensemble
from training.registry.bundle import TrainingProvenance, write_bundle

QUICK = TrainingConfig(max_epochs=1, folds=3, hidden=4)
PROVENANCE = TrainingProvenance(
    family="hybrid",
    cohort_name="made up",
    simulated=True,
    data_digest="d",
    task_digest="t",
    config_digest="c",
    code_digest="s",
    predictions_digest="p",
    seed=0,
    subjects=60,
)


@pytest.fixture(scope="module")
def fitted(batch: SequenceBatch, task: Task, tmp_path_factory: pytest.TempPathFactory) -> CrossFit:
    return crossfit(batch, task, QUICK, folder=tmp_path_factory.mktemp("folds"))


def bundled(
    folder: Path, fitted: CrossFit, batch: SequenceBatch, task: Task, ensemble: Ensemble
) -> Manifest:
    return write_bundle(
        folder, ensemble, fitted.calibration, batch, task, PROVENANCE, card="# Card\n"
    )


def test_the_manifest_lists_every_file_and_none_is_a_pickle(
    fitted: CrossFit, batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    manifest = bundled(tmp_path, fitted, batch, task, Ensemble(fitted.served))
    files = {p.name for p in tmp_path.iterdir()} - {MANIFEST_FILE}
    assert set(manifest.files) == files
    for name, digest in manifest.files.items():
        assert file_digest(tmp_path / name) == digest
        # Pickles of protocol 2 and later begin with 0x80, zip archives (torch.save) with PK.
        assert (tmp_path / name).read_bytes()[:2] not in {b"\x80\x02", b"\x80\x04", b"PK"}
    written = Manifest.model_validate_json((tmp_path / MANIFEST_FILE).read_text("utf-8"))
    assert written == manifest
    tensors = load_file(tmp_path / TENSORS_FILE)
    assert tensors[CALIBRATION].shape == fitted.calibration.offsets.offsets_HQ.shape
    assert Task.model_validate(json.loads((tmp_path / "task.json").read_text("utf-8"))) == task


def test_the_same_members_give_the_same_graph_bytes(
    fitted: CrossFit, batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    first, again = (
        bundled(tmp_path / name, fitted, batch, task, Ensemble(fitted.served))
        for name in ("first", "again")
    )
    assert first.files == again.files


def test_a_graph_that_disagrees_with_the_network_is_not_registered(
    fitted: CrossFit, batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    class Drifting(Ensemble):
        """Forecasts differently after it was traced."""

        def join(self, embeddings_BME: torch.Tensor, present_BM: torch.Tensor) -> torch.Tensor:
            drift = 0.0 if torch.jit.is_tracing() else 0.01
            return super().join(embeddings_BME, present_BM) + drift

    with pytest.raises(IntegrityError, match=r"differ from the network by 0\.01"):
        bundled(tmp_path, fitted, batch, task, Drifting(fitted.served))
    assert not (tmp_path / MANIFEST_FILE).exists()
