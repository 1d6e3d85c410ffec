"""A source whose map defines codes of its own, in its own units."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.cohort import CODE, NUMBER, TEXT
from contracts.digests import folder_digest
from contracts.errors import CohortInvalid
from contracts.vocabulary import vocabulary
from features.importing import Imported, grow_cohort, import_source
from tests.vocabularies import KNEE

CODES = (
    KNEE
    + """
[[code]]
code = "OURS//WEIGHT"
name = "weight"
kind = "person"
modality = "person"
unit = "kg"
low = 20
high = 300
source = "our scales"

[[code]]
code = "OURS//KNEE_SIDE"
name = "operated knee"
kind = "person"
modality = "person"
labels = ["left", "right"]
source = "ours"
"""
)
MAP = """
name = "ours"
clock = "days since onset"
vocabulary = "codes.toml"

[[tables]]
file = "people.csv"
subject = "id"
columns = [
    { column = "in", code = "REHABCAST//ENROLMENT" },
    { column = "weight", code = "OURS//WEIGHT", unit = "UNIT" },
    { column = "side", code = "OURS//KNEE_SIDE", labels = { L = "left", R = "right" } },
]
[[tables]]
file = "scores.csv"
subject = "id"
when = "day"
columns = [
    { column = "knee", code = "OURS//KNEE", unit = "{points}" },
    { column = "walk", code = "REHABCAST//SIX_MINUTE_WALK", unit = "km" },
]
"""
PEOPLE = "id,in,weight,side\n1,5,165,L\n2,6,999,R\n3,6,,L\n"
SCORES = "id,day,knee,walk\n1,5,12,0.25\n1,40,30,0.999\n2,6,20,9.99\n3,6,49,0.3\n"


def imported(folder: Path, *, codes: str = CODES, unit: str = "[lb_av]") -> Imported:
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "codes.toml").write_text(codes, "utf-8")
    (source / "map.toml").write_text(MAP.replace("UNIT", unit), "utf-8")
    (source / "people.csv").write_text(PEOPLE, "utf-8")
    (source / "scores.csv").write_text(SCORES, "utf-8")
    return import_source(source / "map.toml", folder / "cohort")


def numbers(done: Imported, code: str) -> list[float]:
    events = done.cohort.events
    return sorted(events[events[CODE] == code][NUMBER])


def test_codes_of_the_map_are_read_converted_and_kept_with_the_cohort(tmp_path: Path) -> None:
    done = imported(tmp_path)
    assert numbers(done, "OURS//WEIGHT") == [pytest.approx(165 * 0.45359237)]
    assert numbers(done, "OURS//KNEE") == [12, 20, 30]
    events = done.cohort.events
    assert set(events[events[CODE] == "OURS//KNEE_SIDE"][TEXT]) == {"left", "right"}
    assert "OURS//KNEE_SIDE" in (tmp_path / "cohort/metadata/vocabulary.toml").read_text("utf-8")
    assert done.cohort.provenance.details["vocabulary"] == "codes.toml"


def test_ranges_and_codes_for_missing_values_are_those_of_the_unit_that_is_written(
    tmp_path: Path,
) -> None:
    # 0.999 km is a distance; 999 lb is more than anybody weighs, and looks like a missing value.
    done = imported(tmp_path)
    assert numbers(done, "REHABCAST//SIX_MINUTE_WALK") == [
        pytest.approx(250), pytest.approx(300), pytest.approx(999, abs=1e-3),
    ]  # fmt: skip
    said = "\n".join(map(str, done.dropped))
    assert (
        "'9.99' where a number in km that is from 0 to 1000 m (to be confirmed) is expected" in said
    )
    assert "'49' where a number" in said
    assert "999" in said


def test_what_is_impossible_as_a_number_may_be_possible_in_its_unit(tmp_path: Path) -> None:
    # 999 is no weight in kg; 999 ounces are 28 kg, so it is kept and named.
    done = imported(tmp_path, unit="[oz_av]")
    assert numbers(done, "OURS//WEIGHT") == [pytest.approx(999 * 0.028349523125)]
    assert "kept as a value" in "\n".join(map(str, done.dropped))


@pytest.mark.parametrize(
    ("unit", "said"),
    [("m", "'m' (length) cannot be converted into 'kg' (mass)"), ("pounds", "is no unit of UCUM"),
     ("", "declared in ''"), ("{count}", "a plain number")],
)  # fmt: skip
def test_another_dimension_or_no_unit_is_refused_and_nothing_is_written(
    tmp_path: Path, unit: str, said: str
) -> None:
    with pytest.raises(CohortInvalid) as refusal:
        imported(tmp_path, unit=unit)
    assert said in str(refusal.value)
    assert not (tmp_path / "cohort").exists()


@pytest.mark.parametrize(
    "codes",
    ["", "[[code]]", CODES * 2, CODES.replace("high = 48", "high = nan"), "x" * 10_000_000,
     CODES.replace('"OURS//KNEE"', '"OURS//../../x"'), CODES.replace("step = 1", 'include = "y"'),
     CODES.replace("OURS//KNEE\"", "REHABCAST//BARTHEL\""), CODES.replace('"weight"', '"Age at onset"')],
    ids=range(9),
)  # fmt: skip
def test_a_hostile_vocabulary_is_refused_in_a_list_and_nothing_is_written(
    tmp_path: Path, codes: str
) -> None:
    with pytest.raises(CohortInvalid) as refusal:
        imported(tmp_path, codes=codes)
    assert refusal.value.problems
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
    assert not [code for code in vocabulary() if code.startswith("OURS")]


def test_a_failed_import_can_be_corrected_in_the_same_process(tmp_path: Path) -> None:
    with pytest.raises(CohortInvalid):
        imported(tmp_path / "one", unit="m")
    done = imported(tmp_path / "two", codes=CODES.replace("high = 48", "high = 60"))
    assert numbers(done, "OURS//KNEE") == [12, 20, 30, 49]


RECORDINGS = """
people = "people.csv"
vocabulary = "codes.toml"

[[signals]]
files = "*.csv"
quantity = "heart rate"
columns = ["hr"]
unit = "/min"
rate_hz = 0.0166
time = "t"
"""


@pytest.mark.parametrize("side", ["knee_side", "OURS//KNEE_SIDE"])
def test_a_table_of_people_beside_recordings_may_have_own_facts(tmp_path: Path, side: str) -> None:
    source = tmp_path / "source"
    (source / "1").mkdir(parents=True)
    (source / "1" / "a.csv").write_text("t,hr\n2024-03-04T10:00:00,70\n", "utf-8")
    for name, text in (
        ("map.toml", RECORDINGS), ("codes.toml", CODES),
        ("people.csv", f"subject,onset,enrolment,weight,{side}\n1,2024-03-01,2024-03-02,75,left\n"),
    ):  # fmt: skip
        (source / name).write_text(text, "utf-8")
    done = import_source(source, tmp_path / "cohort", map_file=source / "map.toml")
    assert numbers(done, "OURS//WEIGHT") == [75]
    events = done.cohort.events
    assert list(events[events[CODE] == "OURS//KNEE_SIDE"][TEXT]) == ["left"]
    assert not [problem for problem in done.dropped if "codes.toml" in problem.file]


MORE = """
[[code]]
code = "OURS//SHOULDER"
name = "Shoulder score"
kind = "assessment"
modality = "assessments"
domain = "arm"
unit = "{score}"
low = 0
high = 48
better = "higher"
step = 1
source = "our manual"
"""


def test_a_cohort_with_codes_of_its_own_grows_and_another_vocabulary_is_another_source(
    tmp_path: Path,
) -> None:
    """The same tables under other codes were a source that was imported before: nothing was read."""
    imported(tmp_path)
    source, cohort = tmp_path / "source", tmp_path / "cohort"
    again = grow_cohort(source / "map.toml", cohort)
    assert again.changes is not None
    assert again.changes.is_known
    (source / "codes.toml").write_text(CODES + MORE, "utf-8")
    more = grow_cohort(source / "map.toml", cohort)
    assert more.changes is not None
    assert not more.changes.is_known
    assert numbers(more, "OURS//KNEE") == [12, 20, 30]
    assert (more.changes.people, more.changes.new, more.changes.gone) == (0, 0, 0)
    before = folder_digest(cohort)
    (source / "codes.toml").write_text(CODES.replace("high = 48", "high = 60"), "utf-8")
    with pytest.raises(CohortInvalid, match="60"):
        grow_cohort(source / "map.toml", cohort)
    assert folder_digest(cohort) == before
