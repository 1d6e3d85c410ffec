"""Names of models and versions in a real MLflow store, and a store that is away."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from contracts.errors import ContractError, EvidenceMissing, ServiceUnavailable
from training.registry.model_versions import ModelVersion, check_model_name, fetch, find, register
from training.tracking import Store, run

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with version 1 of `arm`, whose bundle is one file."""
    folder = tmp_path_factory.mktemp("store")
    made = Store(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=folder / "kept")
    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    with run(made, name="train arm", tags={}) as opened:
        register(opened, bundle, name="arm", tags={})
    return made


def test_a_version_is_found_by_its_one_spelling_only(store: Store) -> None:
    assert str(find(store, "arm/1")) == "arm/1"
    for other in ("arm/01", "arm/+1", "arm/\uff11", "arm/1 ", "arm/1\n", "\uff41rm/1", "arm/1/"):
        with pytest.raises(ContractError, match="write it"):
            find(store, other)
    for absent in ("ARM/1", "arm/2", "leg/1", "arm/0"):
        with pytest.raises(EvidenceMissing, match="no model version"):
            find(store, absent)


@pytest.mark.parametrize("name", ["ARM", "Arm", "\uff41rm", "\u0430rm", "arm\u200b", "arm ", "a/b"])
def test_a_name_that_differs_by_nothing_one_sees_is_not_registered(store: Store, name: str) -> None:
    with pytest.raises(ContractError):
        check_model_name(store.client(), name)


@pytest.mark.parametrize("name", ["arm", "leg", "arm-2"])
def test_the_same_model_and_another_one_may_be_registered(store: Store, name: str) -> None:
    check_model_name(store.client(), name)


def test_what_is_missing_is_said_to_be_missing(store: Store) -> None:
    version = find(store, "arm/1")
    assert (fetch(store, version, "bundle") / "manifest.json").is_file()
    with pytest.raises(EvidenceMissing, match="has no nothing"):
        fetch(store, version, "nothing")
    gone = ModelVersion(name="arm", version="1", run_id="0" * 32, tags={})
    with pytest.raises(EvidenceMissing):
        fetch(store, gone, "bundle")


def test_a_server_that_is_away_is_said_without_its_address(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://mia:secret@127.0.0.1:{closed.getsockname()[1]}"
        away = Store(tracking_uri=address, artifacts=tmp_path)
        for ask in (
            lambda: find(away, "arm/1"),
            lambda: fetch(away, find(store, "arm/1"), "bundle"),
        ):
            with pytest.raises(ServiceUnavailable) as refused:
                ask()
            assert "secret" not in str(refused.value)
            assert "127.0.0.1" not in str(refused.value)
