"""Arm use comes only from a side that is known, a single one, and not contradicted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contracts.cohort import AFFECTED_ARM, CODE, TEXT
from features.importing import Imported, import_source

RATIO = "REHABCAST//ARM_USE_RATIO"


@pytest.fixture
def imported(
    tmp_path: Path, awd: Callable[..., None], import_map: Callable[[str], Path]
) -> Callable[[str], Imported]:
    """Imports a person with a device at each wrist and the given rows of a people table."""
    for arm in ("left", "right"):
        counts = np.random.default_rng(len(arm)).integers(100, 900, 1440)
        awd(tmp_path / "source" / "01" / f"{arm}.AWD", "", counts)
    plan = import_map(
        'people = "people.csv"\n'
        '[placement]\n"*/left.AWD" = "left wrist"\n"*/right.AWD" = "right wrist"\n'
    )

    def run(people: str) -> Imported:
        (tmp_path / "people.csv").write_text(people)
        return import_source(tmp_path / "source", tmp_path / "cohort", map_file=plan)

    return run


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_known_side_gives_arm_use(imported: Callable[[str], Imported], side: str) -> None:
    done = imported(f"subject,affected_arm\n01,{side}\n")
    events = done.cohort.events
    assert (events[CODE] == RATIO).any()
    assert events.loc[events[CODE] == AFFECTED_ARM, TEXT].tolist() == [side]
    assert not [problem for problem in done.dropped if problem.field == AFFECTED_ARM]


@pytest.mark.parametrize(
    ("people", "needs_action"),
    [
        ("subject,age\n01,70\n", True),
        ("subject,affected_arm\n01,both\n", False),
        ("subject,affected_arm\n01,neither\n", False),
        ("subject,affected_arm\n01,1\n", True),
    ],
)
def test_any_other_side_gives_none_and_that_is_said_once(
    imported: Callable[[str], Imported], people: str, needs_action: bool
) -> None:
    done = imported(people)
    assert not (done.cohort.events[CODE] == RATIO).any()
    (problem,) = [problem for problem in done.dropped if problem.field == AFFECTED_ARM]
    assert "'01' wore a device at each wrist" in problem.found
    assert problem.needs_action == needs_action
