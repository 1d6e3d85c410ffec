"""A wrong argument of the Python API is a sentence that names it, whichever the function and the value."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rehabcast
from contracts.cohort import Cohort
from contracts.errors import ContractError
from inference.bundle import Bundle
from rehabcast.api.arguments import takes
from rehabcast.api.forecasts import Model
from rehabcast.pyfunc import without_audit
from tests.conftest import ROOT

FUNCTIONS = sorted(name for name in rehabcast.__all__ if name[0].islower())
PLACES = [
    (name, argument)
    for name in FUNCTIONS
    for argument in inspect.signature(getattr(rehabcast, name)).parameters
]
PATHS = {"folder", "file", "source", "destination", "output", "map_file", "external", "policy",
         "champion_predictions", "served", "without"}  # fmt: skip
MAY_BE_NONE = {
    "map_file",
    "external",
    "policy",
    "champion_predictions",
    "served",
    "without",
    "as_of_day",
    "weeks",
    "parameters",
    "pretrain_on",
}
NUMBERS = {"as_of_day", "weeks"}
PERSON = "Mia Moor, born in May"

WRONG = st.one_of(
    st.binary(max_size=5),
    st.floats(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=1),
    st.sampled_from(
        [None, True, 1, -1, 10**400, 41_000, np.int64(3), object(), PERSON, "", "a\0b", Path("\0"), int,
         pd.DataFrame(), Model(served=None, notes=()), rehabcast.Cohort]  # type: ignore[arg-type]
    ),
)  # fmt: skip


def is_right(name: str, argument: str, value: object) -> bool:
    if value is None:
        return argument in MAY_BE_NONE or (name, argument) == ("open_champion", "model")
    if argument in NUMBERS:
        return type(value) is int and abs(value) <= {"as_of_day": 40_000, "weeks": 1_000}[argument]
    if argument in PATHS and not (name == "explain" and argument == "output"):
        return isinstance(value, str | Path) and str(value) != "" and "\0" not in str(value)
    if argument == "proposals":
        return isinstance(value, list) and all(type(each) is int and each > 0 for each in value)
    if argument == "strict":
        return isinstance(value, bool)
    if argument in {"cohort", "task", "parameters", "pretrain_on"} or (name, argument) in {
        ("forecast", "model"), ("explain", "model"),
    }:  # fmt: skip
        return False
    return isinstance(value, str)


def arguments_of(name: str, good: Mapping[str, Any]) -> dict[str, Any]:
    wanted = inspect.signature(getattr(rehabcast, name)).parameters
    found = {}
    for each, parameter in wanted.items():
        if parameter.default is inspect.Parameter.empty:
            found[each] = good.get(f"{name}.{each}", good.get(each, "x"))
    return found


@pytest.fixture(scope="module")
def good(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cohort = rehabcast.import_cohort(
        ROOT / "examples" / "new-patients" / "map.toml",
        tmp_path_factory.mktemp("cohorts") / "people",
        file_format="tables",
    )
    model = Model(served=without_audit(bundle, "arm/1"), notes=())
    return {
        "cohort": cohort, "task": rehabcast.read_task("tasks/mobility.toml"),
        "forecast.model": model, "explain.model": model,
    }  # fmt: skip


def test_every_argument_of_every_function_is_tried() -> None:
    assert len(FUNCTIONS) == 10
    assert len(PLACES) == 34


@pytest.mark.parametrize(("name", "argument"), PLACES)
@given(value=WRONG)
def test_a_wrong_argument_is_named_with_what_is_expected(
    good: dict[str, Any], name: str, argument: str, value: object
) -> None:
    if is_right(name, argument, value):
        return
    given_to = {**arguments_of(name, good), argument: value}
    with pytest.raises(ContractError) as refusal:
        getattr(rehabcast, name)(**given_to)
    assert f"rehabcast.{name}: {argument} is " in refusal.value.reason
    assert refusal.value.what_to_do.startswith("it must be ")
    assert PERSON not in str(refusal.value)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_that_are_missing_unknown_or_too_many_are_a_sentence(name: str) -> None:
    function = getattr(rehabcast, name)
    for arguments, named in (((), {"nonsense": 1}), ((None,) * 9, {})):
        with pytest.raises(ContractError, match=f"rehabcast.{name}: ") as refusal:
            function(*arguments, **named)
        assert f"call it as rehabcast.{name}(" in refusal.value.what_to_do


@pytest.mark.parametrize("field", [each.name for each in fields(rehabcast.TrainingConfig)])
@given(value=WRONG)
def test_a_training_parameter_without_sense_is_named(field: str, value: Any) -> None:
    accepted: list[Any] = []
    with suppress(ContractError):
        accepted = [getattr(rehabcast.TrainingConfig(**{field: value}), field)]
    for kept in accepted:
        assert type(kept) in {int, float, str}
        assert math.isfinite(kept) if not isinstance(kept, str) else kept
        return
    with pytest.raises(ContractError, match=field) as refusal:
        rehabcast.TrainingConfig(**{field: value})
    assert "pydantic" not in str(refusal.value)


def test_a_function_whose_argument_nobody_checks_cannot_be_made() -> None:
    def new(cohort: Cohort) -> Cohort:
        return cohort

    with pytest.raises(TypeError, match="not each argument has a kind"):
        takes()(new)
