"""A home that was copied or renamed uses its own folder, whatever MLflow had written down."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from contracts.errors import EvidenceMissing, ServiceUnavailable
from stores.secret_url import sqlite_url
from training.registry.model_versions import ModelVersion, fetch, find, register
from training.tracking import Store, run

# MLflow uses what others deprecate; nothing of ours does.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

NAMES = ("plain", "a b", "a#b", "kürzel")
"""Of homes; a % or a ? is refused by the settings."""


def store_in(home: Path) -> Store:
    return Store(tracking_uri=sqlite_url(home / "mlflow.db"), artifacts=home / "artifacts")


def trained(store: Store, folder: Path, name: str = "arm") -> ModelVersion:
    """Register a version whose bundle is one file."""
    bundle = folder / f"bundle-{name}"
    bundle.mkdir()
    (bundle / "manifest.json").write_text(name)
    with run(store, name=f"train {name}", tags={}) as opened:
        return register(opened, bundle, name=name, tags={})


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def texts(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def plain_addresses(database: Path, home: Path) -> None:
    """Write addresses as rehabcast did before: as paths."""
    with closing(sqlite3.connect(database)) as connection:
        for table, column in (
            ("experiments", "artifact_location"), ("runs", "artifact_uri"),
            ("model_versions", "source"), ("model_versions", "storage_location"),
        ):  # fmt: skip
            connection.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                (home.as_uri(), str(home)),
            )
        connection.commit()


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a registry and nothing in it: MLflow takes seconds to make one."""
    home = tmp_path_factory.mktemp("new") / "home"
    store_in(home).client(make=True)
    return home


@pytest.fixture(scope="module")
def old(new: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    home = shutil.copytree(new, folder / "the old home")
    trained(store_in(home), folder)
    return home


@pytest.mark.parametrize("name", NAMES)
def test_a_home_of_any_name_keeps_and_finds_its_artifacts(
    new: Path, tmp_path: Path, name: str
) -> None:
    store = store_in(shutil.copytree(new, tmp_path / name))
    trained(store, tmp_path)
    bundle = fetch(store, find(store, "arm/1"), "bundle")
    assert bundle.is_relative_to(tmp_path / name / "artifacts")
    assert (bundle / "manifest.json").read_text() == "arm"
    assert {path.name for path in tmp_path.iterdir()} == {name, "bundle-arm"}


@pytest.mark.parametrize(
    ("name", "addresses"), [*zip(NAMES, ("paths", "URIs", "URIs", "paths"), strict=True)]
)
def test_a_copy_is_at_home_where_it_is_and_leaves_the_original_alone(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, addresses: str
) -> None:
    original, copy = tmp_path / "original", tmp_path / name
    shutil.copytree(old, original)
    store_in(original).client()
    if addresses == "paths":
        plain_addresses(original / "mlflow.db", original)
    shutil.copytree(original, copy)
    before = digests(original)

    store = store_in(copy)
    version = find(store, "arm/1")
    assert fetch(store, version, "bundle").is_relative_to(copy)
    store.client().log_artifact(version.run_id, __file__)
    trained(store, tmp_path, "leg")
    assert digests(original) == before
    assert [text for text in texts(copy / "mlflow.db") if str(original) in text] == []

    # With plain MLflow too, from anywhere, and without the original.
    shutil.rmtree(original)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(store.tracking_uri)
    try:
        for model in ("arm", "leg"):
            local = mlflow.artifacts.download_artifacts(f"models:/{model}/1")
            assert (Path(local) / "manifest.json").read_text() == model
    finally:
        mlflow.set_tracking_uri(None)


def test_a_home_that_is_renamed_again_and_again_is_followed(old: Path, tmp_path: Path) -> None:
    home = shutil.copytree(old, tmp_path / "0")
    for number in range(1, 4):
        home = home.rename(tmp_path / f"{number} again")
        store = store_in(home)
        assert fetch(store, find(store, "arm/1"), "bundle").is_relative_to(home)
        assert str(tmp_path / f"{number - 1}") not in "\n".join(texts(home / "mlflow.db"))


def test_a_registry_without_its_artifacts_is_refused_and_left_as_it_is(
    old: Path, tmp_path: Path
) -> None:
    home = tmp_path / "half"
    home.mkdir()
    shutil.copy(old / "mlflow.db", home)
    before = digests(home)
    with pytest.raises(EvidenceMissing, match=r"none of them is in .*half/artifacts: copy them"):
        find(store_in(home), "arm/1")
    assert digests(home) == before


def test_a_copy_whose_registry_is_not_its_own_writes_nothing_into_the_original(
    old: Path, tmp_path: Path
) -> None:
    original, copy = shutil.copytree(old, tmp_path / "original"), tmp_path / "copy"
    store_in(original).client()
    shutil.copytree(original, copy)
    before = digests(original)
    shared = Store(tracking_uri=store_in(original).tracking_uri, artifacts=copy / "artifacts")
    with pytest.raises(EvidenceMissing, match="registry of its own"):
        trained(shared, tmp_path)
    assert digests(original) == before
    # What is there can be read, as its signature says whether it may be used.
    assert fetch(shared, find(shared, "arm/1"), "bundle").is_relative_to(original)


@pytest.mark.parametrize("registry", ["absent", "empty"])
def test_reading_makes_no_registry(tmp_path: Path, registry: str) -> None:
    if registry == "empty":
        (tmp_path / "mlflow.db").touch()
    before = digests(tmp_path)
    with pytest.raises(EvidenceMissing, match=r"no registry of models in .*mlflow\.db"):
        find(store_in(tmp_path), "arm/1")
    assert digests(tmp_path) == before


def test_an_experiment_that_was_deleted_in_mlflow_is_named_with_what_restores_it(
    old: Path, tmp_path: Path
) -> None:
    store = store_in(shutil.copytree(old, tmp_path / "home"))
    client = store.client()
    experiment = client.get_experiment_by_name("rehabcast")
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(EvidenceMissing, match=r"restore it .*experiments restore") as refusal:
        trained(store, tmp_path)
    assert f"--experiment-id {experiment.experiment_id}`" in refusal.value.what_to_do
    # What has been registered is served and audited all the same; the remedy is MLflow's own.
    assert fetch(store, find(store, "arm/1"), "bundle").is_dir()
    client.restore_experiment(experiment.experiment_id)
    trained(store, tmp_path, "leg")


def test_a_registry_of_another_mlflow_is_told_with_what_brings_it_up_to_date(
    new: Path, tmp_path: Path
) -> None:
    store = store_in(shutil.copytree(new, tmp_path / "home"))
    with closing(sqlite3.connect(tmp_path / "home" / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'another'")
        database.commit()
    with pytest.raises(ServiceUnavailable, match=r"another version of MLflow.*db upgrade"):
        find(store, "arm/1")


@pytest.mark.parametrize(
    ("location", "is_another"),
    [
        (None, False), ("/old/artifacts", True), ("/srv/mlflow/1", False),
        ("HERE", False), ("/old/artifacts/1", False),
    ],
)  # fmt: skip
def test_where_an_mlflow_server_puts_artifacts_is_its_choice_but_not_another_home(
    tmp_path: Path, location: str | None, is_another: bool
) -> None:
    store = Store(tracking_uri="http://mlflow.test", artifacts=tmp_path / "artifacts")
    here = {"HERE": store.artifacts.resolve(), None: None}
    folder = here[location] if location in here else Path(str(location))
    assert store._is_of_another_home(folder) is is_another
