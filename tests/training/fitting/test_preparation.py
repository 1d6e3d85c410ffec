"""People whom a dataset holds out are never learned from; what a cohort lacks is told before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import meds
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT, TIME, Cohort, Provenance
from contracts.errors import CohortInvalid, ContractError
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.cohort import read_cohort, write_cohort
from training.fitting.config import MOST_FOLDS, TrainingConfig
from training.fitting.crossfit import crossfit
from training.fitting.preparation import (
    Lack,
    cohort_notes,
    comparable,
    require_horizon,
    training_parts,
)
from training.split import HELD_OUT, TUNING, parts_of

QUICK = TrainingConfig(max_epochs=1, folds=3, hidden=4)
PROVENANCE = Provenance(name="made up", source="test", simulated=True, dates_shifted=True)


def with_splits(events: pd.DataFrame, folder: Path, splits: dict[int, str]) -> Path:
    write_cohort(events, PROVENANCE, folder)
    table = pa.table(
        {"subject_id": pa.array(list(splits), pa.int64()), "split": list(splits.values())}
    )
    pq.write_table(table, folder / meds.subject_splits_filepath)
    return folder


@pytest.fixture(scope="module")
def splits() -> dict[int, str]:
    names = {0: "held_out", 1: "tuning"}
    return {subject: names.get(subject % 5, "train") for subject in range(1, 61)}


@pytest.fixture(scope="module")
def declared(
    events: pd.DataFrame, splits: dict[int, str], tmp_path_factory: pytest.TempPathFactory
) -> Cohort:
    return read_cohort(with_splits(events, tmp_path_factory.mktemp("meds") / "cohort", splits))


def people(batch: SequenceBatch | None) -> set[int]:
    return set() if batch is None else set(batch.subject_B.tolist())


def test_a_declared_split_is_the_one_that_training_uses(
    declared: Cohort, splits: dict[int, str], task: Task
) -> None:
    assert declared.splits == splits
    parts = training_parts(declared, task, QUICK)
    for batch, name in (
        (parts.train, "train"), (parts.tuning, "tuning"), (parts.held_out, "held_out"),
    ):  # fmt: skip
        assert people(batch) == {s for s, split in splits.items() if split == name}


def test_no_weight_depends_on_who_is_held_out_nor_a_calibration_on_who_is_for_tuning(
    declared: Cohort, splits: dict[int, str], task: Task, tmp_path: Path
) -> None:
    """Change every score of those people, and see what comes out."""
    fitted = {}
    for changed in ("nobody", "held_out", "tuning"):
        events = declared.events.copy()
        score = events[CODE] == task.target.code
        of_them = events[SUBJECT].map(splits) == changed
        events.loc[score & of_them, NUMBER] = 66 - events.loc[score & of_them, NUMBER]
        parts = training_parts(replace(declared, events=events), task, QUICK)
        fitted[changed] = crossfit(
            parts.train, task, QUICK, folder=tmp_path / changed, tuning=parts.tuning
        )
    for changed in ("held_out", "tuning"):  # One epoch: tuning has nothing to choose.
        assert np.array_equal(fitted[changed].out_of_fold_BHQ, fitted["nobody"].out_of_fold_BHQ), (
            changed
        )
        assert np.array_equal(
            fitted[changed].calibration.offsets.offsets_HQ,
            fitted["nobody"].calibration.offsets.offsets_HQ,
        )


def test_what_only_held_out_people_have_is_not_learned(declared: Cohort, task: Task) -> None:
    rare = declared.events.iloc[:2].assign(
        **{SUBJECT: 5, CODE: "REHABCAST//APHASIA", TIME: pd.NaT, NUMBER: np.nan, TEXT: "yes"}
    )
    events = pd.concat([declared.events, rare.iloc[:1]], ignore_index=True)
    parts = training_parts(replace(declared, events=events), task, QUICK)
    assert "REHABCAST//APHASIA" not in {person.code for person in parts.train.layout.person_S}


@given(st.sampled_from([0.0, 0.5, 0.7, 0.75]), st.integers(3, MOST_FOLDS))
def test_no_fold_is_empty(declared: Cohort, task: Task, share: float, folds: int) -> None:
    """Of 5000 folds of 60 people there were 12 million networks, and the system ended it."""
    asked = replace(QUICK, folds=folds, held_out_share=share)
    whole = replace(declared, splits={})
    left = len(people(training_parts(whole, task, replace(asked, folds=3)).train))
    if left < folds:
        with pytest.raises(ContractError, match=f"{folds} folds, but {left} people"):
            training_parts(whole, task, asked)
        return
    found = training_parts(whole, task, asked).fold_of
    assert set(found.values()) - {HELD_OUT} == set(range(folds))


@given(
    st.dictionaries(st.integers(1, 60), st.sampled_from(["train", "tuning", "held_out"])),
    st.floats(0, 0.5),
    st.integers(0, 99),
)
def test_nobody_is_in_two_parts_and_the_declared_ones_are_where_they_belong(
    batch: SequenceBatch, splits: dict[int, str], share: float, seed: int
) -> None:
    parts = parts_of(batch, splits, folds=3, held_out_share=share, seed=seed)
    found: list[Collection[int]] = [
        people(part) for part in (parts.train, parts.tuning, parts.held_out)
    ]
    assert sum(map(len, found)) == len(people(batch)) == len(parts.fold_of)
    for subject, fold in parts.fold_of.items():
        split = splits.get(subject, "train")
        assert (fold == TUNING) == (split == "tuning")
        if split == "held_out" or "held_out" in splits.values():
            assert (fold == HELD_OUT) == (split == "held_out")


@pytest.mark.parametrize(
    ("change", "found"),
    [({1: "holdout"}, "'holdout' is not one of train, tuning, held_out"), ({1: ""}, "'' is not")],
)
def test_a_split_that_nobody_can_tell_is_refused(
    events: pd.DataFrame, tmp_path: Path, change: dict[int, str], found: str
) -> None:
    folder = with_splits(events, tmp_path / "cohort", {2: "train", **change})
    with pytest.raises(CohortInvalid, match=found):
        read_cohort(folder)


def test_a_person_in_two_splits_and_a_damaged_file_are_refused(
    events: pd.DataFrame, tmp_path: Path
) -> None:
    folder = with_splits(events, tmp_path / "cohort", {})
    file = folder / meds.subject_splits_filepath
    pq.write_table(
        pa.table({"subject_id": pa.array([1, 1], pa.int64()), "split": ["train", "held_out"]}), file
    )
    with pytest.raises(CohortInvalid, match="subject 1 has a split already"):
        read_cohort(folder)
    file.write_bytes(b"nothing")
    with pytest.raises(CohortInvalid, match="subject_splits"):
        read_cohort(folder)


def test_what_a_cohort_lacks_is_told_with_numbers(batch: SequenceBatch, task: Task) -> None:
    told = {(note.field, note.name): note for note in cohort_notes(batch, task)}
    income = told["sensitive", "income"]
    assert (income.lack, income.people, income.of_people) == (Lack.NOT_RECORDED, 0, 60)
    groups = batch.groups_B.assign(sex="female")
    one = cohort_notes(replace(batch, groups_B=groups), task)
    assert any(
        (n.name, n.lack, n.group, n.people) == ("sex", Lack.ONE_GROUP, "female", 60) for n in one
    )
    assert not {name for field, name in told if field in {"horizons", "origins_days"}}
    perfect = replace(batch, truth_BH=np.where(np.isnan(batch.truth_BH), np.nan, np.float32(66)))
    assert any(n.lack is Lack.ONE_ANSWER for n in cohort_notes(perfect, task))


def test_an_assumed_score_is_nobodys_answer(batch: SequenceBatch, task: Task) -> None:
    """Where the task assumes a score that reaches a milestone, the outcomes still differ."""
    assumed = replace(
        batch,
        last_score_B=np.full_like(batch.last_score_B, 66),
        observed_BTC=np.zeros_like(batch.observed_BTC),
    )
    one = {note.name for note in cohort_notes(assumed, task) if note.lack is Lack.ONE_ANSWER}
    assert "FM-UE 50 or more" not in one


def test_families_are_compared_where_there_are_outcomes(batch: SequenceBatch, task: Task) -> None:
    assert comparable(batch, task) is task
    truth_BH = batch.truth_BH.copy()
    truth_BH[:, [0, 3]] = np.nan
    truth_BH[~np.isin(batch.subject_B, np.unique(batch.subject_B)[:10]), 4] = np.nan
    compared = comparable(replace(batch, truth_BH=truth_BH), task)
    assert [horizon.weeks for horizon in compared.horizons] == [5, 6, 52]
    # Week 12 has none: the nearest one left is asked for in its place.
    assert (task.primary_horizon_weeks, compared.primary_horizon_weeks) == (12, 6)
    with pytest.raises(ContractError, match="at no horizon"):
        comparable(replace(batch, truth_BH=np.full_like(truth_BH, np.nan)), task)


def test_few_people_at_a_horizon_are_told_and_training_needs_enough_at_one(
    batch: SequenceBatch, task: Task, tmp_path: Path
) -> None:
    """The horizons without people are learned from nothing, and served to nobody."""
    few = np.unique(batch.subject_B)[:10]
    truth_BH = batch.truth_BH.copy()
    truth_BH[:, 5] = np.nan
    truth_BH[~np.isin(batch.subject_B, few), 0] = np.nan
    lacking = replace(batch, truth_BH=truth_BH)
    notes = {note.name: note for note in cohort_notes(lacking, task) if note.field == "horizons"}
    assert (notes["week 52"].lack, notes["week 52"].people) == (Lack.NO_OUTCOME, 0)
    assert notes["week 3"].lack is Lack.FEW_OUTCOMES
    assert 0 < notes["week 3"].people <= 10
    require_horizon(lacking, task)
    fitted = crossfit(lacking, task, QUICK, folder=tmp_path)
    assert fitted.calibration.seen.served_H.tolist() == [False, True, True, True, True, False]
    assert not fitted.out_of_fold_given_BH[:, [0, 5]].any()
    assert np.isfinite(fitted.out_of_fold_BHQ).all()
    with pytest.raises(ContractError, match="at no horizon do 11 people"):
        require_horizon(batch.take(np.isin(batch.subject_B, few)), task)


def test_a_cohort_without_the_score_of_the_task_is_refused(
    events: pd.DataFrame, task: Task
) -> None:
    kept = events[events[CODE] != task.target.code]
    cohort = Cohort(
        events=kept,
        provenance=Provenance(name="unscored", source="test", simulated=True),
        digest="d",
    )
    with pytest.raises(
        ContractError, match=f"nobody to train on has the score.*{task.target.code}"
    ):
        training_parts(cohort, task, TrainingConfig())
