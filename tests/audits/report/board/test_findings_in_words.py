from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audits.judging.policy import load_policy
from audits.judging.units import POINTS
from audits.measure.metrics import Metric
from audits.report.board.findings_in_words import found, judged, people_in_words
from audits.report.content import Report
from contracts.verdict import Finding, Outcome, Shortage

RULES = {rule.name: rule for rule in load_policy().rules}
ACCURACY, LEANING, COVERED, OVERLOOKED = (
    "no group forecast less accurately",
    "no group promised too much or too little",
    "honest intervals in every group",
    "no group's recovery overlooked",
)
PASS, NOT_CERTAIN, REVIEW, BLOCKED = (
    Outcome.PASS, Outcome.INSUFFICIENT, Outcome.REVIEW, Outcome.BLOCKED,
)  # fmt: skip


def finding(
    rule: str,
    numbers: tuple[float, float, float] | None,
    outcome: Outcome = PASS,
    shortage: Shortage | None = None,
    subjects: int | None = 92,
) -> Finding:
    value, low, high = numbers or (None, None, None)
    return Finding(
        rule=rule, metric=RULES[rule].metric, statistic=RULES[rule].statistic, axis="sex",
        attributes=("sex",), group="male", subjects=subjects, events=None, value=value, low=low,
        high=high, limit=RULES[rule].limit, binding=True, outcome=outcome, reason="the reason",
        shortage=shortage,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (finding(ACCURACY, (3.0, 2.1, 5.4)), "3.0 points more, between 2.1 and 5.4 more."),
        (finding(ACCURACY, (0.3, -1.3, 1.8)), "0.3 points more, between 1.3 less and 1.8 more."),
        (finding(ACCURACY, (-2.0, -3.0, -1.2)), "2.0 points less, between 1.2 and 3.0 less."),
        (finding(LEANING, (-5.5, -10.4, -0.6)), "5.5 points lower, between 0.6 and 10.4 lower."),
        (finding(COVERED, (0.59, 0.3, 0.88)), "59 %, between 30 % and 88 %."),
        (finding(OVERLOOKED, (0.12, -0.09, 0.29)), "12 in 100 more, between 9 less and 29 more."),
        (finding(ACCURACY, (0.02, -1.3, 1.8)), "0.0 points, between 1.3 less and 1.8 more."),
        (finding(OVERLOOKED, (-0.004, -0.2, 0.3)), "0 in 100, between 20 less and 30 more."),
        (finding(COVERED, (1.0, 1.0, 1.0)), "100 %."),
        (finding(ACCURACY, None, subjects=None), "No number is shown."),
        (finding(ACCURACY, None), "It cannot be computed from these people."),
        (finding(ACCURACY, None, subjects=0), "the reason"),
    ],
)  # fmt: skip
def test_how_much_and_between_what(item: Finding, words: str) -> None:
    assert found(item, RULES[item.rule], POINTS) == words


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (finding(ACCURACY, (0.3, -1.3, 1.8)), "Within the limit."),
        (finding(ACCURACY, (9.0, 8.0, 10.0), BLOCKED), "Beyond the limit."),
        (finding(ACCURACY, (3.0, -1.0, 7.0), NOT_CERTAIN), "the interval reaches beyond the limit"),
        (finding(ACCURACY, (5.0, 3.0, 7.0), REVIEW), "the interval reaches back within the limit"),
        (finding(LEANING, (5.0, -5.0, 15.0), REVIEW), "the interval reaches back within the limit"),
        (finding(ACCURACY, (6.0, 5.0, 7.0), REVIEW), "its whole interval, but one in so many"),
        (finding(ACCURACY, (0.0, -1.0, 1.0), NOT_CERTAIN), "lost more than others were their worst"),
        (finding(ACCURACY, (4.0, 3.9, 4.2), REVIEW), "another draw could decide otherwise"),
        (finding(OVERLOOKED, (0.1, 0.0, 0.4), NOT_CERTAIN, Shortage.EVENTS), "fewer events than the"
         " 8 needed."),
        (finding(ACCURACY, (0.1, 0.0, 0.4), NOT_CERTAIN, Shortage.REST_PEOPLE), "in the rest, which"
         " it is compared with"),
        (finding(ACCURACY, None, NOT_CERTAIN, subjects=None), "Not certain."),
        (finding(ACCURACY, None, NOT_CERTAIN, subjects=0), "Not shown to hold."),
        (finding(ACCURACY, None, NOT_CERTAIN), "too rarely defined for an interval"),
    ],
)  # fmt: skip
def test_what_is_missing_where_a_rule_is_not_shown_to_hold(item: Finding, words: str) -> None:
    assert words in judged(item, RULES[item.rule])


def test_a_pair_is_said_with_both_attributes(report: Report) -> None:
    of_sex = next(row for row in report.performance if row.group == "male")
    side = of_sex.model_copy(update={"axis": "affected side", "group": "1"})
    known = report.model_copy(update={"performance": (of_sex, side)})
    pair = finding(ACCURACY, (0.3, -1.3, 1.8)).model_copy(
        update={
            "axis": "sex & affected side", "attributes": ("sex", "affected side"),
            "group": "male & 1",
        }
    )  # fmt: skip
    assert people_in_words(known, pair) == "sex: male and affected side: code 1"
    assert people_in_words(report, pair) == "sex & affected side: male & 1"


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (None, ""),
        (0.95, ""),
        (0.995, " (with 99.5 % confidence)"),
        (0.9, " (with 90 % confidence)"),
    ],
)
def test_an_interval_of_another_confidence_than_the_usual_says_so(
    confidence: float | None, words: str
) -> None:
    item = finding(ACCURACY, (1.0, -2.0, 3.0)).model_copy(update={"confidence": confidence})
    assert found(item, RULES[ACCURACY], POINTS).endswith(f"more{words}.")


def test_a_difference_of_a_score_without_a_unit_keeps_its_decimals() -> None:
    rule = RULES[ACCURACY].model_copy(update={"metric": Metric.BRIER_SCORE})
    item = finding(ACCURACY, (-0.053, -0.056, -0.05))
    words = "0.053 less, between 0.050 and 0.056 less."
    assert found(item, rule, POINTS) == words


@given(
    st.sampled_from([ACCURACY, LEANING, COVERED, OVERLOOKED]),
    st.floats(-0.95, 0.95).filter(lambda low: abs(low) > 0.01),
    st.floats(0.002, 0.04),
)
@example(ACCURACY, 0.655, 0.03)
def test_an_interval_has_two_ends_however_many_people_there_are(
    name: str, low: float, width: float
) -> None:
    """Of 14,845 people a board read "between 0.7 and 0.7"."""
    if name == COVERED:
        low = abs(low)
    item = finding(name, (low + width / 2, low, low + width))
    words = found(item, RULES[name], POINTS).partition("between ")[2].rstrip(".")
    near, far = (re.findall(r"[\d.]*\d", end) for end in words.split(" and "))
    assert near != far or low < 0 < low + width


def test_no_more_decimals_than_it_takes() -> None:
    assert POINTS.apart(0.64, 0.685, 1).more == 0
    assert POINTS.apart(0.66, 0.68, 1).more == 1
    assert POINTS.apart(0.7, 0.7, 1).more == 0
    assert POINTS.apart(0.7, 0.7 + 1e-9, 1).more == 0
