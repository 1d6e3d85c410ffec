"""`evaluate` says whose scores it gives: people, and not files, make a validation external."""

from __future__ import annotations

from pathlib import Path

import meds
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.cohort import SUBJECT, Provenance
from contracts.predictions import RELATION, Relation, Validation
from features.cohort import read_cohort, write_cohort
from features.cohort.data_file import write_events
from inference.bundle import Bundle
from rehabcast.auditing.overlap import overlap_of
from rehabcast.commands.evaluation import Evaluation, in_words, run_evaluation
from rehabcast.commands.learning.training import run_training
from rehabcast.settings import Settings
from tests.conftest import made_up_events
from training.fitting.config import TrainingConfig

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TASK = Path(__file__).resolve().parents[3] / "tasks" / "stroke-upper-limb.toml"
QUICK = TrainingConfig(max_epochs=1, folds=3, hidden=4)
HELD_OUT = set(range(5, 61, 5))


def written(events: pd.DataFrame, folder: Path) -> Path:
    provenance = Provenance(name=folder.name, source="test", simulated=True, dates_shifted=True)
    write_cohort(events, provenance, folder)
    return folder


@pytest.fixture(scope="module")
def home(
    events: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory, quick_training: None
) -> Path:
    """A home with one version, trained on a MEDS cohort that declares whom to hold out."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        _use(folder, patch)
        cohort = written(events, folder / "cohort")
        splits = {s: "held_out" if s in HELD_OUT else "train" for s in range(1, 61)}
        table = {"subject_id": pa.array(list(splits), pa.int64()), "split": list(splits.values())}
        pq.write_table(pa.table(table), cohort / meds.subject_splits_filepath)
        trained = run_training(cohort, TASK, "arm", QUICK)
    told = {(note.field, note.name): note for note in trained.cohort_notes}
    assert told["sensitive", "ethnicity"].people == 0
    return folder


def _use(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("REHABCAST_HOME", str(folder / "mlruns"))
    patch.setenv("REHABCAST_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    patch.setenv("REHABCAST_LEDGER_URL", f"sqlite:///{folder}/ledger.db")


@pytest.fixture(autouse=True)
def _home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(home, monkeypatch)


def evaluated(cohort: Path, folder: Path) -> tuple[Evaluation, pd.DataFrame]:
    output = folder / "predictions.parquet"
    return run_evaluation("arm/1", cohort, output), pd.read_parquet(output)


def test_the_held_out_people_of_the_training_cohort_are_scored_as_such(
    home: Path, tmp_path: Path
) -> None:
    evaluation, table = evaluated(home / "cohort", tmp_path)
    assert evaluation.seen_in_training
    assert evaluation.validation is Validation.HELD_OUT
    assert (evaluation.overlap.held_out, evaluation.overlap.trained_on) == (12, 48)
    assert set(table.loc[table[RELATION] == Relation.HELD_OUT, SUBJECT]) == HELD_OUT
    assert max(score.subjects for score in evaluation.horizons) <= 12


def test_the_training_people_cut_in_two_files_and_renumbered_are_not_external(
    events: pd.DataFrame, tmp_path: Path
) -> None:
    seen = events[~events[SUBJECT].isin(HELD_OUT)].assign(**{SUBJECT: lambda e: 500 - e[SUBJECT]})
    cut = written(seen, tmp_path / "cut")
    table = pq.read_table(cut / "data" / "0.parquet")
    for name, rows in (
        ("0", table[SUBJECT].to_numpy() < 470),
        ("1", table[SUBJECT].to_numpy() >= 470),
    ):
        write_events(table.filter(pa.array(rows)), cut / "data" / f"{name}.parquet")
    evaluation, _ = evaluated(cut, tmp_path)
    assert not evaluation.seen_in_training
    assert evaluation.validation is Validation.NONE
    assert evaluation.overlap.share == 1
    assert "none: the model was trained on them" in in_words(evaluation)


def test_of_a_mixture_only_the_new_people_are_scored(events: pd.DataFrame, tmp_path: Path) -> None:
    others = made_up_events(30, seed=5)
    some = events[events[SUBJECT].isin([1, 2, 3, 5])].assign(
        **{SUBJECT: lambda e: 100 + e[SUBJECT]}
    )
    evaluation, table = evaluated(
        written(pd.concat([others, some], ignore_index=True), tmp_path / "mixed"), tmp_path
    )
    overlap = evaluation.overlap
    assert evaluation.validation is Validation.EXTERNAL
    assert (overlap.trained_on, overlap.held_out, overlap.new) == (3, 1, 30)
    assert max(score.subjects for score in evaluation.horizons) == 30
    assert table[SUBJECT].nunique() == 34


def test_without_the_key_or_the_list_it_is_not_known_which_is_not_none(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "mlruns" / "keys" / "people.key").rename(home / "elsewhere.key")
    try:
        evaluation, table = evaluated(home / "cohort", tmp_path)
    finally:
        (home / "elsewhere.key").rename(home / "mlruns" / "keys" / "people.key")
    assert evaluation.validation is Validation.NOT_KNOWN
    assert (evaluation.overlap.known, evaluation.overlap.share) == (False, None)
    assert set(table[RELATION]) == {Relation.NOT_KNOWN}
    assert "is not known" in in_words(evaluation)


def test_a_bundle_of_an_earlier_version_loads_and_says_that_it_is_not_known(
    bundle: Bundle, home: Path
) -> None:
    assert bundle.people is None
    relations, overlap = overlap_of(Settings(), bundle, read_cohort(home / "cohort"), [1, 2])
    assert set(relations.values()) == {Relation.NOT_KNOWN}
    assert overlap.validation is Validation.NOT_KNOWN
