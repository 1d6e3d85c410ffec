"""The shipped instruments: what was read is shipped as it was noted, and nothing that was not."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from contracts.vocabulary import Domain, Kind, shipped
from contracts.vocabulary.checks import Entry, faults_of
from contracts.vocabulary.instruments import Figure, instruments, published_recovery_rule

ROOT = Path(__file__).resolve().parents[3]
NOTED = ROOT.parent / "shared" / "research"
LOINC, SNOMED = "http://loinc.org|", "http://snomed.info/sct|"

NAMED: dict[str, str] = {"CAHAI_13": "CAHAI"}
"""Instruments that had another name here before the table was made."""

DEPARTURES = {
    ("CAHAI_13", "low"): 0.0,  # 0 is recorded for not testable, in cohorts that exist
    ("GRIP_STRENGTH", "unit"): "kgf",  # a force: UCUM converts LOINC's [lbf_av] into it
}
ISSUE = """
FUGL_MEYER_UE FUGL_MEYER_LE FUGL_MEYER_BALANCE ARAT WMFT_TIME WMFT_FAS BOX_AND_BLOCK NINE_HOLE_PEG
GRIP_STRENGTH CAHAI MAL_AOU MAL_QOM NIHSS RANKIN BARTHEL BARTHEL_FEEDING FIM_TOTAL FIM_MOTOR
FIM_COGNITIVE FIM_EATING GG_SELF_CARE GG_MOBILITY GG0130A BERG MINI_BESTEST FGA TUG WALK_TEST_SPEED
FOUR_METRE_WALK SIX_MINUTE_WALK TWO_MINUTE_WALK WALKING_CATEGORY SPPB CHAIR_STAND_30S SIT_TO_STAND_5
RIVERMEAD ASHWORTH EDSS T25FW MSWS_12 MDS_UPDRS_2 MDS_UPDRS_3 PDQ_39 WISCI_2 SCIM_3 KOOS_PAIN HOOS_PAIN
OXFORD_HIP OXFORD_KNEE KNEE_FLEXION KNEE_EXTENSION HAQ_DI DASH QUICKDASH CONSTANT_MURLEY OSWESTRY
PROMIS_PF EQ_5D_INDEX WHODAS_36 WHODAS_12 BORG_RPE PEAK_VO2 MOCA PHQ_9 HADS_ANXIETY HADS_DEPRESSION
LIVING_SITUATION CARER WORK EXERCISE_SELF_EFFICACY SAFE MRC_FINGER_EXTENSION TRUNK_CONTROL_TEST
"""


def code_of(key: str) -> str:
    return f"REHABCAST//{NAMED.get(key, key)}"


@pytest.fixture(scope="module")
def noted() -> list[dict[str, str]]:
    table = NOTED / "instruments.csv"
    if not table.exists():
        pytest.skip("the table of research is not beside the checkout (../shared)")
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_instrument_that_is_asked_for_is_shipped() -> None:
    assert [name for name in ISSUE.split() if f"REHABCAST//{name}" not in shipped()] == []
    assert instruments().keys() <= shipped().keys()


def test_a_recovery_rule_is_of_one_instrument_with_its_source() -> None:
    rule = published_recovery_rule("REHABCAST//FUGL_MEYER_UE")
    assert rule is not None
    assert rule.share == 0.70
    assert "Prabhakaran 2008" in rule.source
    others = {code for code in shipped() if published_recovery_rule(code) is not None}
    assert others == {"REHABCAST//FUGL_MEYER_UE"}
    assert published_recovery_rule("OURHOSPITAL//SCORE") is None


def test_scales_are_as_they_were_noted(noted: list[dict[str, str]]) -> None:
    wrong = []
    for row in noted:
        entry = shipped()[code_of(row["key"])]
        for field, wanted in (
            ("unit", row["unit"]), ("low", float(row["low"])), ("high", float(row["high"])),
            ("step", float(row["step"])), ("better", row["better"] or "higher"),
        ):  # fmt: skip
            wanted = DEPARTURES.get((row["key"], field), wanted)
            if getattr(entry, field) != wanted:
                wrong.append((row["key"], field, getattr(entry, field), wanted))
    assert wrong == []


def test_codes_of_terminologies_are_those_that_were_noted(noted: list[dict[str, str]]) -> None:
    own, tokens = defaultdict(set), set()
    for row in noted:
        found = re.findall(r"\d+-\d", row["loinc"]) + re.findall(r"\d{6,}", row["snomed"])
        own[code_of(row["key"])] |= set(found)
    for side in ("LEFT", "RIGHT"):
        own[f"REHABCAST//GRIP_STRENGTH_{side}"] = own["REHABCAST//GRIP_STRENGTH"]
    items = set(re.findall(r"\b\d{5}-\d\b", (NOTED / "instruments.md").read_text("utf-8")))
    for code, known in instruments().items():
        entry = shipped()[code]
        coded = {each.code for each in known.coded}
        assert coded <= (own[code] or items), code
        read_by = {t.partition("|")[2] for t in entry.fhir if t.startswith((LOINC, SNOMED))}
        assert read_by <= coded, code
        tokens |= read_by
    assert len(tokens) > 50


def figures_noted(cell: str) -> dict[str, set[float]]:
    """Return the numbers of a cell by their standing: V (read), N (noted) or R (recalled)."""
    found: dict[str, set[float]] = defaultdict(set)
    standing = "?"
    for part in cell.split(";"):
        if match := re.match(r"\s*([VNR])\b", part):
            standing = match[1]
        numbers = re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?|(?<![\w.])\.\d+", part)
        found[standing] |= {float(number.replace(",", "")) for number in numbers}
    return found


def test_no_figure_is_shipped_that_was_not_read_or_noted(noted: list[dict[str, str]]) -> None:
    by_code = {code_of(row["key"]): row for row in noted}
    for side in ("LEFT", "RIGHT"):
        by_code[f"REHABCAST//GRIP_STRENGTH_{side}"] = by_code["REHABCAST//GRIP_STRENGTH"]
    for code, known in instruments().items():
        for column, figures in (("mid", known.differences), ("error", known.errors)):
            if not figures:
                continue
            have = figures_noted(by_code[code][column])
            for figure in figures:
                letter = "V" if figure.standing == "read" else "N"
                ends = {figure.value, *([] if figure.to is None else [figure.to])}
                assert ends <= have[letter], (code, column, ends, dict(have))


def test_every_instrument_whose_difference_was_read_has_one(noted: list[dict[str, str]]) -> None:
    without = {
        row["key"]
        for row in noted
        if row["mid_read"] in {"yes", "noted"}
        and not instruments()[code_of(row["key"])].differences
    }
    assert without == set()
    errors = {
        row["key"]
        for row in noted
        if row["error_read"] in {"yes", "noted"} and not instruments()[code_of(row["key"])].errors
    }
    # Read of these: that it detects few changes, that a small one cannot be seen, a yearly course.
    assert errors == {"RANKIN", "SPPB", "MDS_UPDRS_3"}


def test_what_is_recalled_is_to_be_confirmed() -> None:
    for code, entry in shipped().items():
        if code in instruments() and entry.source.startswith("recalled"):
            assert entry.confirm == ("range", "step", "direction"), code
        if "recalled" in entry.source:
            assert entry.to_confirm.endswith("to be confirmed"), code
    assert shipped()["REHABCAST//BERG"].to_confirm == ""
    assert shipped()["REHABCAST//TUG"].to_confirm == "range, step and direction to be confirmed"
    assert shipped()["REHABCAST//BARTHEL"].to_confirm == "step to be confirmed"


@pytest.mark.parametrize(
    "total",
    ["FIM_TOTAL", "FIM_MOTOR", "FIM_COGNITIVE", "BARTHEL", "GG_SELF_CARE", "GG_MOBILITY", "SAFE"],
)
def test_the_items_of_a_total_reach_from_its_low_to_its_high_end(total: str) -> None:
    whole = shipped()[f"REHABCAST//{total}"]
    items = [shipped()[code] for code, known in instruments().items() if known.of == whole.code]
    assert sum(item.low or 0 for item in items) == whole.low
    assert sum(item.high or 0 for item in items) == whole.high
    assert {(item.better, item.unit) for item in items} == {(whole.better, whole.unit)}


def test_an_item_belongs_to_another_code_and_no_ring() -> None:
    for code, known in instruments().items():
        seen = {code}
        while known.of:
            assert known.of not in seen, code
            seen.add(known.of)
            assert shipped()[known.of].kind is Kind.ASSESSMENT
            known = instruments()[known.of]


VERHOEFF = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
PERMUTED = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def verhoeff(number: str) -> int:
    check = 0
    for place, digit in enumerate(reversed(number)):
        check = int(VERHOEFF[check][int(PERMUTED[place % 8][int(digit)])])
    return check


def test_codes_of_terminologies_pass_their_check_digits() -> None:
    assert verhoeff("404933001") == 0 != verhoeff("404933002")
    for known in instruments().values():
        for each in known.coded:
            assert each.display
            assert each.read_at
            if each.system == "SNOMED CT":
                assert verhoeff(each.code) == 0, each
                continue
            entry = Entry.model_validate(
                {"code": f"LOINC//{each.code}", "name": "x", "kind": "event", "modality": "person",
                 "source": "x"}
            )  # fmt: skip
            assert [fault for fault in faults_of(entry) if fault[0] == "code"] == [], each


def test_an_ambiguous_code_reads_nothing() -> None:
    tokens = [token for entry in shipped().values() for token in entry.tokens]
    assert len(tokens) == len(set(tokens))
    # Of either form of its instrument; and of a rating that may be 6 to 20 or 0 to 10.
    for ambiguous in (f"{SNOMED}273302005", f"{SNOMED}719091001", f"{LOINC}82289-0"):
        assert ambiguous not in tokens
    invented = ("97711-6", "83141-2", "83167-7", "77720-1", "66253-6", "165263003", "1255891005")
    assert not [token for token in tokens if token.partition("|")[2] in invented]


def test_figures_say_of_whom_and_from_where_they_are() -> None:
    figures: list[Figure] = [
        figure for known in instruments().values() for figure in (*known.differences, *known.errors)
    ]
    assert len(figures) > 120
    for figure in figures:
        assert figure.source
        assert figure.value > 0
        assert figure.to is None or figure.to > figure.value
        assert figure.standing in {"read", "noted"}


def test_a_side_is_named_by_code_and_facts_alike() -> None:
    for code, known in instruments().items():
        named = {"left", "right"} & set(re.findall(r"\w+", shipped()[code].name))
        assert named == ({known.side} if known.side else set()) or len(named) == 2, code


def test_balance_and_participation_have_instruments() -> None:
    domains = {entry.domain for entry in shipped().values() if entry.kind is Kind.ASSESSMENT}
    assert {Domain.BALANCE, Domain.PARTICIPATION} <= domains


def test_reading_codes_reads_no_figures() -> None:
    program = (
        "import sys, contracts.vocabulary;print('contracts.vocabulary.instruments' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "False"
