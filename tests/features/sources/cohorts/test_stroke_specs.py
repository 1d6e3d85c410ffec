from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from contracts.cohort import CODE, ENROLMENT, NOMINAL_ONSET, SUBJECT, TIME
from contracts.errors import CohortInvalid, ContractError
from features.cohort import write_cohort
from features.sources.cohorts.stroke_specs import import_stroke_specs, stroke_type

REAL = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "stroke_specs"


def written(
    folder: Path, change: Callable[[pd.DataFrame, pd.DataFrame], None] = lambda *_: None
) -> Path:
    """Two made-up patients in the two files' form, changed before they are written."""
    scales = pd.DataFrame(
        {
            "patientID": [3, 3, 7, 7],
            "treatment": ["rgs3w"] * 4,
            "study": ["acute"] * 4,
            "new_days_after_stroke": [11, 11, 400, 400],
            "eval_time": ["w12", "baseline", "baseline", "m06"],
            "fuglmeyer": [49.0, 46.0, 12.0, None],
            "cahai": [83.0, 61.0, 20.0, 22.0],
            "barthel": [76.0, 46.0, 90.0, 90.0],
        }
    ).astype({"eval_time": object})
    person = pd.DataFrame(
        {
            "patientID": [3, 7, 9],
            "hospital": [0, 2, 1],
            "gender": [2, 1, 1],
            "age": [85.0, None, 60.0],
            "stroke_type": ["Cardioembolico", None, "Hemorragic"],
            "affected_arm": [1, 2, 2],
            "aphasia": ["no", None, "yes"],
        }
    ).astype({"stroke_type": object, "aphasia": object, "gender": object})
    change(scales, person)
    folder.mkdir(exist_ok=True)
    scales.to_csv(folder / "Clinical_Scales.csv", index=False)
    person.to_excel(folder / "Demographics_and_ClinicalScreening.xlsx", index=False)
    return folder


def test_days_become_dates_after_a_nominal_onset(tmp_path: Path) -> None:
    events, _ = import_stroke_specs(written(tmp_path))
    patient = events[events[SUBJECT] == 3].set_index(CODE)
    assert patient.loc[ENROLMENT, TIME] == NOMINAL_ONSET + pd.Timedelta(days=11)
    scores = patient.loc[["REHABCAST//FUGL_MEYER_UE"], TIME]
    assert sorted((scores - NOMINAL_ONSET).dt.days) == [11, 11 + 84]


def test_what_is_missing_has_no_row_and_each_rule_says_how_many(tmp_path: Path) -> None:
    events, provenance = import_stroke_specs(written(tmp_path))
    rules = {rule.rule: rule.rows for rule in provenance.rules}
    assert rules["no score in the cell: left out"] == 1
    assert rules["no age: left out (not recorded)"] == 1
    assert rules["patient without any scale: left out"] == 1
    assert rules["free-text stroke type read as cardioembolic"] == 1
    assert set(events[SUBJECT]) == {3, 7}
    write_cohort(events, provenance, tmp_path / "cohort")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Hemorragic. Capsulo-talamic hematoma.", "haemorrhagic"),
        ("Hematoma intraparenquimatoso fontotemporal", "haemorrhagic"),
        ("Thalamic Hemorrhage", "haemorrhagic"),
        ("Small - vessel occlusion", "small vessel"),
        ("ocl peq vaso", "small vessel"),
        ("Atherotrombotic", "large artery"),
        ("atherosclerotic", "large artery"),
        ("Cardioembolico", "cardioembolic"),
        ("Indeterminate", "undetermined"),
        ("Other", "other"),
        ("lacunar?", None),
    ],
)
def test_free_text_stroke_types_are_read_by_pattern(text: str, label: str | None) -> None:
    assert stroke_type(text) == label


def put(table: int, column: str, row: int, value: object) -> Callable[..., None]:
    def change(*tables: pd.DataFrame) -> None:
        tables[table].loc[row, column] = value

    return change


@pytest.mark.parametrize(
    ("change", "file", "row", "field"),
    [
        (put(0, "fuglmeyer", 2, 67.0), "Clinical_Scales.csv", 4, "fuglmeyer"),
        (put(0, "eval_time", 1, "w99"), "Clinical_Scales.csv", 3, "eval_time"),
        (put(0, "eval_time", 1, "w12"), "Clinical_Scales.csv", 3, "eval_time"),
        (
            put(0, "new_days_after_stroke", 3, 401),
            "Clinical_Scales.csv",
            5,
            "new_days_after_stroke",
        ),
        (
            put(1, "stroke_type", 2, "lacunar?"),
            "Demographics_and_ClinicalScreening.xlsx",
            4,
            "stroke_type",
        ),
        (put(1, "gender", 0, 3), "Demographics_and_ClinicalScreening.xlsx", 2, "gender"),
        (put(1, "age", 2, 240.0), "Demographics_and_ClinicalScreening.xlsx", 4, "age"),
        (put(1, "aphasia", 0, "maybe"), "Demographics_and_ClinicalScreening.xlsx", 2, "aphasia"),
        (put(1, "patientID", 1, 3), "Demographics_and_ClinicalScreening.xlsx", 3, "patientID"),
    ],
)
def test_a_cell_that_no_rule_covers_is_reported_with_its_place(
    tmp_path: Path, change: Callable[..., None], file: str, row: int, field: str
) -> None:
    with pytest.raises(CohortInvalid) as caught:
        import_stroke_specs(written(tmp_path, change))
    places = [(problem.file, problem.row, problem.field) for problem in caught.value.problems]
    assert (file, row, field) in places


def test_missing_files_and_columns_are_reported(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="0 files match"):
        import_stroke_specs(tmp_path)
    folder = written(tmp_path / "source")
    scales = pd.read_csv(folder / "Clinical_Scales.csv").drop(columns="cahai")
    scales.to_csv(folder / "Clinical_Scales.csv", index=False)
    with pytest.raises(CohortInvalid, match="cahai: no such column"):
        import_stroke_specs(folder)
    (folder / "Demographics_and_ClinicalScreening.xlsx").write_bytes(b"not a spreadsheet")
    written_again = pd.read_csv(folder / "Clinical_Scales.csv").assign(cahai=1.0)
    written_again.to_csv(folder / "Clinical_Scales.csv", index=False)
    with pytest.raises(CohortInvalid, match="cannot be read"):
        import_stroke_specs(folder)


@pytest.mark.skipif(not REAL.exists(), reason="the real SPECS files are not beside the checkout")
def test_the_real_files_import_whole(tmp_path: Path) -> None:
    events, provenance = import_stroke_specs(REAL)
    counts = events[CODE].value_counts()
    assert events[SUBJECT].nunique() == 167
    assert counts["REHABCAST//FUGL_MEYER_UE"] == 617
    assert counts["REHABCAST//CAHAI"] == 617
    assert counts["REHABCAST//BARTHEL"] == 616
    assert not provenance.simulated
    write_cohort(events, provenance, tmp_path / "cohort")
