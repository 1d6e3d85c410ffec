"""Values of one unit become those of another where UCUM says how, and nowhere else."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.vocabulary import units, vocabulary
from contracts.vocabulary.units import NoConversion, UnitUnknown, conversion, fault_of

TABLE = [
    ("km", "m", 1.2, 1200.0),
    ("[lb_av]", "kg", 10.0, 4.5359237),
    ("[degF]", "Cel", 98.6, 37.0),
    ("Cel", "[degF]", -40.0, -40.0),
    ("K", "Cel", 273.15, 0.0),
    ("[ft_i]", "m", 1000.0, 304.8),
    ("[mi_i]/h", "m/s", 1.0, 0.44704),
    ("min/d", "h/d", 180.0, 3.0),
    ("/(30.s)", "/min", 9.0, 18.0),
    ("{#}/(30.s)", "/min", 9.0, 18.0),
    ("10*3{steps}/d", "/d", 4.2, 4200.0),
    ("%", "1", 62.0, 0.62),
    ("m[g]", "m/s2", 1000.0, 9.80665),
    ("mm[Hg]", "kPa", 120.0, 15.99864),
    ("[MET]", "mL/kg/min", 2.0, 7.0),
    ("kg.m/s2", "N", 3.0, 3.0),
    ("rad", "deg", math.pi, 180.0),
    ("deg", "'", 2.0, 120.0),
    ("g/cm2", "kg/m2", 1.0, 10.0),
    ("{steps}/d", "/d", 7.0, 7.0),
    ("{score}", "{points}", 7.0, 7.0),
]
"""Figures of UCUM 2.2 and of the units' own definitions, worked out by hand. pint 0.25 with ucumvert
0.3 reads `m[g]` as milligrams and `'` as a minute of time."""


@pytest.mark.parametrize(("given", "wanted", "value", "expected"), TABLE)
def test_a_value_is_converted(given: str, wanted: str, value: float, expected: float) -> None:
    assert conversion(given, wanted)(value) == pytest.approx(expected, rel=1e-14)
    assert conversion(given, wanted)(np.array([value]))[0] == conversion(given, wanted)(value)


REFUSED = [
    ("kg", "m", "'kg' (mass) cannot be converted into 'm' (length)"),
    ("m", "m/s", "length / time"),
    ("{score}", "%", "a plain number"),
    ("1", "deg", "plane angle"),
    ("%", "h/d", "a ratio of like quantities"),
    ("h/d", "1", "a ratio of like quantities"),
    ("mol/L", "/L", "mol / length^3"),
    ("mol", "1", "mol"),
    ("mg/dL", "mmol/L", "mass / length^3"),
    ("[iU]", "mg", "[iU]"),
    ("[pH]", "1", "[pH]"),
    ("Bq", "/s", "Bq"),
    ("eq", "mol", "eq"),
]


@pytest.mark.parametrize(("given", "wanted", "said"), REFUSED)
def test_what_ucum_gives_no_way_for_is_refused_in_words(given: str, wanted: str, said: str) -> None:
    with pytest.raises(NoConversion) as refusal:
        conversion(given, wanted)
    assert said in str(refusal.value)
    with pytest.raises(NoConversion):
        conversion(wanted, given)


@pytest.mark.parametrize(
    "unit",
    ["", "miles", "kg m", "kgs", "kCel", "Cel/s", "m//s", "m..s", "(m", "m)", "{score", "score}", "m+",
     "µg", "m\n", "0.5.m", "m2147483648", "x" * 41, "kk", "-", "m-", "/", "()", "[", "{a{b}}", "m 2"],
)  # fmt: skip
def test_what_is_no_unit_is_said_to_be_none(unit: str) -> None:
    assert "is no unit of UCUM" in fault_of(unit)
    with pytest.raises(UnitUnknown):
        conversion(unit, "m")


UNITS = sorted(
    {
        *units._table().metric, *units._table().other, *units._table().affine,
        *units._table().base, "km", "cm/s", "mL/min/kg", "m[g]", "kN.m", "/d", "{count}/min", "min/d",
        *(entry.unit for entry in vocabulary().values() if entry.unit),
    }
)  # fmt: skip


def test_every_unit_of_the_table_can_be_read() -> None:
    assert {unit: fault_of(unit) for unit in UNITS if fault_of(unit)} == {}


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.floats(-1e6, 1e6))
def test_a_conversion_and_back_agrees_or_neither_is_possible(
    one: str, other: str, value: float
) -> None:
    try:
        there = conversion(one, other)
    except NoConversion:
        with pytest.raises(NoConversion):
            conversion(other, one)
        return
    moved = there(value)
    assume(math.isfinite(moved))
    # A scale with another zero keeps what a 64-bit number of its size can tell.
    kept = max(abs(value), abs(there.plus / there.times)) if there.plus else abs(value)
    assert conversion(other, one)(moved) == pytest.approx(value, rel=1e-12, abs=1e-12 * kept)


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_two_steps_are_as_one(one: str, other: str, third: str) -> None:
    try:
        first, second = conversion(one, other), conversion(other, third)
    except NoConversion:
        return
    direct = conversion(one, third)(37.0)
    assert second(first(37.0)) == pytest.approx(direct, rel=1e-9, abs=1e-9)


@given(st.text("kmgs[]{}()./-+0123456789 dLHz_'%*^", max_size=45))
def test_any_text_is_a_unit_or_a_sentence_about_it(text: str) -> None:
    fault = fault_of(text)
    assert fault == "" or "is no unit of UCUM" in fault
