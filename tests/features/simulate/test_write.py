from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from contracts.digests import folder_digest
from contracts.errors import ContractError, EvidenceMissing
from features.cohort import read_cohort
from features.simulate import simulate
from features.simulate.scenario import Scenario
from features.simulate.truth import read_truth_scenario, truth_folder
from features.simulate.write import write_simulated


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "cohort"
    write_simulated(folder, subjects=620, seed=2, scenario=Scenario())
    return folder


def test_the_folder_is_a_valid_cohort_with_the_same_events_as_in_memory(written: Path) -> None:
    cohort = read_cohort(written)
    assert cohort.provenance.simulated
    # Codes are read as categories.
    read = cohort.events.astype({"code": object})
    pd.testing.assert_frame_equal(read, simulate(subjects=620, seed=2)[0])


def test_the_bytes_are_the_same_on_one_worker_or_two(written: Path, tmp_path: Path) -> None:
    other = tmp_path / "cohort"
    write_simulated(other, subjects=620, seed=2, scenario=Scenario(), workers=2)
    assert folder_digest(other) == folder_digest(written)
    assert folder_digest(truth_folder(other)) == folder_digest(truth_folder(written))


def test_a_subject_has_the_same_bytes_in_a_larger_cohort(written: Path, tmp_path: Path) -> None:
    larger = tmp_path / "larger"
    write_simulated(larger, subjects=750, seed=2, scenario=Scenario())
    for file in ("data/000000.parquet", "data/000001.parquet"):
        assert (larger / file).read_bytes() == (written / file).read_bytes()


def test_the_truth_lies_beside_the_cohort_and_never_inside_it(written: Path) -> None:
    truth = truth_folder(written)
    assert truth.parent == written.parent
    hidden = pd.concat(pd.read_parquet(file) for file in sorted((truth / "latent").iterdir()))
    assert hidden["subject_id"].tolist() == list(range(1, 621))
    assert read_truth_scenario(written) == Scenario()
    inside = {file.name for file in written.rglob("*") if file.is_file()}
    assert inside == {
        "000000.parquet", "000001.parquet", "000002.parquet",
        "codes.parquet", "dataset.json", "provenance.json",
    }  # fmt: skip
    provenance = json.loads((written / "metadata/provenance.json").read_text())
    assert provenance["details"]["scenario"]["therapy"]["truth"] == "saturating"


def test_nothing_is_overwritten_and_a_refusal_leaves_nothing(written: Path, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="exists already"):
        write_simulated(written, subjects=1, seed=0, scenario=Scenario())
    truth_folder(tmp_path / "new").mkdir()
    with pytest.raises(ContractError, match="new-truth exists already"):
        write_simulated(tmp_path / "new", subjects=1, seed=0, scenario=Scenario())
    assert not (tmp_path / "new").exists()


def test_an_interrupted_simulation_leaves_neither_cohort_nor_truth(tmp_path: Path) -> None:
    def stop(step: str) -> None:
        raise KeyboardInterrupt(step)

    with pytest.raises(KeyboardInterrupt):
        write_simulated(
            tmp_path / "cohort", subjects=300, seed=0, scenario=Scenario(), advance=stop
        )
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_without_truth_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(EvidenceMissing, match="only a simulated cohort has a truth"):
        read_truth_scenario(tmp_path / "real")
