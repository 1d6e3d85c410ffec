"""A table of another cohort counts only as it was signed, and only for people new to the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from contracts.cohort import SUBJECT, Cohort, Provenance
from contracts.errors import ContractError, IntegrityError
from contracts.predictions import CANDIDATE, Relation
from contracts.sequences import SequenceBatch
from contracts.task import Task
from inference.bundle import Bundle, forecast_batch
from rehabcast.auditing.external_validation import (
    METADATA,
    PeopleOf,
    open_external,
    with_relations,
    write_signed,
)
from rehabcast.commands.evaluation import predictions_of
from rehabcast.settings import Settings
from rehabcast.signed_artifacts import PredictionTable
from training.predictions import prediction_table

MADE = "2026-11-24T10:00:00+00:00"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("REHABCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REHABCAST_ACTOR", "mia")
    return Settings()


@pytest.fixture(scope="module")
def elsewhere(events: pd.DataFrame) -> Cohort:
    provenance = Provenance(name="elsewhere", source="test", simulated=True)
    return Cohort(events=events[events[SUBJECT] <= 12], provenance=provenance, digest="e" * 64)


@pytest.fixture(scope="module")
def table(bundle: Bundle, elsewhere: Cohort, batch: SequenceBatch, task: Task) -> pd.DataFrame:
    rows = prediction_table(batch, forecast_batch(bundle, batch), task, model=CANDIDATE)
    audited = PredictionTable(rows=rows, questions=rows.iloc[:0], digest="p")
    return related(predictions_of(bundle, elsewhere, audited))


def related(
    rows: pd.DataFrame, people: frozenset[int] = frozenset(), of: Relation = Relation.TRAINED_ON
) -> pd.DataFrame:
    """Say that some people are something to the model, and all others new."""
    every = dict.fromkeys(rows[SUBJECT].unique().tolist(), Relation.NEW)
    return with_relations(rows, every | dict.fromkeys(people, of))


@pytest.fixture
def written(
    settings: Settings, table: pd.DataFrame, bundle: Bundle, elsewhere: Cohort, tmp_path: Path
) -> Path:
    write_signed(
        settings, table, bundle, PeopleOf.cohort(elsewhere), tmp_path / "table.parquet", MADE
    )
    return tmp_path / "table.parquet"


def test_what_is_opened_is_what_was_signed_and_says_of_whom_it_is(
    settings: Settings, written: Path, table: pd.DataFrame, bundle: Bundle
) -> None:
    opened = open_external(settings, written, bundle)
    assert (opened.validation.cohort_name, opened.validation.made_by) == ("elsewhere", "mia")
    assert (opened.validation.people, opened.validation.overlap) == (12, 0)
    assert len(opened.forecasts) == (table["model"] == CANDIDATE).sum()
    assert len(opened.questions) == 12
    assert opened.forecasts["group:age band"].cat.ordered
    assert len(opened.validation.predictions_digest) == 64


def resigned_with(stated: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = pq.read_table(file)
        metadata = {**content.schema.metadata, METADATA: stated.encode("utf-8")}
        pq.write_table(content.replace_schema_metadata(metadata), file)

    return change


def one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [one_bit, resigned_with("{}"), lambda file: Path(f"{file}.sig").unlink()],
    ids=["a bit", "another cohort's name", "no signature"],
)
def test_a_table_that_is_not_what_was_signed_counts_for_nothing(
    settings: Settings, written: Path, bundle: Bundle, change: Callable[[Path], None]
) -> None:
    change(written)
    with pytest.raises(IntegrityError, match=r"table\.parquet"):
        open_external(settings, written, bundle)


def test_forecasts_of_another_version_are_no_validation_of_this_one(
    settings: Settings, written: Path, bundle: Bundle
) -> None:
    with pytest.raises(ContractError, match="the forecasts are of bundle"):
        open_external(settings, written, replace(bundle, digest="0" * 64))


def test_simulated_people_validate_no_model_of_real_ones(
    settings: Settings, written: Path, bundle: Bundle
) -> None:
    real = replace(bundle, manifest=bundle.manifest.model_copy(update={"simulated": False}))
    with pytest.raises(ContractError, match="its people are SIMULATED"):
        open_external(settings, written, real)


@pytest.mark.parametrize(
    ("of", "overlap"),
    [(Relation.TRAINED_ON, 4), (Relation.HELD_OUT, 0), (Relation.NOT_KNOWN, 0)],
)
def test_only_people_known_to_be_new_count_and_those_trained_on_are_counted(
    settings: Settings, table: pd.DataFrame, bundle: Bundle, elsewhere: Cohort, tmp_path: Path,
    of: Relation, overlap: int,
) -> None:  # fmt: skip
    some = frozenset({1, 2, 3, 4})
    write_signed(
        settings,
        related(table, some, of),
        bundle,
        PeopleOf.cohort(elsewhere),
        tmp_path / "some.parquet",
        MADE,
    )
    opened = open_external(settings, tmp_path / "some.parquet", bundle)
    validation = opened.validation
    assert (validation.people, validation.overlap, validation.new) == (12, overlap, 8)
    for rows in (opened.forecasts, opened.questions):
        assert not set(rows[SUBJECT]) & some
        assert rows[SUBJECT].nunique() == 8


@pytest.mark.parametrize("of", [Relation.TRAINED_ON, Relation.NOT_KNOWN])
def test_a_cohort_of_which_nobody_is_known_to_be_new_is_no_external_validation(
    settings: Settings, table: pd.DataFrame, bundle: Bundle, elsewhere: Cohort, tmp_path: Path,
    of: Relation,
) -> None:  # fmt: skip
    rows = related(table, frozenset(range(1, 13)), of)
    write_signed(settings, rows, bundle, PeopleOf.cohort(elsewhere), tmp_path / "own.parquet", MADE)
    with pytest.raises(ContractError, match="nobody is known to be new to the model"):
        open_external(settings, tmp_path / "own.parquet", bundle)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_a_file_that_is_no_table_is_refused_in_words(
    settings: Settings, bundle: Bundle, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "other.parquet"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises((ContractError, IntegrityError), match=r"other\.parquet"):
        open_external(settings, file, bundle)
