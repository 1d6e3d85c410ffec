from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from contracts.vocabulary import vocabulary
from features.tables.missing import suspected_codes, undeclared_problem

WALK, AGE, STEPS = "REHABCAST//SIX_MINUTE_WALK", "REHABCAST//AGE", "LOINC//41950-7"
RATE, FUGL_MEYER = "LOINC//40443-4", "REHABCAST//FUGL_MEYER_UE"


@pytest.mark.parametrize(
    ("code", "values", "left_out", "kept"),
    [
        (WALK, [250, 999, 888, 777], [999, 888, 777], []),
        (WALK, [250, 99], [], []),
        (WALK, [50, 99], [], [99]),
        (WALK, [250, -1, -8], [-1, -8], []),
        (FUGL_MEYER, [20, 999, 99], [999], []),
        (AGE, [70, 99], [], [99]),
        (AGE, [70, 77, 81], [], []),
        (AGE, [70, 999], [999], []),
        (STEPS, [5000, 999, 9999], [], [999, 9999]),
        (STEPS, [5000, -1], [-1], []),
        (RATE, [60, 77, 88, 99, 110], [], []),
        (WALK, [], [], []),
    ],
)
def test_codes_for_a_missing_value_are_suspected_by_what_is_measured(
    code: str, values: list[float], left_out: list[float], kept: list[float]
) -> None:
    value_N = np.array([*values, np.nan])
    codes = suspected_codes(value_N, vocabulary()[code])
    assert value_N[codes.left_out_N].tolist() == left_out
    assert value_N[codes.kept_N].tolist() == kept


def test_suspected_cells_are_one_problem_with_their_counts() -> None:
    cells = pd.Series(["NA", ".", "NA"], index=[4, 7, 9])
    (problem,) = undeclared_problem("t.csv", "FM", cells)
    assert (problem.row, problem.count, problem.places) == (4, 3, ("row 4", "row 7", "row 9"))
    assert "'NA' (2), '.' (1)" in problem.found
    assert 'missing = ["NA", "."]' in problem.advice
    assert undeclared_problem("t.csv", "FM", cells[:0]) == []
