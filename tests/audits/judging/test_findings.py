from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.judging.counts import Counts
from audits.judging.evidence import Evidence
from audits.judging.findings import adjusted, finding, findings, not_judged, nothing_to_compare
from audits.judging.policy import Rule, load_policy
from audits.judging.units import POINTS
from audits.judging.wording import limit_in_words, sentence
from audits.measure.groups import Grouping
from audits.measure.intervals import Interval
from audits.measure.metrics import Measure
from contracts.verdict import Outcome, Shortage

RULES = {rule.name: rule for rule in load_policy().rules}
ERROR, SIGNED, COVERAGE, MISSED, AGAINST = (
    RULES[name]
    for name in (
        "no group forecast less accurately",
        "no group promised too much or too little",
        "honest intervals in every group",
        "no group's recovery overlooked",
        "no worse than the last observation",
    )
)

SPREAD = Interval(low=-1.0, high=2.0)


def evidence(
    rule: Rule = ERROR,
    *,
    estimate: float = 0.5,
    interval: Interval | None = SPREAD,
    subjects: int = 60,
    events: int | None = None,
    axis: str = "sex",
    p_value: float | None = None,
    small_groups: tuple[str, ...] = (),
    rest: Counts | None = None,
) -> Evidence:
    milestone = "important gain" if rule is MISSED else None
    return Evidence(
        rule=rule,
        measure=Measure(metric=rule.metric, milestone=milestone),
        axis=axis,
        attributes=(axis,),
        group="female",
        counts=Counts(subjects=subjects, events=events),
        estimate=estimate,
        interval=interval,
        p_value=p_value,
        small_groups=small_groups,
        rest=rest,
    )


def test_a_reason_is_one_sentence_with_group_n_estimate_interval_and_limit() -> None:
    assert finding(evidence(), None).reason == (
        "sex: female (n = 60): mean absolute error 0.50 points above everyone else's"
        " (95 % interval -1.00 to 2.00 points); the whole interval is within the limit of at most 4.25"
        " points."
    )


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (evidence(SIGNED, estimate=-0.001), "signed error 0.00 points below everyone else's"),
        (evidence(SIGNED), "the limit of -4.25 to 4.25 points"),
        (evidence(COVERAGE, estimate=0.8), "coverage of the 80 % interval 80 % (95 % interval"),
        (evidence(AGAINST, axis="everyone"), "everyone (n = 60): mean absolute error 0.50 points"),
        (evidence(AGAINST, axis="everyone"), "above that of last observation"),
        (evidence(MISSED, events=30), "(n = 60, 30 events): false-negative rate:"),
        (evidence(MISSED, events=30), "50 percentage points above everyone else's"),
        (evidence(subjects=7), "fewer people than the 8 needed; so far, mean absolute error"),
        (evidence(MISSED, events=7), "fewer events than the 8 needed"),
        (evidence(small_groups=("other",)), "have fewer people than the 8 needed: other; so far"),
        (evidence(interval=None), "too rarely defined for an interval"),
        (evidence(estimate=np.nan), "cannot be computed"),
    ],
)
def test_reasons_say_what_matters_in_plain_words(item: Evidence, words: str) -> None:
    assert words in sentence(item, Outcome.PASS)


@pytest.mark.parametrize(
    "item",
    [
        evidence(subjects=7),
        evidence(MISSED, events=7),
        evidence(MISSED, events=None),
        evidence(small_groups=("other",)),
    ],
)
def test_too_small_a_group_is_insufficient_evidence_and_binds(item: Evidence) -> None:
    made = finding(item, None)
    assert item.shortage is not None
    assert (made.outcome, made.binding) == (Outcome.INSUFFICIENT, True)


def test_what_cannot_be_computed_is_told_as_none() -> None:
    made = finding(evidence(estimate=np.nan, interval=None), None)
    assert (made.value, made.low, made.high, made.outcome) == (None,) * 3 + (Outcome.INSUFFICIENT,)


def test_a_rule_that_could_not_be_applied_binds_as_the_rule_does() -> None:
    made = not_judged(ERROR, "there is no forecast")
    assert (made.outcome, made.binding) == (Outcome.INSUFFICIENT, ERROR.binding)


@pytest.mark.parametrize("label", ["no wearable", "not recorded"])
def test_an_attribute_that_is_the_same_for_everyone_does_not_bind(label: str) -> None:
    grouping = Grouping(
        axis="wear band", attributes=("wear band",), labels_G=(label,), group_N=np.array([0])
    )
    made = nothing_to_compare(grouping, 90)
    assert (made.outcome, made.binding) == (Outcome.INSUFFICIENT, False)
    assert "everyone is in one group, so there is nothing to compare" in made.reason
    assert ("not recorded for anyone" in made.reason) == (label == "not recorded")


def test_limits_carry_direction_and_unit() -> None:
    assert limit_in_words(COVERAGE, POINTS) == "at least 65 %"
    assert limit_in_words(MISSED, POINTS) == "at most 25 percentage points"


COUNTS = st.builds(Counts, subjects=st.integers(0, 200), events=st.none() | st.integers(0, 200))


@given(
    own=COUNTS,
    rest=st.none() | COUNTS,
    rule=st.sampled_from([ERROR, SIGNED, COVERAGE, MISSED, AGAINST]),
    high=st.floats(0.5, 30),
)
def test_nobody_says_of_enough_people_that_they_are_few(
    own: Counts, rest: Counts | None, rule: Rule, high: float
) -> None:
    item = evidence(
        rule, subjects=own.subjects, events=own.events, rest=rest,
        interval=Interval(low=-high, high=high),
    )  # fmt: skip
    made = finding(item, None)
    its_own = made.reason.replace(f"{PEOPLE} in the rest", "")
    assert (PEOPLE in its_own) == (own.subjects < rule.minimum_subjects)
    assert "too few" not in made.reason
    if made.shortage in {Shortage.REST_PEOPLE, Shortage.REST_EVENTS}:
        assert "in the rest, which it is compared with" in made.reason


PEOPLE = "fewer people than the 8 needed"
BEYOND = Interval(low=5.0, high=9.0)


def test_one_chance_breach_among_many_rules_is_looked_at_and_not_blocked() -> None:
    breach = evidence(estimate=7.0, interval=BEYOND, p_value=0.02)
    fine = [evidence(p_value=0.5 + n / 100) for n in range(20)]
    (alone,) = findings([breach])
    among = next(iter(findings([breach, *fine])))
    assert (alone.outcome, alone.adjusted_p) == (Outcome.BLOCKED, 0.02)
    assert (among.outcome, among.adjusted_p) == (Outcome.REVIEW, pytest.approx(0.42))


def test_rules_that_do_not_bind_and_groups_too_small_do_not_dilute_those_that_do() -> None:
    loose = ERROR.model_copy(update={"binding": False})
    adjusted_ps = adjusted(
        [
            evidence(p_value=0.04),
            *(evidence(loose, p_value=0.9) for _ in range(9)),
            evidence(p_value=0.9, subjects=5),
        ]
    )
    assert adjusted_ps[0] == 0.04
    assert adjusted_ps[-1] is None
