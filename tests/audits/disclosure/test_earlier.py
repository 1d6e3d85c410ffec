"""Two reports together: nobody who came, left or changed can be worked out of both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from audits.disclosure.cells import Cell
from audits.disclosure.earlier import EarlierReport, not_yet_counted
from audits.disclosure.published import Pattern, pattern_of
from audits.disclosure.quantities import Counted, Quantity
from audits.judging.policy import Policy
from contracts.groups import MINIMUM_SHOWN

RECORDED = Quantity(counted=Counted.REQUESTED)
"""What is recorded of people, such as the days since onset: the same whatever the model."""

GROUPS = {"sex": ("f", "m"), "site": ("a", "b", "c")}


def cohort(table_of: Callable[..., pd.DataFrame], seed: int, people: int) -> pd.DataFrame:
    return table_of(people, seed=seed, horizons=(84,), groups=GROUPS, models=("candidate",))


def people_in(table: pd.DataFrame, count: slice) -> pd.DataFrame:
    return table[table["subject_id"].isin(range(*count.indices(10**6)))].reset_index(drop=True)


def as_earlier(table: pd.DataFrame, pattern: Pattern) -> EarlierReport:
    return EarlierReport(rows=table, shown=pattern.shown)


def equations(
    tables: list[pd.DataFrame], patterns: list[Pattern], quantity: Quantity = RECORDED
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return whom each shown mean is of, one column a person as recorded; and whose columns.

    Written apart from what is tested: of one row a person, straight from the labels.
    """
    values = pd.concat(tables)[["subject_id", "truth"]].drop_duplicates()
    column_of = {row: n for n, row in enumerate(values.itertuples(index=False, name=None))}
    rows = []
    for table, pattern in zip(tables, patterns, strict=True):
        keys = list(table[["subject_id", "truth"]].itertuples(index=False, name=None))
        column_N = np.array([column_of[key] for key in keys])
        for cell in pattern.shown[quantity]:
            names = [f"group:{name}" for name in cell.axis.split(" & ") if name != "everyone"]
            label_N = [" & ".join(row) for row in table[names].astype(str).to_numpy()]
            inside_N = [not names or label == cell.group for label in label_N]
            row = np.zeros(len(column_of))
            row[column_N[np.array(inside_N)]] = 1
            rows.append(row)
    return np.array(rows).reshape(-1, len(column_of)), values["subject_id"].to_numpy()


def few_revealed(row_KP: NDArray[np.float64], person_P: NDArray[np.int64]) -> list[int]:
    """Return how many people are told of, where they are few: by differences and least squares."""
    few = []
    for one in range(len(row_KP)):
        for other in range(one):
            difference = row_KP[one] - row_KP[other]
            few.append(len(set(person_P[difference != 0])))
    kinds, kind_P = np.unique(row_KP, axis=1, return_inverse=True)
    for kind in range(kinds.shape[1]):
        asked_P = (kind_P == kind).astype(float)
        found, *_ = np.linalg.lstsq(row_KP.T, asked_P, rcond=None)
        if np.allclose(row_KP.T @ found, asked_P, atol=1e-8):
            few.append(len(set(person_P[kind_P == kind])))
    return [people for people in few if 0 < people < MINIMUM_SHOWN]


def test_one_person_more_is_told_by_two_reports_that_do_not_know_each_other(
    table_of: Callable[..., pd.DataFrame], quickest_policy: Policy
) -> None:
    whole = cohort(table_of, 0, 61)
    tables = [people_in(whole, slice(60)), whole]
    patterns = [pattern_of(table, quickest_policy) for table in tables]
    assert 1 in few_revealed(*equations(tables, patterns))


@pytest.mark.parametrize(("came", "waiting"), [(0, 0), (1, 1), (10, 10), (11, 0), (30, 0)])
def test_who_came_is_counted_from_eleven_on(
    table_of: Callable[..., pd.DataFrame], came: int, waiting: int
) -> None:
    whole = cohort(table_of, 1, 60 + came)
    before = people_in(whole, slice(60))
    assert len(not_yet_counted(whole, [before])) == waiting
    # A number is no identity: the same people, numbered anew.
    anew = whole.assign(subject_id=whole["subject_id"].max() - whole["subject_id"])
    held_back = not_yet_counted(anew, [before])
    assert len(held_back) == waiting
    assert all(subject < came for subject in held_back)


def test_of_several_reports_the_people_of_one_remain(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    whole = cohort(table_of, 2, 77)
    earlier = [people_in(whole, slice(60)), people_in(whole, slice(75))]
    assert not_yet_counted(whole, earlier) == {75, 76}
    assert not_yet_counted(people_in(whole, slice(61)), earlier) == {60}


def test_where_somebody_left_no_report_is_of_the_same_people(
    table_of: Callable[..., pd.DataFrame],
) -> None:
    whole = cohort(table_of, 3, 61)
    assert not_yet_counted(people_in(whole, slice(1, 61)), [people_in(whole, slice(60))]) == set()


def second(table: pd.DataFrame, came: int, left: int, changed: int, seed: int) -> pd.DataFrame:
    """Return the people of a later cohort: the last ones came, others left or have new scores."""
    rng = np.random.default_rng(seed)
    before = table["subject_id"].max() + 1 - came
    order = rng.permutation(before)
    kept = table[~table["subject_id"].isin(order[:left])].reset_index(drop=True)
    other_N = kept["subject_id"].isin(order[left : left + changed])
    return kept.assign(truth=kept["truth"] + 0.5 * other_N)


PAIRS: dict[str, st.SearchStrategy[int]] = {
    "seed": st.integers(0, 10**6), "people": st.integers(40, 130), "came": st.integers(0, 30),
    "left": st.integers(0, 14), "changed": st.integers(0, 14),
}  # fmt: skip


@settings(max_examples=4, deadline=None, derandomize=True)
@given(**PAIRS)
def test_no_two_reports_of_one_line_tell_of_few(
    table_of: Callable[..., pd.DataFrame], quickest_policy: Policy, **drawn: int
) -> None:
    tell_of_nobody(table_of, quickest_policy, **drawn)


@pytest.mark.soak
@settings(max_examples=150, deadline=None, derandomize=True)
@given(**PAIRS)
def test_no_two_of_many_reports_tell_of_few(
    table_of: Callable[..., pd.DataFrame], quickest_policy: Policy, **drawn: int
) -> None:
    tell_of_nobody(table_of, quickest_policy, **drawn)


def tell_of_nobody(
    table_of: Callable[..., pd.DataFrame], policy: Policy, *, seed: int, people: int, came: int,
    left: int, changed: int,
) -> None:  # fmt: skip
    whole = cohort(table_of, seed, people + came)
    first = people_in(whole, slice(people))
    before = pattern_of(first, policy)
    assert not few_revealed(*equations([first], [before]))
    later = second(whole, came, left, changed, seed)
    later = later[~later["subject_id"].isin(not_yet_counted(later, [first]))]
    later = later.reset_index(drop=True)
    after = pattern_of(later, policy, [as_earlier(first, before)])
    assert not few_revealed(*equations([first, later], [before, after]))
    if not (left or changed) and came < MINIMUM_SHOWN:
        # The same people, so the same report.
        assert after.shown[Quantity()] == before.shown[Quantity()]


def test_a_value_that_was_corrected_hides_what_is_recorded_and_no_error(
    table_of: Callable[..., pd.DataFrame], quickest_policy: Policy
) -> None:
    first = cohort(table_of, 4, 100)
    before = pattern_of(first, quickest_policy)
    later = first.assign(truth=first["truth"] + 0.5 * (first["subject_id"] == 7))
    after = pattern_of(later, quickest_policy, [as_earlier(first, before)])
    everyone = Cell(axis="everyone", group="everyone")
    assert not after.shows(RECORDED, everyone)
    rule = Quantity(comparator="last observation")
    assert not after.shows(rule, everyone)
    # The errors of a version trained again are other numbers for everybody.
    assert after.shown[Quantity()] == before.shown[Quantity()]


def test_a_third_report_knows_both_before(
    table_of: Callable[..., pd.DataFrame], quickest_policy: Policy
) -> None:
    whole = cohort(table_of, 8, 110)
    tables = [people_in(whole, part) for part in (slice(70), slice(12, 90), slice(5, 110))]
    patterns: list[Pattern] = []
    for table in tables:
        earlier = [as_earlier(t, p) for t, p in zip(tables, patterns, strict=False)]
        patterns.append(pattern_of(table, quickest_policy, earlier))
    assert not few_revealed(*equations(tables, patterns))
    assert all(pattern.shown[Quantity()] for pattern in patterns)
