"""A bundle in a real MLflow store: what MLflow's client does with it, and what it loads."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from contracts.bundle import CARD_FILE, MANIFEST_FILE, REGISTRY_NOTE, Manifest
from contracts.digests import file_digest
from contracts.errors import ContractError, IntegrityError
from contracts.predictions import QUANTILE_COLUMNS
from rehabcast.pyfunc import REASON
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import open_bundle, sign_bundle
from tests.rehabcast.mlflow_server import mlflow_server
from training.registry.model_versions import ModelVersion, find, register, write_model_file
from training.tracking import Store, run

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Pydantic.*", "ignore::UserWarning"),
]


@pytest.fixture(autouse=True)
def tracking_uri_as_before() -> Iterator[None]:
    before = mlflow.get_tracking_uri()
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("registry")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return Settings(tracking_uri=uri, home=folder / "home")


@pytest.fixture(scope="module")
def version(
    settings: Settings, bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> ModelVersion:
    return registered(settings, bundle_folder, tmp_path_factory.mktemp("made") / "bundle")


@pytest.fixture
def folder(settings: Settings, version: ModelVersion, tmp_path: Path) -> Iterator[Path]:
    """The registry's own folder of the version, as it was again after the test."""
    mlflow.set_tracking_uri(settings.tracking_uri.get_secret_value())
    own = stored(settings, version)
    shutil.copytree(own, tmp_path / "as it was")
    yield own
    shutil.rmtree(own)
    (tmp_path / "as it was").rename(own)


def registered(settings: Settings, bundle_folder: Path, folder: Path) -> ModelVersion:
    """Register and sign a bundle, as `rehabcast train` does."""
    shutil.copytree(bundle_folder, folder)
    with run(settings.store, name="train arm", tags={}) as opened:
        write_model_file(folder, run_id=opened.run_id)
        file = folder / MANIFEST_FILE
        manifest = Manifest.model_validate_json(file.read_text("utf-8"))
        files = {**manifest.files, "MLmodel": file_digest(folder / "MLmodel")}
        file.write_text(manifest.model_copy(update={"files": files}).model_dump_json(), "utf-8")
        made = register(opened, folder, name="arm", tags={})
    sign_bundle(settings, made)
    return made


def stored(settings: Settings, version: ModelVersion) -> Path:
    artifacts = settings.store.client().get_run(version.run_id).info.artifact_uri
    return Path(artifacts.removeprefix("file://")) / "bundle"


def copied(client: MlflowClient, version: ModelVersion) -> None:
    client.copy_model_version("models:/arm/1", "leg")


def tagged(client: MlflowClient, version: ModelVersion) -> None:
    client.set_model_version_tag("arm", "1", "seen", "yes")
    client.update_model_version("arm", "1", description="As the page does.")
    client.set_registered_model_alias("arm", "champion", "1")
    client.set_tag(version.run_id, "seen", "yes")


def listed(client: MlflowClient, version: ModelVersion) -> None:
    assert {file.path for file in client.list_artifacts(version.run_id)} >= {"bundle"}
    assert client.get_model_version_download_uri("arm", "1")
    assert client.search_model_versions("name='arm'")


CALLS: dict[str, Callable[[MlflowClient, ModelVersion], object]] = {
    "download a version": lambda client, version: download_artifacts("models:/arm/1"),
    "download by alias": lambda client, version: (
        client.set_registered_model_alias("arm", "it", "1"),
        download_artifacts("models:/arm@it"),
    ),
    "download of the run": lambda client, version: download_artifacts(
        f"runs:/{version.run_id}/bundle"
    ),
    "download everything of the run": lambda client, version: download_artifacts(
        run_id=version.run_id
    ),
    "load": lambda client, version: mlflow.pyfunc.load_model("models:/arm/1"),
    "load from the run": lambda client, version: mlflow.pyfunc.load_model(
        f"runs:/{version.run_id}/bundle"
    ),
    "what it is": lambda client, version: mlflow.models.get_model_info("models:/arm/1"),
    "copy": copied,
    "tags, alias and description": tagged,
    "list": listed,
}


@pytest.mark.parametrize("call", CALLS)
def test_a_version_is_loadable_after_whatever_mlflows_client_does(
    settings: Settings, version: ModelVersion, folder: Path, call: str
) -> None:
    before = open_bundle(settings, version).digest
    CALLS[call](settings.store.client(), version)
    assert open_bundle(settings, find(settings.store, "arm/1")).digest == before


def test_the_note_of_mlflows_client_is_in_the_registrys_own_folder(folder: Path) -> None:
    """Else the test before shows nothing."""
    assert not (folder / REGISTRY_NOTE).exists()
    download_artifacts("models:/arm/1")
    assert (folder / REGISTRY_NOTE).is_file()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: (folder / "extra.pkl").write_bytes(b"\x80\x04"), r"added: extra\.pkl"),
        (lambda folder: (folder / CARD_FILE).write_text("Other."), rf"changed: {CARD_FILE}"),
        (lambda folder: (folder / CARD_FILE).unlink(), rf"missing: {CARD_FILE}"),
        (lambda folder: (folder / REGISTRY_NOTE).symlink_to("/etc/passwd"), REGISTRY_NOTE),
        (lambda folder: (folder / REGISTRY_NOTE).mkdir(), None),
    ],
    ids=["added", "changed", "missing", "link", "empty folder"],
)
def test_a_refusal_names_the_file(
    settings: Settings,
    version: ModelVersion,
    folder: Path,
    damage: Callable[[Path], object],
    why: str | None,
) -> None:
    damage(folder)
    if why is None:
        open_bundle(settings, version)
        (folder / REGISTRY_NOTE / "code.py").write_text("")
        why = "code"
    with pytest.raises(IntegrityError, match=why):
        open_bundle(settings, version)


def test_mlflow_loads_nothing_that_is_not_what_was_signed(folder: Path) -> None:
    card, manifest = folder / CARD_FILE, folder / MANIFEST_FILE
    before = file_digest(card)
    card.write_text("Another card.", "utf-8")
    with pytest.raises(IntegrityError, match=CARD_FILE):
        mlflow.pyfunc.load_model("models:/arm/1")
    # Whole in itself again, but not what was signed.
    manifest.write_text(manifest.read_text("utf-8").replace(before, file_digest(card)), "utf-8")
    with pytest.raises(IntegrityError, match="not what was signed"):
        mlflow.pyfunc.load_model("models:/arm/1")


@pytest.fixture(autouse=True)
def own_keys(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys that this home trusts, as MLflow's loader finds them."""
    monkeypatch.setenv("REHABCAST_TRUSTED_KEYS", str(settings.home / "keys" / "trusted"))


def observations(**changed: object) -> pd.DataFrame:
    """Two subjects: one with a score and steps, one without any score."""
    rows = [
        ("anna", 10, "REHABCAST//FUGL_MEYER_UE", 10.0, 20.0, None),
        ("anna", 10, "REHABCAST//AGE", None, 66.0, None),
        ("anna", 10, "REHABCAST//SEX", None, None, "female"),
        ("anna", 10, "LOINC//41950-7", 9.0, 3000.0, None),
        ("bea", 5, "REHABCAST//AGE", None, 50.0, None),
    ]
    columns = ["subject", "enrolment_day", "code", "day_since_onset", "value", "label"]
    return pd.DataFrame(rows, columns=columns).assign(**changed)


def test_a_data_frame_is_answered_by_subject_and_horizon(folder: Path) -> None:
    answer = mlflow.pyfunc.load_model("models:/arm/1").predict(observations())
    anna, bea = (answer[answer["subject"] == name] for name in ("anna", "bea"))
    assert len(anna) > 1
    assert anna["horizon_day"].is_monotonic_increasing
    quantiles = anna[list(QUANTILE_COLUMNS)].to_numpy(dtype=float)
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert anna[REASON].isna().all()
    assert len(bea) == 1
    assert bea[list(QUANTILE_COLUMNS)].isna().all(axis=None)
    assert bea[REASON].iloc[0] == "nothing was measured from enrolment on"


@pytest.mark.parametrize(
    "changed",
    [{"enrolment_day": [10, 11, 10, 10, 5]}, {"day_since_onset": [10.5, None, None, 9.0, None]}],
)
def test_a_data_frame_that_is_no_record_is_refused(
    folder: Path, changed: dict[str, object]
) -> None:
    model = mlflow.pyfunc.load_model("models:/arm/1")
    with pytest.raises(ContractError, match="subject anna"):
        model.predict(observations(**changed))
    with pytest.raises(MlflowException, match="enrolment_day"):
        model.predict(observations().drop(columns="enrolment_day"))


@pytest.mark.soak
def test_the_same_through_a_server_that_keeps_the_artifacts(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, kept = f"sqlite:///{tmp_path / 'server.db'}", str(tmp_path / "kept")
    with mlflow_server(tmp_path, database, "--artifacts-destination", kept) as port:
        address = f"http://127.0.0.1:{port}"
        remote = Settings(tracking_uri=address, home=tmp_path / "home")
        trusted = remote.home / "keys" / "trusted"
        trusted.mkdir(parents=True)
        monkeypatch.setenv("REHABCAST_TRUSTED_KEYS", str(trusted))
        client = Store(tracking_uri=address, artifacts=tmp_path).client()
        client.create_experiment("rehabcast")
        version = registered(remote, bundle_folder, tmp_path / "made")
        mlflow.set_tracking_uri(address)
        answer = mlflow.pyfunc.load_model("models:/arm/1").predict(observations())
        assert set(answer["subject"]) == {"anna", "bea"}
        assert open_bundle(remote, version).digest
