"""Accuracy by group of a recogniser: what is said of everybody, of few, and of sets that are alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audits.exercise import AS_RECORDED, accuracy_by_group
from contracts.exercise.recogniser_audit import GroupAccuracy


def answers(people: int, women: int, *, wrong_left: float = 0.0, slow: float = 1.0) -> pd.DataFrame:
    """Return 20 sets of each person, half of each side, as recorded and slow."""
    rows = []
    for person in range(people):
        for number in range(20):
            side = ("left", "right")[number % 2]
            right = not (side == "left" and number < 20 * wrong_left)
            about = {"person": str(person), "side": side, "sex": "fm"[person >= women]}
            rows.append({**about, "movement": AS_RECORDED, "right": right})
            rows.append({**about, "movement": "slow", "right": number < 20 * slow})
    return pd.DataFrame(rows)


def by_group(table: pd.DataFrame, *attributes: str) -> dict[tuple[str, str], GroupAccuracy]:
    found = accuracy_by_group(table, attributes)
    return {(row.attribute, row.group): row for row in found}


def test_a_side_or_a_movement_that_is_recognised_less_well_is_seen() -> None:
    found = by_group(answers(8, 4, wrong_left=0.5, slow=0.6))
    assert found["everybody", "everybody"].right == pytest.approx(0.75), "as recorded only"
    assert found["side", "left"].right == pytest.approx(0.5)
    assert found["side", "right"].right == 1
    assert found["movement", "slow"].right == pytest.approx(0.6)
    assert found["movement", AS_RECORDED] == GroupAccuracy(
        attribute="movement", group=AS_RECORDED, people=8, right=0.75, low=0.75, high=0.75
    )


@pytest.mark.parametrize(
    ("people", "women", "shown"), [(33, 11, {"f", "m"}), (33, 10, set()), (8, 4, set())]
)
def test_nothing_is_said_of_fewer_than_eleven_people_of_a_group_nor_can_it_be_reckoned(
    people: int, women: int, shown: set[str]
) -> None:
    found = by_group(answers(people, women), "sex")
    for label in "fm":
        row = found["sex", label]
        assert (row.right is not None) == (label in shown)
        assert (row.people is not None) == (label in shown)
    if shown:
        assert found["sex", "m"].people == 20, "rounded down"


def test_a_side_of_few_people_is_held_back_and_one_of_everybody_is_not() -> None:
    table = answers(8, 4)
    assert by_group(table)["side", "left"].people == 8
    some = table[(table["side"] == "left") | (table["person"].astype(int) < 5)]
    assert {by_group(some)["side", side].right for side in ("left", "right")} == {None}


def test_the_interval_is_over_people_as_sets_of_one_are_alike() -> None:
    table = answers(10, 5)
    table["right"] = table["person"].astype(int) < 8
    row = by_group(table)["everybody", "everybody"]
    spread = np.sqrt(0.8 * 0.2 / 10)
    assert row.low is not None
    assert row.high is not None
    assert row.low == pytest.approx(0.8 - 1.96 * spread, abs=0.07)
    assert row.high == pytest.approx(1.0, abs=0.05)
