"""Units of measure (UCUM): whether there is one, and how its values become those of another.

Letters of dimensions are those of `ucum.toml`: its base units by their names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.naming.parsing import parsed_toml

LONGEST_UNIT = 40
"""Characters; no unit of a measurement is longer."""

MOST_KEPT = 512
"""Pairs of units that are remembered; requests choose them, so that they must be few."""

WITHHELD = frozenset(
    {"mol", "eq", "osm", "bit", "By", "Bd", "[NTU]", "[FNU]", "[HPF]", "[LPF]", "[hnsf'U]", "Bq"}
)
"""Units that UCUM lets stand for plain numbers, and that nobody would take for one: amounts of
substance and of information, fields of view, turbidity. Nothing converts them into others."""

Value = TypeVar("Value", float, NDArray[np.float64])

ANNOTATION = re.compile(r"\{[^{}]*\}")
_EXPONENT = re.compile(r"(?P<symbol>.*?[^0-9+-])(?P<exponent>[+-]?[1-9][0-9]?)", re.ASCII)
_FACTOR = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_IN_BRACKETS = re.compile(r"\[[^\[\]]*\]")


class UnitUnknown(ValueError):
    """A text is no unit of UCUM."""


class NoConversion(ValueError):
    """UCUM does not say how values of one unit become those of another."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How values become those of another unit: `(value * times + plus) / over`.

    Whole numbers wherever they fit, so that 180 min/d are 3 h/d, and not a little more.
    """

    times: float
    plus: float
    over: float

    def __call__(self, value: Value) -> Value:
        """Return values in the other unit."""
        return (value * self.times + self.plus) / self.over


@dataclass(frozen=True, slots=True)
class _Unit:
    """What a unit is: `(value + zero) * factor` in base units.

    Parameters
    ----------
    above, below
        Base units in the numerator and the denominator, with how often.
    is_bare
        Whether it says nothing but, in an annotation, what is counted: `{score}`.
    """

    factor: Fraction = Fraction(1)
    above: Counter[str] = field(default_factory=Counter)
    below: Counter[str] = field(default_factory=Counter)
    zero: Fraction = Fraction(0)
    is_bare: bool = False

    @property
    def dimension(self) -> dict[str, int]:
        """Base units with their powers."""
        powers = {name: self.above[name] - self.below[name] for name in {*self.above, *self.below}}
        return {name: power for name, power in powers.items() if power}

    @property
    def kind(self) -> tuple[object, ...]:
        """What must be the same for values to be comparable.

        A ratio of two times (hours a day) is not one of two lengths, nor a plain share: of what
        has no dimension it counts what was divided.
        """
        dimension = frozenset(self.dimension.items())
        return (dimension,) if dimension else (dimension, frozenset((+self.above).items()))

    def power(self, exponent: int) -> _Unit:
        """Return its power."""
        above, below = (self.above, self.below) if exponent > 0 else (self.below, self.above)
        times = abs(exponent)
        return _Unit(
            self.factor**exponent,
            Counter({name: times * count for name, count in above.items()}),
            Counter({name: times * count for name, count in below.items()}),
        )

    def of(self, other: _Unit) -> _Unit:
        """Return the product of two."""
        return _Unit(self.factor * other.factor, self.above + other.above, self.below + other.below)


def bare(unit: str) -> str:
    """Return a unit without its annotations, which have no meaning: `{steps}/d` is `/d`."""
    return ANNOTATION.sub("", unit) or "1"


def is_count(unit: str) -> bool:
    """Return whether a number says all without its unit: a score or a count, such as `{score}`.

    Not `1`: of a share or a ratio nobody knows whether a number alone is one, or its per cent.
    """
    return bare(unit) == "1" and ANNOTATION.search(unit) is not None


def fault_of(unit: str) -> str:
    """Return why a text is no unit of UCUM; empty where it is one."""
    try:
        _unit(unit)
    except UnitUnknown as error:
        return str(error)
    return ""


@lru_cache(maxsize=MOST_KEPT)
def conversion(given: str, wanted: str) -> Conversion:
    """Return how values in one unit become those in another.

    Raises
    ------
    UnitUnknown
        One of them is no unit of UCUM.
    NoConversion
        UCUM does not say how: they measure different things, or things that have no common scale.
    """
    if bare(given) == bare(wanted) and not fault_of(given) and not fault_of(wanted):
        return Conversion(1, 0, 1)
    ours, theirs = _unit(wanted), _unit(given)
    if ours.kind != theirs.kind or ours.is_bare or theirs.is_bare:
        raise NoConversion(
            f"{given!r} ({_in_words(theirs)}) cannot be converted into {wanted!r}"
            f" ({_in_words(ours)})"
        )
    # (value + zero) * factor = (converted + its zero) * its factor
    times = theirs.factor / ours.factor
    plus = theirs.zero * times - ours.zero
    over = times.denominator * plus.denominator
    return Conversion(_number(times * over), _number(plus * over), float(over))


def _number(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise NoConversion("the units are too far apart") from error


def _in_words(unit: _Unit) -> str:
    """Return what a unit measures: `length`, `length / time`, `plain number`."""
    powers = unit.dimension
    if not powers:
        return "a ratio of like quantities" if +unit.above else "a plain number"
    names = {name: _table().base.get(name, name) for name in powers}
    above = [_power(names[name], power) for name, power in sorted(powers.items()) if power > 0]
    below = [_power(names[name], -power) for name, power in sorted(powers.items()) if power < 0]
    return " / ".join([" x ".join(above) or "1", *below])


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


@dataclass(frozen=True, slots=True)
class _Table:
    base: Mapping[str, str]
    prefix: Mapping[str, str]
    metric: Mapping[str, str]
    other: Mapping[str, str]
    affine: Mapping[str, Mapping[str, str]]
    alone: Mapping[str, tuple[str, ...]]


@cache
def _table() -> _Table:
    text = Path(__file__).with_name("ucum.toml").read_text("utf-8")
    return _Table(**parsed_toml(text))


@lru_cache(maxsize=MOST_KEPT)
def _unit(text: str) -> _Unit:
    """Read a unit.

    Raises
    ------
    UnitUnknown
        It is none, and why.
    """
    unknown = UnitUnknown(f"{text[:LONGEST_UNIT]!r} is no unit of UCUM")
    if not text or len(text) > LONGEST_UNIT or not text.isascii() or not text.isprintable():
        raise unknown
    without = ANNOTATION.sub("", text)
    if " " in without or "{" in without or "}" in without:
        raise unknown
    if not without:
        return _Unit(is_bare=True)
    try:
        return _zeroed(without) or _term(without)
    except UnitUnknown as error:
        raise UnitUnknown(f"{text!r} is no unit of UCUM{error}") from None


def _zeroed(text: str) -> _Unit | None:
    """Return a scale with a zero of its own, which stands alone; None where it is none."""
    scale = _table().affine.get(text)
    if scale is None:
        return None
    return _Unit(Fraction(scale["factor"]), Counter(["K"]), Counter(), Fraction(scale["zero"]))


def _term(text: str) -> _Unit:
    """Read factors between dots and slashes, from the left."""
    product, sign, depth, start = _Unit(), 1, 0, 0
    if text.startswith("/"):
        sign, start = -1, 1
    for at, letter in enumerate([*text, "."]):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(letter, 0)
        if letter in "./" and depth == 0 and at >= start:
            product = product.of(_factor(text[start:at]).power(sign))
            sign, start = (1 if letter == "." else -1), at + 1
    if depth:
        raise UnitUnknown
    return product


def _factor(text: str) -> _Unit:
    if text.startswith("(") and text.endswith(")"):
        return _term(text[1:-1])
    if _FACTOR.fullmatch(text):
        return _Unit(Fraction(int(text)))
    if (atom := _atom(text)) is not None:
        return atom
    split = _EXPONENT.fullmatch(text)
    atom = None if split is None else _atom(split["symbol"])
    if split is None or atom is None:
        raise UnitUnknown(f": {text!r} is not known" if text else "")
    return atom.power(int(split["exponent"]))


def _atom(symbol: str) -> _Unit | None:
    """Return a unit with or without a prefix; None where there is none of that symbol."""
    table = _table()
    alone = symbol in table.alone["metric"] or symbol in table.alone["other"]
    if symbol in table.base or symbol in WITHHELD or alone:
        return _Unit(above=Counter([symbol]))
    if written := table.metric.get(symbol) or table.other.get(symbol):
        number, _, unit = written.partition(" ")
        return _Unit(Fraction(number)).of(_term(unit))
    for prefix, times in table.prefix.items():
        own = symbol.removeprefix(prefix)
        metric = own in table.base or own in table.metric or own in table.alone["metric"]
        if symbol.startswith(prefix) and metric and (unit_ := _atom(own)) is not None:
            return _Unit(Fraction(times)).of(unit_)
    return None
