"""The pattern hides enough, by an attacker who shares no code with it, and no more than it must."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import scipy.optimize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult

from audits.disclosure import pattern as module
from audits.disclosure.attack import Leak, leaks
from audits.disclosure.cells import Cell, Cells, small
from audits.disclosure.pattern import hidden_sets

CellsOf = Callable[..., Cells]


def pattern(cells: Cells) -> np.ndarray:
    return hidden_sets(cells, np.zeros(cells.sets, dtype=bool))


def hidden(cells: Cells) -> set[tuple[str, str]]:
    hidden_S = pattern(cells)
    return {(c.axis, c.group) for c, number in cells.set_of.items() if hidden_S[number]}


def people(cells: Cells, rows: np.ndarray) -> int:
    return len(set(cells.person_N[np.flatnonzero(rows)].tolist()))


def tell_nobody(cells: Cells, hidden_S: np.ndarray) -> None:
    """Check by brute force over pairs and triples of shown sums, and by rank for each person."""
    rows_SN = cells.row_SN.toarray()
    shown = [rows_SN[s] for s in np.flatnonzero(~hidden_S)]
    for one in shown:
        assert people(cells, one) >= 11
    whole = rows_SN[cells.set_of[Cell(axis="everyone", group="everyone")]]
    whole_is_shown = any((whole == each).all() for each in shown)
    for one, other in itertools.combinations(shown, 2):
        for told in (one - other, *((whole - one - other,) if whole_is_shown else ())):
            assert not told.any() or people(cells, told) >= 11
    if not shown:
        return
    matrix = np.array(shown, dtype=float)
    _, singular, basis = np.linalg.svd(matrix, full_matrices=False)
    basis = basis[singular > 1e-9 * singular[0]]
    asked = [rows_SN[s] for s in np.flatnonzero(hidden_S)]
    asked += [cells.person_N == person for person in range(cells.person_N.max() + 1)]
    for rows in asked:
        target = rows.astype(float)
        unexplained = target - basis.T @ (basis @ target)
        if np.abs(unexplained).max() < 1e-7:
            assert people(cells, rows) >= 11


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_attack_on_random_tables_tells_of_fewer_than_eleven(
    cells: CellsOf, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(12, 120), "rows")
    seed = data.draw(st.integers(0, 2**32 - 1), "seed")
    rng = np.random.default_rng(seed)
    attributes = {}
    for number in range(data.draw(st.integers(1, 4), "attributes")):
        share = rng.dirichlet(np.full(data.draw(st.integers(2, 5), "groups"), 0.8))
        attributes[f"a{number}"] = [f"g{g}" for g in rng.choice(len(share), rows, p=share)]
    kwargs = {}
    if data.draw(st.booleans(), "several rows a person"):
        kwargs["person"] = np.sort(rng.integers(0, max(rows // 2, 1), rows)).tolist()
        kwargs["day"] = rng.choice([21, 84], rows, p=[0.2, 0.8]).tolist()
    made = cells(attributes, **kwargs)
    tell_nobody(made, pattern(made))


@pytest.mark.parametrize("share", [0.03, 0.5, 0.95])
def test_nor_those_with_or_without_a_milestone(cells: CellsOf, share: float) -> None:
    rng = np.random.default_rng(5)
    attributes = {f"a{n}": rng.choice(list("pqr"), 400, p=[0.7, 0.25, 0.05]) for n in range(4)}
    reached = rng.random(400) < share
    made = cells(attributes, reached=reached)
    hidden_S = pattern(made)
    rows_SN = made.row_SN.toarray().astype(bool)
    for rows in rows_SN[~hidden_S]:
        assert min((rows & reached).sum(), (rows & ~reached).sum()) >= 11
    assert leaks(made, ~hidden_S) == []
    # Few with the milestone, or few without: of everyone alone there are enough.
    assert 0 < (~hidden_S).sum() < len(hidden_S)
    assert ((~hidden_S).sum() == 1) == (share != 0.5)


def test_where_nothing_is_small_nothing_is_hidden(cells: CellsOf) -> None:
    sex, arm = ["f", "m"] * 60, ["left"] * 60 + ["right"] * 60
    assert hidden(cells({"sex": sex, "arm": arm})) == set()


def test_the_partner_of_a_small_cell_shares_its_row_and_its_column(cells: CellsOf) -> None:
    """Of two hospitals by three levels, four intersections are hidden: a rectangle."""
    hospital = ["0"] * 60 + ["1"] * 60
    level = ["a"] * 5 + ["b"] * 30 + ["c"] * 25 + ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    gone = hidden(cells({"hospital": hospital, "level": level}))
    assert len(gone) == 4
    assert {axis for axis, _ in gone} == {"hospital & level"}
    rows = [group.split(" & ")[0] for _, group in gone]
    columns = [group.split(" & ")[1] for _, group in gone]
    assert ("hospital & level", "0 & a") in gone
    assert (sorted(rows), len(set(columns))) == (["0", "0", "1", "1"], 2)


def test_what_is_hidden_already_stays_hidden(cells: CellsOf) -> None:
    made = cells({"sex": ["f", "m"] * 60})
    already_S = np.zeros(made.sets, dtype=bool)
    already_S[made.set_of[Cell(axis="sex", group="f")]] = True
    hidden_S = hidden_sets(made, already_S)
    assert hidden_S[made.set_of[Cell(axis="sex", group="m")]]
    assert not hidden_S[made.set_of[Cell(axis="everyone", group="everyone")]]


def test_the_same_table_gets_the_same_pattern(cells: CellsOf) -> None:
    rng = np.random.default_rng(3)
    attributes = {
        f"a{n}": rng.choice(list("pqrs"), 200, p=[0.6, 0.3, 0.07, 0.03]) for n in range(5)
    }
    assert (pattern(cells(attributes)) == pattern(cells(attributes))).all()


def test_a_rest_of_three_people_hides_the_group(cells: CellsOf) -> None:
    made = cells({"sex": ["f"] * 97 + ["m"] * 3})
    assert not small(made.people_SD)[made.set_of[Cell(axis="sex", group="f")]]
    assert hidden(made) == {("sex", "f"), ("sex", "m")}


def test_where_no_pattern_is_found_nothing_is_shown(
    cells: CellsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = Leak(how="combination", people=1, used=(0,))
    monkeypatch.setattr(module, "leaks", lambda *_: [always])
    assert pattern(cells({"sex": ["f", "m"] * 30})).all()


@pytest.mark.parametrize("rounds", [0, 1])
def test_where_the_solver_gives_up_nothing_is_shown(
    cells: CellsOf, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    """At once, or after a round whose pattern the attacker broke: no answer hides everything."""
    solve = scipy.optimize.milp
    answers = iter([solve] * rounds)
    gave_up = OptimizeResult(x=None, status=1, message="Time limit reached.")
    monkeypatch.setattr(
        scipy.optimize, "milp", lambda *a, **k: next(answers, lambda *_, **__: gave_up)(*a, **k)
    )
    if rounds:
        found = iter([[Leak(how="combination", people=1, used=(0,))]])
        monkeypatch.setattr(module, "leaks", lambda *_: next(found, []))
    assert pattern(cells({"sex": ["f"] * 30 + ["m"] * 4 + ["x"] * 30})).all()


def test_an_answer_that_shows_a_small_cell_is_not_believed(
    cells: CellsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = OptimizeResult(x=np.zeros(4), status=0)
    monkeypatch.setattr(scipy.optimize, "milp", lambda *_, **__: nothing)
    monkeypatch.setattr(module, "leaks", lambda *_: [])
    made = cells({"sex": ["f"] * 30 + ["m"] * 4 + ["x"] * 30})
    assert made.sets == 4
    assert pattern(made)[made.set_of[Cell(axis="sex", group="m")]]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_rest_of_a_set_is_whoever_is_not_wholly_in_it(
    cells: CellsOf, data: st.DataObject
) -> None:
    rows = data.draw(st.integers(2, 40))
    person = data.draw(st.lists(st.integers(0, 12), min_size=rows, max_size=rows))
    day = data.draw(st.lists(st.sampled_from([7, 28]), min_size=rows, max_size=rows))
    reached = data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    sex = data.draw(st.lists(st.sampled_from("fm"), min_size=rows, max_size=rows))
    laid = cells({"sex": sex}, person=person, day=day, reached=reached)
    row_SN = laid.row_SN.toarray().astype(bool)
    for number, whole in enumerate(laid.everyone_S):
        for d, counted_N in enumerate(laid.denominator_DN):
            outside_N = row_SN[whole] & ~row_SN[number] & counted_N
            assert laid.rest_SD[number, d] == len(set(laid.person_N[outside_N].tolist()))
