"""What a report says of an external cohort, of whom would be refused today, and of what was judged."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from audits.disclosure.suppress import external_may_be_shown, suppress_in_external
from audits.judging.further.external import ExternalTable, FurtherEvidence
from audits.judging.judge import AuditInputs, judge
from audits.judging.policy import Policy
from audits.measure.metrics import Metric
from audits.report.board.not_covered import not_covered
from audits.report.content import ModelFacts, Report, compose, over_all_horizons
from audits.report.crosswalk import answers
from audits.report.document import Bullets
from audits.report.further import external, known_people, refusals_today, without_counts
from audits.report.technical import technical_edition
from contracts.bundle import Judging
from contracts.groups import MINIMUM_SHOWN
from contracts.predictions import ASKED, MODEL, ORIGIN, REFUSAL, REFUSED, SUBJECT
from contracts.verdict import ExternalValidation, Finding

TableOf = Callable[..., pd.DataFrame]
HTI1 = "HTI-1 source attributes"
ITEMS = ("17", "18", "19", "20", "23", "24")


@pytest.fixture(scope="module")
def questions(table: pd.DataFrame) -> pd.DataFrame:
    """Everybody of the report's table, and sixty of whom no outcome is known; a third is refused."""
    asked = table.drop_duplicates(SUBJECT)
    more = asked.head(60).assign(**{SUBJECT: asked[SUBJECT].head(60) + 1000})
    both = pd.concat([asked, more], ignore_index=True).assign(**{MODEL: ASKED, ORIGIN: 80})
    refused = both[SUBJECT] % 3 == 0
    return both.assign(**{REFUSED: refused, REFUSAL: refused.map({True: "x", False: ""})})


@pytest.fixture(scope="module")
def further(table_of: TableOf, questions: pd.DataFrame) -> FurtherEvidence:
    elsewhere = table_of(80, seed=9, groups={"sex": ("female", "male")})
    validation = ExternalValidation(
        predictions_digest="e" * 64, bundle_digest="b", cohort_name="<i>elsewhere</i>",
        data_digest="x" * 64, simulated=True, made_at="2026-11-01T00:00:00+00:00", made_by="mia",
        people=84, overlap=4, new=80,
    )  # fmt: skip
    external = ExternalTable(
        validation=validation, forecasts=elsewhere, questions=elsewhere.iloc[:0]
    )
    return FurtherEvidence(questions=questions, external=external)


@pytest.fixture(scope="module")
def with_further(
    table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs, facts: ModelFacts,
    further: FurtherEvidence,
) -> Report:  # fmt: skip
    judging = Judging(folds=5, members=10, members_unseen=4)
    return compose(
        table, judge(table, quick_policy, inputs, further), quick_policy,
        facts.model_copy(update={"judging": judging}), made_at="2026-11-24T10:00:00+00:00",
        valid_until="2027-05-23T10:00:00+00:00", questions=further.questions,
    )  # fmt: skip


def test_six_items_on_external_validation_are_available_where_it_is_attached(
    report: Report, with_further: Report
) -> None:
    without = {a.item: a for a in answers(report, HTI1)}
    attached = {a.item: a for a in answers(with_further, HTI1)}
    assert not any(without[item].is_available for item in ITEMS)
    assert all(attached[item].is_available for item in ITEMS)
    assert "--external" in without["17"].text
    assert "<i>elsewhere</i> (SIMULATED)" in attached["17"].text
    assert "80 people, fewer than 11 more known from training" in attached["18"].text
    assert "sex: female; sex: male" in attached["19"].text
    assert "e" * 64 in attached["20"].text
    assert "coverage of the 80 % interval" in attached["23"].text
    changed = [item for item in attached if attached[item].text != without[item].text]
    assert set(changed) == set(ITEMS)


def test_a_report_says_which_networks_were_judged_and_which_are_served(
    report: Report, with_further: Report
) -> None:
    def methods(of: Report) -> str:
        blocks = technical_edition(of, ()).blocks
        return " ".join(item for b in blocks if isinstance(b, Bullets) for item in b.items)

    assert "the mean of the 4 that were trained without them" in methods(with_further)
    assert "served is the mean of all 10" in methods(with_further)
    assert "does not record more" in methods(report)


@pytest.mark.parametrize(
    ("people", "overlap", "new", "shown"),
    [
        (200, 100, 100, (200, 100, 100)),
        (84, 4, 80, (None, None, 80)),
        (80, 0, 80, (80, 0, 80)),
        # Three are neither new nor known: beside the total they would be what is left over.
        (103, 20, 80, (None, 20, 80)),
        (60, 50, 10, (None, 50, None)),
    ],
)
def test_what_an_external_validation_counts_never_tells_of_fewer_than_eleven(
    further: FurtherEvidence, people: int, overlap: int, new: int, shown: tuple[int | None, ...]
) -> None:
    assert further.external is not None
    counted = {"people": people, "overlap": overlap, "new": new}
    found = suppress_in_external(further.external.validation.model_copy(update=counted))
    assert (found.people, found.overlap, found.new) == shown


@pytest.mark.parametrize(
    ("subjects", "events", "shown"),
    [(80, None, True), (69, None, True), (75, None, False), (10, None, False),
     (80, 40, True), (80, 5, False), (80, 76, False), (80, 0, False)],
)  # fmt: skip
def test_an_external_number_needs_eleven_people_on_every_side(
    further: FurtherEvidence, finding_of: Callable[..., Finding], subjects: int,
    events: int | None, shown: bool,
) -> None:  # fmt: skip
    assert further.external is not None
    finding = finding_of(
        axis="everyone", group="everyone", subjects=subjects, events=events, evidence="external"
    )
    assert external_may_be_shown(finding, further.external.validation) is shown


def test_refusals_are_those_of_everybody_today(
    with_further: Report, questions: pd.DataFrame
) -> None:
    rows = over_all_horizons(with_further, Metric.REFUSAL_RATE)
    (everyone,) = (row for row in rows if row.axis == "everyone")
    assert everyone.value == round(questions[REFUSED].mean(), 2)
    bullets = next(b for b in not_covered(with_further) if isinstance(b, Bullets))
    assert any("Asked today" in item and "33 in 100 people" in item for item in bullets.items)


def test_no_count_and_no_exact_number_of_a_group_is_shown_of_further_evidence(
    with_further: Report,
) -> None:
    """Beside the counts of the report, one of other people could single somebody out."""
    of_groups = [
        f
        for f in with_further.verdict.findings
        if f.evidence != "internal" and f.axis != "everyone"
    ]
    assert {f.evidence for f in of_groups} == {"external", "questions"}
    for finding in of_groups:
        assert finding.subjects is finding.value is finding.low is finding.high is None
        assert not any(character.isdigit() for character in finding.reason.replace("80 %", ""))
    assert all(
        row.subjects is None and (row.value is None or round(row.value, 2) == row.value)
        for row in with_further.performance
        if row.metric == Metric.REFUSAL_RATE
    )


def test_an_attribute_with_a_small_group_has_no_refusal_rate_at_all(
    quick_policy: Policy, questions: pd.DataFrame
) -> None:
    sizes = questions.groupby("group:sex").size()
    few = questions.drop(
        questions.index[questions["group:sex"] == "not recorded"][MINIMUM_SHOWN - 1 :]
    )
    assert sizes.min() >= MINIMUM_SHOWN
    shown = [r for r in refusals_today(questions, quick_policy) if r.axis == "sex"]
    hidden = [r for r in refusals_today(few, quick_policy) if r.axis == "sex"]
    assert all(row.value is not None for row in shown)
    assert all(row.value is None and row.low is None for row in hidden)


def test_people_held_out_of_training_or_not_known_do_not_count_as_external(
    with_further: Report,
) -> None:
    """Of a hundred, four were trained on, sixteen are neither that nor known to be new."""
    external = with_further.verdict.external
    assert external is not None
    mixed = external.model_copy(update={"people": 100})
    verdict = with_further.verdict.model_copy(update={"external": mixed})
    answered = {
        a.item: a for a in answers(with_further.model_copy(update={"verdict": verdict}), HTI1)
    }
    assert "80 people, fewer than 11 more known from training" in answered["18"].text


def test_a_second_external_table_of_a_bundle_is_reported_in_words(
    table: pd.DataFrame, quick_policy: Policy, inputs: AuditInputs, further: FurtherEvidence
) -> None:
    verdict = judge(table, quick_policy, inputs, further)
    first, second = (without_counts(verdict, external_numbers=n) for n in (True, False))
    assert any(finding.value is not None for finding in external(first.findings))
    found = external(second.findings)
    assert [finding.outcome for finding in found] == [
        finding.outcome for finding in external(first.findings)
    ]
    assert all(finding.value is None and finding.subjects is None for finding in found)
    assert second.external is not None
    assert {second.external.people, second.external.overlap, second.external.new} == {None}
    assert known_people(second.external) == "people whose number is not shown"
