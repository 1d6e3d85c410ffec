from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from contracts.bundle import CODES_FILE, MANIFEST_FILE, PEOPLE_SEEN, TENSORS_FILE
from contracts.digests import file_digest
from contracts.errors import IntegrityError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from contracts.vocabulary import Additions, Code, Domain, Kind, learn, vocabulary
from contracts.vocabulary.additions import as_toml
from inference.bundle import Bundle, describe_bundle, forecast_batch, load_bundle, verify_bundle
from training.fitting.crossfit import CrossFit, ensemble_quantiles


def test_a_loaded_bundle_forecasts_what_was_trained(
    bundle: Bundle, fitted: CrossFit, batch: SequenceBatch, task: Task
) -> None:
    served, trained = forecast_batch(bundle, batch), ensemble_quantiles(batch, task, fitted)
    np.testing.assert_allclose(served, trained, atol=1e-2)
    assert (np.diff(served, axis=-1) >= 0).all()


def test_a_batch_forecasts_the_same_as_one_by_one(bundle: Bundle, batch: SequenceBatch) -> None:
    alone = np.concatenate([forecast_batch(bundle, batch.take(np.array([b]))) for b in range(8)])
    together = forecast_batch(bundle, batch.take(np.arange(8)))
    np.testing.assert_allclose(alone, together, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_refused(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    expected = verify_bundle(bundle_folder)
    copy = tmp_path_factory.mktemp("copy") / "bundle"
    shutil.copytree(bundle_folder, copy)
    victim = data.draw(st.sampled_from(sorted(path.name for path in copy.iterdir())))
    content = bytearray((copy / victim).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    (copy / victim).write_bytes(content)
    with pytest.raises(IntegrityError):
        load_bundle(copy, expected_digest=expected)
    shutil.rmtree(copy)


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))


def test_missing_extra_and_linked_files_are_refused(copy: Path) -> None:
    (copy / "extra.pkl").write_bytes(b"\x80\x04")
    with pytest.raises(IntegrityError, match=r"not in the manifest: extra\.pkl"):
        verify_bundle(copy)
    (copy / "extra.pkl").unlink()
    (copy / "task.json").rename(copy.parent / "task.json")
    with pytest.raises(IntegrityError, match=r"missing or not in the manifest: task\.json"):
        verify_bundle(copy)
    (copy / "task.json").symlink_to(copy.parent / "task.json")
    with pytest.raises(IntegrityError, match=r"link instead of a file: task\.json"):
        verify_bundle(copy)


@pytest.mark.parametrize("said", [True, False])
def test_a_bundle_of_the_first_form_is_described_but_gives_no_forecast(
    copy: Path, bundle: Bundle, said: bool
) -> None:
    """It does not tell who stands behind a forecast; what is compared of a version is there."""
    file = copy / TENSORS_FILE
    save_file({k: v for k, v in load_file(file).items() if k != PEOPLE_SEEN}, file)
    manifest = json.loads((copy / MANIFEST_FILE).read_bytes())
    manifest["files"][TENSORS_FILE] = file_digest(file)
    manifest["format"] = "rehabcast-bundle/1"
    if not said:
        del manifest["format"]
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
    digest = verify_bundle(copy)
    with pytest.raises(IntegrityError, match="how many people stand behind its forecasts: train"):
        load_bundle(copy, expected_digest=digest)
    described = describe_bundle(copy)
    assert (described.digest, described.task) == (digest, bundle.task)
    assert described.manifest.predictions_digest == bundle.manifest.predictions_digest


KNEE = Code(
    code="OURS//KNEE", name="Knee score", kind=Kind.ASSESSMENT, modality="assessments",
    domain=Domain.WALKING, unit="{score}", low=0.0, high=48.0, step=1.0, source="our manual",
)  # fmt: skip


def with_codes(copy: Path, *codes: Code) -> str:
    """Seal codes into a bundle, and return its digest."""
    (copy / CODES_FILE).write_text(as_toml(Additions("", codes)), "utf-8")
    manifest = json.loads((copy / MANIFEST_FILE).read_bytes())
    manifest["files"][CODES_FILE] = file_digest(copy / CODES_FILE)
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
    return verify_bundle(copy)


def test_a_bundle_tells_what_its_own_codes_mean(copy: Path, bundle: Bundle) -> None:
    assert bundle.codes.codes == ()
    digest = with_codes(copy, KNEE)
    described = describe_bundle(copy)
    assert KNEE.code not in vocabulary(), "what is only compared teaches nothing"
    loaded = load_bundle(copy, expected_digest=digest)
    assert loaded.codes.codes == (KNEE,)
    assert vocabulary()[KNEE.code] == KNEE
    assert described.digest == loaded.digest


def test_a_bundle_whose_codes_mean_something_else_here_is_not_loaded(copy: Path) -> None:
    learn(Additions("the site's vocabulary", (replace(KNEE, high=60.0),)), of_site=True)
    digest = with_codes(copy, KNEE)
    with pytest.raises(IntegrityError, match="its high is 48 here, and 60 in the site's vocab"):
        load_bundle(copy, expected_digest=digest)
    assert vocabulary()[KNEE.code].high == 60


def test_a_changed_meaning_is_a_changed_bundle(copy: Path) -> None:
    digest = with_codes(copy, KNEE)
    text = (copy / CODES_FILE).read_text("utf-8")
    (copy / CODES_FILE).write_text(text.replace("48.0", "60.0"), "utf-8")
    with pytest.raises(IntegrityError, match="changed since the bundle was sealed"):
        load_bundle(copy, expected_digest=digest)
    assert KNEE.code not in vocabulary()


def test_a_folder_without_a_manifest_is_not_a_bundle(copy: Path) -> None:
    (copy / MANIFEST_FILE).write_text("{}")
    with pytest.raises(IntegrityError, match="no readable manifest"):
        verify_bundle(copy)


def test_a_valid_bundle_that_is_not_the_audited_one_is_refused(bundle_folder: Path) -> None:
    with pytest.raises(IntegrityError, match="was audited and promoted"):
        load_bundle(bundle_folder, expected_digest="0" * 64)
