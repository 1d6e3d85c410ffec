from __future__ import annotations

import pytest

from audits.report.content import Report
from audits.report.model_card import judged
from contracts.bundle import FORECASTS, WEIGHTS, Judging


@pytest.mark.parametrize(
    ("judging", "says"),
    [
        (None, "does not record more"),
        (Judging(folds=5, members=10, members_unseen=4), "served is the mean of all 10"),
        (
            Judging(folds=5, members=10, members_unseen=4, joined=FORECASTS),
            "served is the mean of all 10",
        ),
        (
            Judging(folds=5, members=10, members_unseen=4, joined=WEIGHTS),
            "one network with the mean weights of 10",
        ),
    ],
)
def test_how_the_judged_forecasts_were_made_is_that_of_what_is_served(
    report: Report, judging: Judging | None, says: str
) -> None:
    facts = report.facts.model_copy(update={"judging": judging})
    assert says in judged(report.model_copy(update={"facts": facts}))
