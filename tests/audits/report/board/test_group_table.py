from __future__ import annotations

from audits.measure.metrics import Metric
from audits.report.board.group_table import groups
from audits.report.content import Report
from audits.report.document import Table


def test_ends_that_are_the_same_are_not_said(report: Report) -> None:
    """All outcomes of everybody were inside the range: "between 100 and 100"."""
    rows = tuple(
        row.model_copy(update={"value": 1.0, "low": 1.0, "high": 1.0})
        if row.metric == Metric.COVERAGE
        else row
        for row in report.performance
    )
    (table,) = (
        b for b in groups(report.model_copy(update={"performance": rows})) if isinstance(b, Table)
    )
    said = [words for row in table.rows if "Off by" in (words := str(row[2]))]
    assert all("100 in 100 outcomes were inside" in words for words in said)
    assert any("(between" in words for words in said)
