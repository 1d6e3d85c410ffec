"""What a reader can work out: each example is a way in that hiding small groups leaves open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audits.disclosure.attack import leaks
from audits.disclosure.cells import Cell, Cells, small
from audits.disclosure.combinations import determined, fewest_used

CellsOf = Callable[..., Cells]


def shown(cells: Cells, *hidden: Cell) -> np.ndarray:
    """Return all sets but the small and the given ones."""
    shown_S = ~small(cells.people_SD)
    shown_S[[cells.set_of[cell] for cell in hidden]] = False
    return shown_S


def told(cells: Cells, *hidden: Cell) -> set[tuple[str, int]]:
    return {(leak.how, leak.people) for leak in leaks(cells, shown(cells, *hidden))}


HOSPITALS = ["0"] * 50 + ["1"] * 50


def test_a_group_and_its_intersection_that_lacks_one_person(cells: CellsOf) -> None:
    """`hospital 0` (50) and `hospital 0 & no aphasia` (49) told one person's error to six digits."""
    aphasia = ["yes"] + ["no"] * 49 + ["yes"] * 25 + ["no"] * 25
    made = cells({"hospital": HOSPITALS, "aphasia": aphasia})
    assert ("residue", 1) in told(made)
    one = Cell(axis="hospital & aphasia", group="0 & no")
    other = Cell(axis="hospital & aphasia", group="1 & yes")
    # Hidden alone, it comes back through the other hospital: the partner must share row and column.
    assert ("residue", 1) in told(made, one)
    assert 1 in {people for _, people in told(made, one, other)}
    assert told(made, one, other, Cell(axis="hospital & aphasia", group="1 & no")) == set()


def test_two_hidden_groups_that_are_few_together(cells: CellsOf) -> None:
    made = cells({"band": ["a"] * 40 + ["b"] * 6 + ["c"] * 4 + ["d"] * 30})
    assert told(made) == {("residue", 10)}
    made = cells({"band": ["a"] * 40 + ["b"] * 6 + ["c"] * 5 + ["d"] * 30})
    assert told(made) == set()


def test_two_groups_of_different_attributes_that_differ_by_three_people(cells: CellsOf) -> None:
    one = ["x"] * 40 + ["y"] * 60
    other = ["p"] * 43 + ["q"] * 57
    assert ("difference", 3) in told(cells({"one": one, "other": other}, pairs=False))


def test_a_group_less_another_attributes_rest_is_a_union_of_shown_groups(cells: CellsOf) -> None:
    """Everyone less x less q is b and four people; b is hidden, and so is x's neighbour."""
    one = ["x"] * 40 + ["y"] * 52 + ["z"] * 8
    other = ["p"] * 44 + ["q"] * 56
    made = cells({"one": one, "other": other}, pairs=False)
    assert ("difference", 4) in told(made, Cell(axis="one", group="y"))


def test_one_horizon_comes_back_from_all_of_them(cells: CellsOf) -> None:
    rows = [
        (person, day) for day, people in ((21, 5), (84, 40), (182, 30)) for person in range(people)
    ]
    person, day = zip(*rows, strict=True)
    made = cells({"sex": ["f"] * len(rows)}, person=person, day=day)
    assert ("residue", 5) in told(made)
    assert told(made, Cell(axis="everyone", group="everyone", horizon_day=182)) == set()


def test_those_with_one_outcome_fewer_do_not_cancel(cells: CellsOf) -> None:
    """People weigh alike: twice all horizons, less both of them, is the three seen once."""
    rows = [(person, day) for person in range(40) for day in (42, 84) if day == 84 or person > 2]
    person, day = zip(*rows, strict=True)
    made = cells({"sex": ["f"] * len(rows)}, person=person, day=day)
    assert told(made) == {("uneven", 3)}
    assert told(made, Cell(axis="everyone", group="everyone", horizon_day=42)) == set()


def test_who_was_asked_twice_weighs_no_more_and_tells_no_more(cells: CellsOf) -> None:
    """Everybody has two origins at each horizon: the sums of horizons add up, and none is left."""
    rows = [(person, day) for person in range(30) for day in (42, 42, 84, 84)]
    person, day = zip(*rows, strict=True)
    assert told(cells({"sex": ["f"] * len(rows)}, person=person, day=day)) == set()


def test_a_person_in_two_groups_counts_once(cells: CellsOf) -> None:
    """Six people, each in both hidden bands at some time, are six: not twelve."""
    person = [*range(6), *range(6), *range(6, 60)]
    band = ["low"] * 6 + ["none"] * 6 + ["high"] * 54
    assert ("residue", 6) in told(cells({"band": band}, person=person))


def test_those_who_did_not_reach_a_milestone_add_up_among_themselves(cells: CellsOf) -> None:
    """All of one ward reached it: among those who did not, the hospital is the other ward."""
    ward = ["a"] * 30 + ["b"] * 8 + ["c"] * 40
    hospital = ["x"] * 38 + ["y"] * 40
    reached = [True] * 30 + [False] * 4 + [True] * 4 + [True, False] * 20
    made = cells({"ward": ward, "hospital": hospital}, reached=reached)
    assert any(people == 4 for _, people in told(made))


def test_a_ward_where_seven_did_not_reach_it_is_the_hospital_among_those_who_did(
    cells: CellsOf,
) -> None:
    ward = ["a"] * 27 + ["b"] * 30 + ["c"] * 60
    hospital = ["x"] * 57 + ["y"] * 60
    reached = [True] * 20 + [False] * 37 + [True, False] * 30
    made = cells({"ward": ward, "hospital": hospital}, reached=reached, pairs=False)
    both = [Cell(axis="ward", group="c"), Cell(axis="hospital", group="y")]
    assert told(made, *both) == {("combination", 20)}


def test_few_who_reached_a_milestone_are_few(cells: CellsOf) -> None:
    made = cells(
        {"sex": ["f"] * 40 + ["m"] * 40},
        reached=[True] * 3 + [False] * 37 + [True] * 20 + [False] * 20,
    )
    assert [bool(small(made.people_SD)[made.set_of[Cell(axis="sex", group=g)]]) for g in "fm"] == [
        True,
        False,
    ]
    assert ("residue", 3) in told(made)


def test_a_difference_of_nobody_tells_nothing(cells: CellsOf) -> None:
    same = ["x"] * 40 + ["y"] * 60
    assert told(cells({"one": same, "other": same})) == set()


@pytest.mark.parametrize("seed", range(4))
def test_least_squares_agrees_with_elimination(seed: int) -> None:
    from scipy import sparse

    rng = np.random.default_rng(seed)
    shown_KA = rng.integers(0, 2, (6, 9))
    asked_QA = np.concatenate([rng.integers(0, 2, (20, 9)), (shown_KA[:1] + shown_KA[1:2] == 1)])
    asked_QA = asked_QA[asked_QA.any(axis=1)]
    rank = np.linalg.matrix_rank
    expected = [
        q
        for q, asked in enumerate(asked_QA)
        if rank(np.vstack([shown_KA, asked])) == rank(shown_KA)
    ]
    found = determined(sparse.csr_array(shown_KA), sparse.csr_array(asked_QA.astype(float)))
    assert found.tolist() == expected
    for q in found:
        used = fewest_used(sparse.csr_array(shown_KA), asked_QA[q].astype(float))
        assert rank(np.vstack([shown_KA[used], asked_QA[q]])) == rank(shown_KA[used])
