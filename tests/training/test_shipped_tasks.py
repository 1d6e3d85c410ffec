"""The shipped tasks: sound, each figure with its source, and as docs/tasks.md shows them.

`KEEP_TEXTS=1 pytest FILE` writes the table of docs/tasks.md anew.
"""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from contracts.task import Milestone, Task
from contracts.vocabulary import vocabulary
from contracts.vocabulary.instruments import instruments
from tests.conftest import ROOT
from training.task import read_task

FILES = sorted((ROOT / "tasks").glob("*.toml"))
PAGE = ROOT / "docs" / "tasks.md"
BEGIN, END = "<!-- shipped tasks: made from the files -->", "<!-- end of the shipped tasks -->"
CONDITIONS = ROOT.parent / "shared" / "research" / "conditions.csv"

EXPECTED = {
    "stroke-upper-limb", "stroke-gait-speed", "stroke-walking-independence", "hip-fracture",
    "knee-arthroplasty", "hip-arthroplasty", "parkinson", "multiple-sclerosis",
    "spinal-cord-injury", "cardiac-rehabilitation", "low-back-pain", "mobility", "depression",
}  # fmt: skip
"""Conditions that rehabcast has a task of."""


def tasks() -> list[Task]:
    return [read_task(path) for path in FILES]


def rule_in_words(milestone: Milestone) -> str:
    if milestone.gain_at_least is not None:
        return f"gain of {milestone.gain_at_least:g}"
    if milestone.at_least is not None:
        return f"{milestone.at_least:g} or more"
    return f"{milestone.at_most:g} or less"


def table() -> str:
    """Return the tables of docs/tasks.md."""
    rows = [
        "| task | forecasts | weeks | important difference | milestones | a hybrid starts | to be confirmed |",
        "|---|---|---|---|---|---|---|",
    ]
    for task in tasks():
        target, entry = task.target, vocabulary()[task.target.code]
        weeks = ", ".join(str(horizon.weeks) for horizon in task.horizons)
        confirm = [*task.confirm, *(f"the instrument's {what}" for what in entry.confirm)]
        milestones = "; ".join(
            f"{each.name}: {rule_in_words(each)} ({each.source})" for each in task.milestones
        )
        cells = (
            f"`{task.name}`: {task.condition}",
            f"{entry.name}, {target.low:g} to {target.high:g}, {target.better} is better",
            f"{weeks} ({task.horizons_source})",
            f"{target.minimal_important_difference:g} ({target.source})",
            milestones,
            "flat" if task.prior is None else f"`{task.prior.name}` ({task.prior.source})",
            ", ".join(confirm) or "nothing",
        )
        rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    rows += ["", "| task | audited by | because |", "|---|---|---|"]
    for task in tasks():
        for each in task.sensitive:
            bands = f" ({', '.join(f'{edge:g}' for edge in each.bands)})" if each.bands else ""
            rows.append(f"| `{task.name}` | {each.name}{bands} | {each.reason} |")
    return "\n".join(rows)


def test_the_page_has_the_tasks_as_they_are() -> None:
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    whole = f"{before}{BEGIN}\n{table()}\n{END}{after}"
    if "KEEP_TEXTS" in os.environ:
        PAGE.write_text(whole, "utf-8")
    assert text == whole or "KEEP_TEXTS" in os.environ


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
