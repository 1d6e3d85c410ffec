"""A problem of a row says whose it is, whatever stands in the row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from contracts.cohort import CODE, SUBJECT
from features.event_report import ROW, EventReport


@given(st.text() | st.sampled_from(["subject 7", "no subject here"]))
def test_whose_a_row_is_stands_behind_what_was_found(found: str) -> None:
    events = pd.DataFrame({SUBJECT: [7], CODE: ["A"], ROW: [3]})
    report = EventReport(file="rows.csv", labels={7: "P-7"}, events=events)
    wrong_N = np.array([True])
    (problem,) = report.rows(wrong_N, None, lambda _: found, "advice", "cause")
    assert problem.found == f"{found} (subject P-7)"
    (named,) = report.rows(wrong_N, None, report.who, "advice", "cause", names_whose=True)
    assert named.found == "subject P-7"
