from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from contracts.cohort import CODE, NUMBER, SUBJECT, TEXT
from contracts.errors import CohortInvalid, ContractError
from features.checks import check_events
from features.sequences import training_sequences
from features.sources.cohorts.nhanes_wrist import FILE, NEEDED, import_nhanes_wrist
from training.task import read_task

ROOT = Path(__file__).resolve().parents[4]
REAL = ROOT.parent / "shared" / "data" / "nhanes_2011_14"


def person(subject: int, **changed: object) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(NEEDED, 0.0)
    row |= {
        "SEQN": subject, "num_valid_days": 6, "age_in_years_at_screening": 60, "gender": "Female",
        "race_hispanic_origin": "Other Hispanic", "cat_education": "Less than HS", "arthritis": 1.0,
        "body_mass_index_kg_m_2": 27.0, "bin_mobilityproblem": 1.0, "mortstat": 0.0,
        "permth_exm": 80.0, "total_oaksteps": 7_000.0,
    }  # fmt: skip
    return row | changed


def written(folder: Path, *rows: dict[str, object]) -> Path:
    pd.DataFrame(rows).to_csv(folder / FILE, index=False)
    return folder


def test_people_out_of_age_or_without_valid_days_are_left_out_and_counted(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        person(1),
        person(2, age_in_years_at_screening=49),
        person(3, num_valid_days=2),
        person(4, permth_exm=40.0),
        person(5, permth_exm=40.0, mortstat=1.0, bin_mobilityproblem=None),
    )
    events, provenance = import_nhanes_wrist(source)
    assert not check_events(events, file="test")
    assert sorted(events[SUBJECT].unique()) == [1, 4, 5]
    assert [rule.rows for rule in provenance.rules] == [1, 1, 3, 3, 1]
    value = events.set_index([SUBJECT, CODE])
    # A problem is the lower score; followed for 40 months and alive says nothing of 60.
    assert value.loc[(1, "REHABCAST//MOBILITY"), NUMBER] == 0
    assert value.loc[(1, "REHABCAST//ALIVE"), NUMBER] == 1
    assert value.loc[(5, "REHABCAST//ALIVE"), NUMBER] == 0
    assert (4, "REHABCAST//ALIVE") not in value.index
    assert (5, "REHABCAST//MOBILITY") not in value.index
    assert value.loc[(1, "REHABCAST//ETHNICITY"), TEXT] == "Hispanic"


def test_a_label_that_no_rule_covers_is_reported(tmp_path: Path) -> None:
    source = written(tmp_path, person(1, race_hispanic_origin="Martian"))
    with pytest.raises(CohortInvalid, match="'Martian' is unknown"):
        import_nhanes_wrist(source)


def test_a_wrong_file_is_reported(tmp_path: Path) -> None:
    pd.DataFrame({"SEQN": [1]}).to_csv(tmp_path / FILE, index=False)
    with pytest.raises(ContractError, match="no column num_valid_days"):
        import_nhanes_wrist(tmp_path)
    with pytest.raises(ContractError, match="check the path"):
        import_nhanes_wrist(tmp_path / "nowhere")


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here")
@pytest.mark.parametrize(("name", "subjects"), [("mobility", 3018), ("five-year-survival", 3004)])
def test_the_real_people_become_a_task_without_any_past_score(name: str, subjects: int) -> None:
    events, _ = import_nhanes_wrist(REAL)
    task = read_task(ROOT / "tasks" / f"{name}.toml")
    batch = training_sequences(events, task)
    assert len(batch) == subjects
    assert (batch.last_score_B == task.target.assumed).all()
    assert not batch.observed_BTC[:, :, batch.layout.channels_C.index(task.target.code)].any()


@pytest.mark.parametrize("identifier", ["01", "1.5", "A1", ""])
def test_an_identifier_that_is_no_plain_number_is_refused(tmp_path: Path, identifier: str) -> None:
    source = written(tmp_path, person(1), person(identifier))  # type: ignore[arg-type]
    with pytest.raises(CohortInvalid, match="where a whole number is expected"):
        import_nhanes_wrist(source)


def test_a_comma_at_the_end_of_each_row_moves_no_column(tmp_path: Path) -> None:
    source = written(tmp_path, person(1), person(4))
    events, _ = import_nhanes_wrist(source)
    lines = (tmp_path / FILE).read_bytes()
    text = gzip.decompress(lines).decode() if lines[:2] == b"\x1f\x8b" else lines.decode()
    header, *rows = text.splitlines()
    (tmp_path / FILE).write_text("\n".join([header, *(f"{row}," for row in rows), ""]))
    again, _ = import_nhanes_wrist(source)
    assert again.equals(events)
