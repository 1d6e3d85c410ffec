"""The shipped tasks: sound, and each figure with its source."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from contracts.task import Task
from contracts.vocabulary.instruments import instruments
from tests.conftest import ROOT
from training.task import read_task

FILES = sorted((ROOT / "tasks").glob("*.toml"))
CONDITIONS = ROOT.parent / "shared" / "research" / "conditions.csv"

EXPECTED = {
    "stroke-upper-limb", "stroke-gait-speed", "stroke-walking-independence", "hip-fracture",
    "knee-arthroplasty", "hip-arthroplasty", "parkinson", "multiple-sclerosis",
    "spinal-cord-injury", "cardiac-rehabilitation", "low-back-pain", "mobility", "depression",
}  # fmt: skip
"""Conditions that rehabcast has a task of."""


def tasks() -> list[Task]:
    return [read_task(path) for path in FILES]


def test_every_condition_has_a_task_named_as_its_file() -> None:
    names = {task.name for task in tasks()}
    assert names == {path.stem for path in FILES}
    assert names >= EXPECTED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_task_says_where_its_horizons_are_from_and_has_the_attributes_that_a_policy_asks_for(
    path: Path,
) -> None:
    task = read_task(path)
    assert task.horizons_source
    names = {each.name for each in task.sensitive}
    assert "sex" in names
    assert names & {"age band", "age at onset"}
    assert all(len(each.reason) > 10 for each in task.sensitive)


FROM_ELSEWHERE = {
    "stroke-upper-limb": "Page 2012 is recalled, and marked to be confirmed",
}
"""Tasks whose important difference is no shipped figure of an instrument that has figures."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_important_difference_is_one_that_was_read_or_is_to_be_confirmed(path: Path) -> None:
    task = read_task(path)
    known = instruments().get(task.target.code)
    read = () if known is None else known.differences
    own = task.target.minimal_important_difference
    if task.name in FROM_ELSEWHERE:
        assert "target" in task.confirm
    elif read:
        assert any(each.value <= own <= (each.to or each.value) for each in read), task.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_gain_that_is_a_milestone_is_no_smaller_than_the_important_difference(
    path: Path,
) -> None:
    task = read_task(path)
    for milestone in task.milestones:
        if milestone.gain_at_least is not None:
            assert milestone.gain_at_least >= task.target.minimal_important_difference


@pytest.mark.skipif(not CONDITIONS.is_file(), reason="the research files are not beside this one")
def test_no_milestone_is_a_figure_that_is_only_recalled() -> None:
    """Numbers of the conditions' recalled milestones are in no milestone of a new task."""
    with CONDITIONS.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "milestone"]
    recalled = {
        "parkinson": {"Mini-BESTest", "TUG"}, "multiple-sclerosis": {"EDSS"},
        "cardiac-rehabilitation": {"VO2", "MET"},
    }  # fmt: skip
    marked = [row for row in rows if row["status"] == "R"]
    assert len(marked) >= 4, "the file marks what is recalled"
    for task in tasks():
        for milestone in task.milestones:
            said = f"{milestone.name} {milestone.source}"
            assert not any(re.search(word, said) for word in recalled.get(task.name, ()))
            for row in marked:
                assert row["source"].split(";")[0] not in milestone.source or not row["source"]
