"""A cohort carries what its own codes mean, and is checked by these, not by another cohort's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, SUBJECT, TIME, Cohort, Provenance
from contracts.digests import folder_digest
from contracts.errors import CohortInvalid
from contracts.vocabulary import Additions, Code, Domain, Kind, known, learn, vocabulary
from contracts.vocabulary.additions import as_toml
from features.cohort import read_cohort, replace_events, write_cohort
from features.cohort.export import export
from features.cohort.summary import summarise

PROVENANCE = Provenance(name="made up", source="test", simulated=True)
OWN = "metadata/vocabulary.toml"
KNEE = Code(
    code="OURS//KNEE", name="Knee score", kind=Kind.ASSESSMENT, modality="assessments",
    domain=Domain.WALKING, unit="{score}", low=0.7, high=48.4, source="our manual",
)  # fmt: skip


def with_own(events: pd.DataFrame, code: str = KNEE.code, value: float = 12.0) -> pd.DataFrame:
    small = events[events[SUBJECT] <= 4]
    rows = small[small[CODE] == "REHABCAST//FUGL_MEYER_UE"].drop_duplicates(SUBJECT)
    return pd.concat([small, rows.assign(**{CODE: code, NUMBER: value})], ignore_index=True)


def forget() -> None:
    known._learned = known._Learned.nothing()


@pytest.fixture
def folder(events: pd.DataFrame, tmp_path: Path) -> Path:
    learn(Additions("codes.toml", (KNEE,)))
    write_cohort(with_own(events), PROVENANCE, tmp_path / "cohort")
    forget()
    return tmp_path / "cohort"


def test_a_cohort_is_read_where_nobody_knows_its_codes(folder: Path) -> None:
    assert KNEE.code not in vocabulary()
    cohort = read_cohort(folder)
    assert vocabulary()[KNEE.code] == KNEE
    assert (cohort.events[CODE] == KNEE.code).sum() == 4
    assert "Knee score" in {row.name for row in summarise(cohort).codes}


def test_without_its_vocabulary_its_codes_are_unknown(folder: Path) -> None:
    (folder / OWN).unlink()
    with pytest.raises(CohortInvalid, match="'OURS//KNEE' is not in the vocabulary"):
        read_cohort(folder)


def test_a_cohort_does_not_borrow_the_codes_of_one_that_was_read_before(
    folder: Path, tmp_path: Path
) -> None:
    read_cohort(folder)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / OWN).unlink()
    with pytest.raises(CohortInvalid, match="'OURS//KNEE' is not in the vocabulary"):
        read_cohort(other)
    learn(Additions("site.toml", (KNEE,)), of_site=True)
    assert len(read_cohort(other).events) == len(read_cohort(folder).events)


def test_the_digest_holds_what_the_codes_mean(folder: Path) -> None:
    before = read_cohort(folder).digest
    forget()
    text = (folder / OWN).read_text("utf-8")
    (folder / OWN).write_text(text.replace("48.4", "60.0"), "utf-8")
    assert read_cohort(folder).digest != before


def test_a_cohort_of_shipped_codes_is_as_before(events: pd.DataFrame, tmp_path: Path) -> None:
    small = events[events[SUBJECT] <= 4]
    plain = write_cohort(small, PROVENANCE, tmp_path / "plain")
    learn(Additions("site.toml", (KNEE,)), of_site=True)
    beside = write_cohort(small, PROVENANCE, tmp_path / "beside")
    assert folder_digest(tmp_path / "plain") == folder_digest(tmp_path / "beside")
    assert plain.digest == beside.digest == folder_digest(tmp_path / "plain" / "data")
    assert not (tmp_path / "beside" / OWN).exists()


def test_what_is_wrong_with_its_vocabulary_is_listed_and_forgotten(folder: Path) -> None:
    text = (folder / OWN).read_text("utf-8")
    (folder / OWN).write_text(text.replace("0.7", "99").replace("{score}", "points"), "utf-8")
    with pytest.raises(CohortInvalid) as refusal:
        read_cohort(folder)
    assert len(refusal.value.problems) == 2
    (folder / OWN).write_text(text.replace("48.4", "12.0"), "utf-8")
    data = folder / "data" / "0.parquet"
    whole = pd.read_parquet(data)
    whole.assign(numeric_value=whole["numeric_value"].astype("float32") + 99).to_parquet(data)
    with pytest.raises(CohortInvalid):
        read_cohort(folder)
    assert KNEE.code not in vocabulary()


def test_another_meaning_than_another_cohorts_is_refused_with_both_files(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    text = as_toml(Additions("", (replace(KNEE, high=60.0),)))
    (other / OWN).write_text(text, "utf-8")
    read_cohort(folder)
    with pytest.raises(CohortInvalid) as refusal:
        read_cohort(other)
    (problem,) = refusal.value.problems
    assert problem.file == str(other / OWN)
    assert f"its high is 60 here, and 48.4 in {folder / OWN}" in problem.found
    assert vocabulary()[KNEE.code] == KNEE


def test_the_ends_of_a_range_may_be_values_though_they_are_kept_in_32_bits(
    events: pd.DataFrame, tmp_path: Path
) -> None:
    learn(Additions("codes.toml", (KNEE,)))
    assert KNEE.low is not None
    assert KNEE.high is not None
    assert float(np.float32(KNEE.low)) < KNEE.low
    assert float(np.float32(KNEE.high)) > KNEE.high
    for end in (KNEE.low, KNEE.high):
        write_cohort(with_own(events, value=end), PROVENANCE, tmp_path / f"{end}")
        read_cohort(tmp_path / f"{end}")
    with pytest.raises(CohortInvalid, match=r"impossible, expected 0\.7 to 48\.4"):
        write_cohort(with_own(events, value=48.41), PROVENANCE, tmp_path / "beyond")


def test_its_events_are_replaced_and_its_vocabulary_stays(folder: Path) -> None:
    cohort = read_cohort(folder)
    kept = cohort.events[cohort.events[CODE] != KNEE.code].astype({CODE: object})
    before = (folder / OWN).read_bytes()
    replaced = replace_events(folder, kept)
    assert (folder / OWN).read_bytes() == before
    assert isinstance(replaced, Cohort)


def test_exports_carry_its_vocabulary(folder: Path, tmp_path: Path) -> None:
    cohort = read_cohort(folder)
    for form, place in (("csv", "vocabulary.toml"), ("meds", OWN)):
        files = export(cohort, folder, tmp_path / form, form)
        assert tmp_path / form / place in files
        assert (tmp_path / form / place).read_bytes() == (folder / OWN).read_bytes()
    forget()
    assert read_cohort(tmp_path / "meds").digest == cohort.digest


def test_a_daily_code_of_its_own_has_a_column(events: pd.DataFrame, tmp_path: Path) -> None:
    stairs = Code(
        code="OURS//STAIRS", name="stairs climbed", kind=Kind.DAILY, modality="gait",
        domain=Domain.WALKING, unit="/d", low=0.0, high=500.0, source="ours",
    )  # fmt: skip
    learn(Additions("codes.toml", (stairs,)))
    write_cohort(with_own(events, stairs.code), PROVENANCE, tmp_path / "cohort")
    export(read_cohort(tmp_path / "cohort"), tmp_path / "cohort", tmp_path / "csv", "csv")
    days = pd.read_csv(tmp_path / "csv" / "days.csv")
    assert days["OURS//STAIRS"].notna().sum() == 4
    assert TIME not in days
