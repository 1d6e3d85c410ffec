from __future__ import annotations

import pytest

from audits.disclosure.losses import ShownLosses
from audits.judging.lost.findings import LOST
from audits.judging.policy import load_policy
from audits.report.board.lost import lost_outcomes
from audits.report.content import Report
from audits.report.document import Table


@pytest.mark.parametrize("missed", [None, 0.25])
def test_a_column_of_which_no_number_may_be_shown_is_left_out(
    report: Report, missed: float | None
) -> None:
    """A board read "hidden" in every row."""
    sex = next(f for f in report.verdict.findings if f.axis == "sex")
    of_sex = [
        sex.model_copy(update={"metric": LOST, "group": group, "subjects": 40})
        for group in ("female", "male")
    ]
    shown = ShownLosses(
        axis="sex", group="male", lost=0.1, withdrew=0.0, died=None, missed=missed, traced=None,
        missing=None, weighted_shift=None, smallest_chance=None, worst=None, tipping_point=None,
    )  # fmt: skip
    verdict = report.verdict.model_copy(update={"findings": tuple(of_sex)})
    policy = report.policy.model_copy(update={"lost": load_policy().lost})
    made = report.model_copy(
        update={"verdict": verdict, "lost_outcomes": (shown,), "policy": policy}
    )
    (table,) = (block for block in lost_outcomes(made) if isinstance(block, Table))
    kept = ("Lost", "Withdrew") if missed is None else ("Lost", "Withdrew", "Missed")
    assert table.columns == ("Group", *kept, "Judgement")
    assert [row[1] for row in table.rows] == ["hidden", "10"]
    assert all(len(row) == len(table.columns) == len(table.widths) for row in table.rows)
