"""A slip in a task file is refused, or leaves every axis in the audit; never in between."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.errors import TaskInvalid
from contracts.task import Task
from training.task import read_task, vocabulary_slips

ROOT = Path(__file__).resolve().parents[3]
SOUND = tomllib.loads((ROOT / "tasks" / "stroke-upper-limb.toml").read_text("utf-8"))

Content = dict[str, Any]


def put(*path: str | int, value: Any) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        at: Any = content
        for part in path[:-1]:
            at = at[part]
        at[path[-1]] = value

    return change


def add(*path: str | int, value: Any) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        at: Any = content
        for part in path:
            at = at[part]
        at.append(value)

    return change


def attribute(name: str, code: str = "REHABCAST//SEX", **more: Any) -> Callable[[Content], None]:
    return add("sensitive", value={"name": name, "code": code, "reason": "because", **more})


SITE, ASSESSOR = "REHABCAST//SITE", "REHABCAST//ASSESSOR"


def clusters(*each: tuple[str, str]) -> Callable[[Content], None]:
    return put(
        "clusters", value=[{"name": name, "code": code, "reason": "because"} for name, code in each]
    )


def milestone(name: str, **rule: Any) -> Callable[[Content], None]:
    return add("milestones", value={"name": name, "source": "test", **rule})


AGE, SEX, WEAR = 1, 0, 4
SLIPS: dict[str, tuple[str, Callable[[Content], None]]] = {
    "an attribute's name twice": ("sensitive 11, name", attribute("sex", "REHABCAST//STROKE_TYPE")),
    "a name that differs in case": ("sensitive 11, name", attribute("Sex", "REHABCAST//STROKE_TYPE")),
    "a name in another alphabet": (
        "sensitive 11, name", attribute("s\u0435\u0445", "REHABCAST//STROKE_TYPE"),
    ),
    "a name with an invisible character": (
        "sensitive 11, name", attribute("se\u200bx", "REHABCAST//STROKE_TYPE"),
    ),
    "a name with a blank at its end": (
        "sensitive 11, name", attribute("kind ", "REHABCAST//STROKE_TYPE"),
    ),
    "an empty name": ("sensitive 11, name", attribute("", "REHABCAST//STROKE_TYPE")),
    "the audit's name for all": ("sensitive 11, name", attribute("Everyone", "REHABCAST//STROKE_TYPE")),
    "the audit's name for a pair": (
        "sensitive 11, name", attribute("sex & age", "REHABCAST//STROKE_TYPE"),
    ),
    "a code twice": ("sensitive 11", attribute("gender")),
    "clusters by a group": ("clusters 1, code", clusters(("sex", "REHABCAST//SEX"))),
    "clusters by a number": ("clusters 1, code", clusters(("age", "REHABCAST//AGE"))),
    "clusters by nothing known": ("clusters 1, code", clusters(("ward", "WARD"))),
    "clusters without a name": ("clusters 1, name", clusters(("", SITE))),
    "clusters of one name": ("clusters 2, name", clusters(("a", SITE), ("A", ASSESSOR))),
    "clusters of one code": ("clusters 2", clusters(("a", SITE), ("b", SITE))),
    "code and bands twice": ("sensitive 11", attribute("years", "REHABCAST//AGE", bands=[55, 75])),
    "a number without bands": ("sensitive 2", lambda c: c["sensitive"][AGE].pop("bands")),
    "labels with bands": ("sensitive 1, bands", put("sensitive", SEX, "bands", value=[1.0])),
    "bands out of order": ("sensitive 2, bands", put("sensitive", AGE, "bands", value=[75, 55])),
    "an edge twice": ("sensitive 2, bands", put("sensitive", AGE, "bands", value=[55, 55])),
    "an edge that is no number": (
        "sensitive 2, bands 1", put("sensitive", AGE, "bands", value=[float("nan"), 75]),
    ),
    "an infinite edge": ("sensitive 2, bands 2", put("sensitive", AGE, "bands", value=[55, float("inf")])),
    "an edge beyond every age": ("sensitive 2, bands", put("sensitive", AGE, "bands", value=[55, 750])),
    "an edge below every age": ("sensitive 2, bands", put("sensitive", AGE, "bands", value=[0, 55])),
    "shares in per cent": ("sensitive 5, bands", put("sensitive", WEAR, "bands", value=[60, 90])),
    "shares that read alike": ("sensitive 5, bands", put("sensitive", WEAR, "bands", value=[0.601, 0.602])),
    "an attribute that is a daily value": (
        "sensitive 11, code", attribute("steps", "LOINC//41950-7", bands=[1000]),
    ),
    "an attribute that is a score": (
        "sensitive 11, code", attribute("start", "REHABCAST//ARAT", bands=[20]),
    ),
    "an attribute that is a date": ("sensitive 11, code", attribute("start", "REHABCAST//ONSET")),
    "an unknown code": ("sensitive 11, code", attribute("x", "REHABCAST//SEXX")),
    "a window that holds nobody": ("horizons 3, window_days", put("horizons", 2, "window_days", value=[46, 39])),
    "an empty window": ("horizons 3, window_days", put("horizons", 2, "window_days", value=[42, 42])),
    "a window before its horizon": (
        "horizons 3, window_days", put("horizons", 2, "window_days", value=[39, 42]),
    ),
    "a window after its horizon": (
        "horizons 3, window_days", put("horizons", 2, "window_days", value=[43, 50]),
    ),
    "a window of weeks": ("horizons 4, window_days", put("horizons", 3, "window_days", value=[11, 14])),
    "windows that overlap": ("horizons", put("horizons", 3, "window_days", value=[40, 99])),
    "a horizon twice": ("horizons", put("horizons", 1, "weeks", value=3)),
    "horizons out of order": ("horizons", lambda c: c["horizons"].reverse()),
    "a horizon before the first origin": ("horizons 1, weeks", put("origins_days", value=[21, 28])),
    "an origin twice": ("origins_days", put("origins_days", value=[0, 21, 0])),
    "an origin before enrolment": ("origins_days 1", put("origins_days", value=[-1, 21])),
    "an origin after the last horizon": ("origins_days", put("origins_days", value=[0, 364])),
    "an origin that is yes": ("origins_days 2", put("origins_days", value=[0, True])),
    "forecasts that end too early": ("forecasts_until_day", put("forecasts_until_day", value=20)),
    "forecasts after the last horizon": ("forecasts_until_day", put("forecasts_until_day", value=364)),
    "another primary horizon": ("primary_horizon_weeks", put("primary_horizon_weeks", value=84)),
    "early for ever": ("early_days", put("early_days", value=120_000)),
    "early before onset": ("early_days", put("early_days", value=-1)),
    "a milestone above the scale": ("milestones 3", milestone("high", at_least=67)),
    "a milestone that all have": ("milestones 3", milestone("low", at_least=0)),
    "a gain beyond the scale": ("milestones 3", milestone("more", gain_at_least=67)),
    "a milestone that is no number": ("milestones 3, at_least", milestone("none", at_least=float("nan"))),
    "a milestone the wrong way": ("milestones 3, at_most", milestone("low", at_most=20)),
    "a milestone without a rule": ("milestones 3", milestone("nothing")),
    "a milestone with two rules": ("milestones 3", milestone("both", at_least=40, gain_at_least=5)),
    "a milestone's name twice": ("milestones 3, name", milestone("Important  gain", at_least=40)),
    "a milestone's rule twice": ("milestones 3", milestone("fifty", at_least=50)),
    "a scale the wrong way": ("target", put("target", "high", value=-66)),
    "an important difference of the scale": (
        "target, minimal_important_difference",
        put("target", "minimal_important_difference", value=425),
    ),
    "an assumed score off the scale": ("target, assumed", put("target", "assumed", value=99)),
    "an input twice": ("inputs", add("inputs", "daily", value="REHABCAST//SLEEP")),
    "an input in two places": ("inputs", add("inputs", "assessments", value="REHABCAST//SLEEP")),
    "a score among the daily values": ("inputs, daily", add("inputs", "daily", value="REHABCAST//MADRS")),
    "a fact without labels": ("inputs, person", add("inputs", "person", value="REHABCAST//SITE")),
    "the target not among the inputs": ("inputs, assessments", lambda c: c["inputs"]["assessments"].pop(0)),
    "a past of centuries": ("inputs, past_days", put("inputs", "past_days", value=100_000)),
    "an onset of nothing": ("onset", put("onset", value={"condition": "stroke"})),
    "a key that is none": ("surprise", put("surprise", value=1)),
    "a reason of blanks": ("sensitive 1, reason", put("sensitive", SEX, "reason", value=" ")),
}  # fmt: skip


def toml_of(content: Content) -> str:
    """Write a task as TOML: nested values inline, as TOML allows."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k} = {text(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        if isinstance(value, float) and (value != value or value in {float("inf")}):
            return str(value)
        return json.dumps(value, ensure_ascii=False)

    return "\n".join(f"{name} = {text(value)}" for name, value in content.items())


def slipped(*names: str) -> Content:
    content = copy.deepcopy(SOUND)
    for name in names:
        SLIPS[name][1](content)
    return content


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_refused_with_its_place_and_what_to_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text(toml_of(slipped(name)), "utf-8")
    with pytest.raises(TaskInvalid) as refused:
        read_task(path)
    assert str(path) in refused.value.reason
    places = [problem.field for problem in refused.value.problems or ()]
    texts = [problem.found for problem in refused.value.problems or ()]
    field = SLIPS[name][0]
    assert field in places or any(text.startswith(field) for text in texts), (places, texts)
    assert all(p.advice for p in refused.value.problems or () if p.field != "*")


def test_the_sound_task_as_written_again_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text(toml_of(SOUND), "utf-8")
    assert read_task(path) == read_task(ROOT / "tasks" / "stroke-upper-limb.toml")


@given(st.lists(st.sampled_from(sorted(SLIPS)), min_size=1, max_size=4, unique=True))
def test_several_slips_are_never_let_through(names: list[str]) -> None:
    try:
        content = slipped(*names)
    except (KeyError, IndexError):
        return
    try:
        task = Task.model_validate(content)
    except ValidationError:
        return
    assert vocabulary_slips(task)


def test_slips_of_all_kinds_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    names = ("a key that is none", "a number without bands", "an origin twice",
             "a milestone's name twice", "a code twice", "shares in per cent")  # fmt: skip
    path.write_text(toml_of(slipped(*names)), "utf-8")
    with pytest.raises(TaskInvalid) as refused:
        read_task(path)
    for name in names:
        assert SLIPS[name][0] in str(refused.value)


NAMES = st.text(st.sampled_from("sexagSEX \u0435\u200b&\u00e9"), min_size=0, max_size=6)
CODES = st.sampled_from(
    ["REHABCAST//SEX", "REHABCAST//AGE", "REHABCAST//WEAR_TIME", "REHABCAST//SITE",
     "REHABCAST//ARAT", "REHABCAST//ONSET", "LOINC//41950-7"]
)  # fmt: skip
EDGES = st.lists(st.one_of(st.integers(-5, 120), st.floats(-0.5, 1.5)), max_size=3)


@given(st.lists(st.tuples(NAMES, CODES, EDGES), min_size=1, max_size=4))
def test_any_attributes_are_refused_or_each_is_an_axis_of_its_own(
    drawn: list[tuple[str, str, list[float]]],
) -> None:
    """The property: no attribute vanishes behind another, and none has a band for nobody."""
    import numpy as np

    from contracts.groups import bands_of, group_column
    from contracts.naming.names import comparable
    from contracts.vocabulary import vocabulary

    content = copy.deepcopy(SOUND)
    content["sensitive"] = [
        {"name": name, "code": code, "bands": edges, "reason": "because"}
        for name, code, edges in drawn
    ]
    try:
        task = Task.model_validate(content)
    except ValidationError:
        return
    if vocabulary_slips(task):
        return
    assert len({comparable(a.name) for a in task.sensitive}) == len(drawn)
    for attribute in task.sensitive:
        bands, known = bands_of(attribute), vocabulary()[attribute.code]
        assert (bands is not None) == known.is_numeric
        if bands is not None:
            low, high = (0.0, 1.0) if bands.is_share else (known.low or 0.0, known.high or 0.0)
            values = np.array([low, *bands.edges, high], dtype=np.float64)
            labels = group_column(attribute, bands.label(values))
            assert set(labels) == set(bands.labels[: len(bands.edges) + 1])
