"""A vocabulary file is read as a whole or refused with everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import CohortInvalid, ContractError
from contracts.vocabulary import Additions, Kind, vocabulary
from contracts.vocabulary.additions import (
    LARGEST_FILE,
    MOST_CODES,
    as_toml,
    parse_additions,
    read_additions,
)
from tests.contracts.vocabulary import drawn

KNEE: dict[str, Any] = {
    "code": "OURS//KNEE", "name": "Knee score", "kind": "assessment", "modality": "assessments",
    "domain": "walking", "unit": "{score}", "low": 0, "high": 48, "better": "higher", "step": 1,
    "source": "our manual",
}  # fmt: skip
SIDE: dict[str, Any] = {
    "code": "OURS//SIDE", "name": "operated knee", "kind": "person", "modality": "person",
    "labels": ["left", "right"], "source": "ours",
}  # fmt: skip


def written(*entries: dict[str, Any]) -> bytes:
    def value(given: Any) -> str:
        if isinstance(given, list):
            return f"[{', '.join(map(value, given))}]"
        if isinstance(given, str) and not given.startswith("RAW:"):
            return '"' + given.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        return str(given).lower().removeprefix("raw:")

    return "\n".join(
        "[[code]]\n" + "\n".join(f"{key} = {value(v)}" for key, v in entry.items() if v is not None)
        for entry in entries
    ).encode()


def problems_of(content: bytes) -> list[str]:
    with pytest.raises(CohortInvalid) as refusal:
        parse_additions(content, "codes.toml")
    assert all(problem.file == "codes.toml" for problem in refusal.value.problems)
    return [f"{problem.field}: {problem.message}" for problem in refusal.value.problems]


def test_a_sound_file_is_read_with_its_codes_in_order() -> None:
    knee, side = parse_additions(written(SIDE, KNEE), "codes.toml").codes
    assert (knee.code, knee.kind, knee.high, knee.step) == ("OURS//KNEE", Kind.ASSESSMENT, 48, 1)
    assert side.labels == ("left", "right")
    assert vocabulary().keys().isdisjoint({"OURS//KNEE"})
    with_mark = b"\xef\xbb\xbf" + written(KNEE, SIDE)
    assert parse_additions(with_mark, "x").codes == (knee, side)


@given(drawn.sets())
def test_what_is_written_is_read_as_it_was(codes: list[Any]) -> None:
    text = as_toml(Additions("any", tuple(codes)))
    again = parse_additions(text.encode(), "any")
    assert again.codes == tuple(sorted(codes, key=lambda entry: entry.code))
    assert as_toml(again) == text


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"code": "knee"}, "has not the form of a code"),
    ({"code": "OURS//../../etc/passwd"}, "has not the form of a code"),
    ({"code": "OURS//A/B"}, "has not the form of a code"),
    ({"code": "OURS//a\nb"}, "has not the form of a code"),
    ({"code": "OURS//" + "x" * 65}, "has not the form of a code"),
    ({"code": "O//X"}, "has not the form of a code"),
    ({"code": "OURS//\u202eX"}, "has not the form of a code"),
    ({"code": "REHABCAST//MINE"}, "REHABCAST is not yours to define codes in"),
    ({"code": "MEDS_BIRTH//X"}, "is not yours to define codes in"),
    ({"code": "LOINC//knee"}, "has not the form of a LOINC code"),
    ({"code": "LOINC//72133-3"}, "its check digit is wrong"),
    ({"code": 3}, "code is 3, but it should be a valid string"),
    ({"code": None}, "code is missing"),
    ({"name": ""}, "name: it is empty"),
    ({"name": " knee"}, "blanks around it"),
    ({"name": "knee\u202escore"}, "signs that cannot be seen"),
    ({"name": "knee\nscore"}, "signs that cannot be seen"),
    ({"name": "x" * 81}, "it has 81 characters"),
    ({"name": "Barthel Index"}, "the name of another code of rehabcast"),
    ({"kind": "score"}, "kind: 'score' is none: write one of person, event, assessment, daily"),
    ({"modality": "knees"}, "'knees' is no modality of codes of the kind assessment"),
    ({"modality": "person"}, "'person' is no modality of codes of the kind assessment"),
    ({"kind": "daily", "better": None, "step": None}, "no modality of codes of the kind daily"),
    ({"domain": "legs"}, "domain: 'legs' is none"),
    ({"domain": None}, "domain: it is missing"),
    ({"unit": None}, "unit: it is missing: a number needs a unit, low and high"),
    ({"unit": "points"}, "'points' is no unit of UCUM"),
    ({"unit": "kgs"}, "'kgs' is no unit of UCUM"),
    ({"low": None}, "low: it is missing"),
    ({"low": "RAW:nan"}, "finite number"),
    ({"high": "RAW:inf"}, "finite number"),
    ({"high": True}, "it should be a valid number"),
    ({"high": "48"}, "it should be a valid number"),
    ({"low": 48}, "48 is not below high, 48"),
    ({"low": 50}, "50 is not below high, 48"),
    ({"high": 1e12}, "too wide to be kept"),
    ({"step": -1}, "steps of -1 do not lead"),
    ({"step": 5}, "steps of 5 do not lead from 0 to 48"),
    ({"better": None}, "better: it is missing"),
    ({"better": "more"}, "'more' is neither"),
    ({"labels": ["good", "bad"]}, "a value is a label or a number, and this has both"),
    ({"source": ""}, "source: it is empty"),
    ({"source": None}, "source is missing"),
    ({"include": "other.toml"}, "include is not a key here"),
    ({"fhir": ["KNEE-1"]}, "'KNEE-1' is no code of FHIR"),
    ({"fhir": ["https://h.example|a,b"]}, "is no code of FHIR"),
    ({"fhir": ["urn:rehabcast:vocabulary|X"]}, "is not yours to give"),
    ({"fhir": "https://h.example|a"}, "it should be a valid list"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), WRONG, ids=[str(change)[:40] for change, _ in WRONG])
def test_an_entry_is_refused_for_what_is_wrong_with_it(change: dict[str, Any], said: str) -> None:
    said_of_it = problems_of(written(SIDE, {**KNEE, **change}))
    assert any(said in line for line in said_of_it), said_of_it
    assert all(line.startswith("code 2") for line in said_of_it)


OF_A_PERSON: list[tuple[dict[str, Any], str]] = [
    ({"unit": "kg"}, "needs a unit, low and high"),
    ({"labels": ["left", "Left"]}, "two of them are alike"),
    ({"labels": ["left", "not recorded"]}, "is kept for who has none"),
    ({"labels": [f"{n}" for n in range(60)]}, "there are 60"),
    ({"labels": ["left", ""]}, "it is empty"),
    ({"domain": "arm"}, "tells of no domain"),
    ({"better": "lower"}, "has none"),
    ({"kind": "event"}, "a code of the kind event has none"),
    ({"modality": "gait"}, "is no modality"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), OF_A_PERSON)
def test_a_fact_of_a_person_is_refused_for_what_is_wrong_with_it(
    change: dict[str, Any], said: str
) -> None:
    said_of_it = problems_of(written({**SIDE, **change}))
    assert any(said in line for line in said_of_it), said_of_it


def test_everything_that_is_wrong_is_said_at_once() -> None:
    lines = problems_of(
        b'include = "x"\n' + written({**KNEE, "unit": "x", "low": 99}, SIDE, {**SIDE, "kind": "x"})
    )
    assert len(lines) == 6, lines
    assert any("'OURS//SIDE', code: it stands there twice" in line for line in lines)


HOSTILE = [
    b"\x00\xff", b"[[code", b"code = 3", b"", b"code = []", b"[code]\nx = 1", b"[[code]]",
    b"[[code]]\n" * (MOST_CODES + 1), b"x = " + b"[" * 100_000, b"#" * 10_000_000,
    b'code = ["a"]', written({**KNEE, "name": "RAW:[" + "[" * 500 + "]" * 500 + "]"}),
    b'[[code]]\n"' + b"a" * 1000 + b'" = 1', b"[[code]]\ncode = 1979-05-27T07:32:00Z",
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_is_refused_in_few_words(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "codes.toml"
    file.write_bytes(content)
    with pytest.raises(CohortInvalid) as refusal:
        read_additions(file, "codes.toml")
    assert len(str(refusal.value)) < 4_000
    assert str(tmp_path) not in str(refusal.value)


def test_no_more_is_read_of_a_file_than_a_vocabulary_can_have() -> None:
    assert "more than 256 KiB" in problems_of(b"#" * (LARGEST_FILE + 1))[0]


def test_what_is_no_file_and_what_is_of_a_later_form_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(ContractError, match=r"it is no file|cannot be read"):
            read_additions(place)
    with pytest.raises(ContractError, match="rehabcast-vocabulary/9"):
        parse_additions(b'format = "rehabcast-vocabulary/9"', "codes.toml")


@given(st.binary(max_size=300) | st.text("[]code=\"'\n#{}1.e", max_size=80).map(str.encode))
def test_any_bytes_are_refused_in_a_list(content: bytes) -> None:
    with pytest.raises(CohortInvalid):
        parse_additions(content, "codes.toml")


def test_loinc_codes_of_the_shipped_vocabulary_pass_the_check_digit() -> None:
    for code in vocabulary():
        if code.startswith("LOINC//"):
            lines = problems_of(written({**KNEE, "code": code, "unit": "x"}))
            assert not any("LOINC" in line.partition(": ")[2] for line in lines)
