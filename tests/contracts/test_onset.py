from __future__ import annotations

from pathlib import Path

import pytest

from contracts.onset import STROKE
from training.task import read_task

ROOT = Path(__file__).resolve().parents[2]
TASKS = [read_task(path) for path in sorted((ROOT / "tasks").glob("*.toml"))]

# Verhoeff's dihedral group: multiplication, and the permutation of a digit by its position.
_TIMES = [
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321",
    "6598710432", "7659821043", "8765932104", "9876543210",
]  # fmt: skip
_MOVED = [
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901",
    "2793806415", "7046913258",
]  # fmt: skip


def has_check_digit(identity: str) -> bool:
    value = 0
    for position, digit in enumerate(reversed(identity)):
        value = int(_TIMES[value][int(_MOVED[position % 8][int(digit)])])
    return value == 0


def test_a_wrong_digit_is_found() -> None:
    assert has_check_digit("230690007")
    assert not has_check_digit("230690001")
    assert not has_check_digit("320690007")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_codes_of_diagnoses_have_their_check_digit(task: object) -> None:
    onset = getattr(task, "onset", None)
    for code in () if onset is None else onset.snomed:
        assert has_check_digit(code), code
        assert onset.snomed.count(code) == 1


def test_an_import_and_the_stroke_tasks_count_the_same_diagnoses() -> None:
    """A task of which no diagnosis gives the onset, as that of a trial, counts none."""
    of_strokes = (task.onset for task in TASKS if task.name.startswith("stroke-"))
    strokes = [onset for onset in of_strokes if onset is not None]
    assert len(strokes) == 3
    assert all(onset == STROKE for onset in strokes)
