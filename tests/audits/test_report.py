from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pandas as pd
import pytest

from audits.disparity import Direction
from audits.judge import Audited, judge
from audits.policy import Policy, Rule
from audits.report import MARKS, render
from audits.report.disclosure import hidden
from audits.report.plot import MARGIN, WIDTH, plot
from contracts.errors import ContractError
from contracts.verdict import Finding, Outcome, Verdict

FindingOf = Callable[..., Finding]
WHEN = "2026-11-24T10:00:00+00:00"
VOID = {"meta", "line", "circle"}


class Page(HTMLParser):
    """Collects tags and texts, and notices a tag that is closed by another."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(verdict: Verdict, policy: Policy) -> str:
    return render(verdict, policy, cohort_name="made-up cohort", made_at=WHEN)


@pytest.fixture(scope="module")
def judged(
    table_of: Callable[..., pd.DataFrame], quick_policy: Policy, audited: Audited
) -> tuple[Verdict, pd.DataFrame]:
    table = table_of(
        90,
        groups={"sex": ("female", "male"), "wear band": ("no wearable",)},
        extra_error={("sex", "female"): 9.0},
    )
    table["group:sex"] = table["group:sex"].mask(table["subject_id"] < 7, "not recorded")
    return judge(table, quick_policy, audited), table


def test_a_report_is_one_whole_page_that_loads_and_runs_nothing(
    judged: tuple[Verdict, pd.DataFrame], quick_policy: Policy
) -> None:
    text = page(judged[0], quick_policy)
    read = Page(text)
    assert text.lstrip().startswith("<!doctype html>")
    assert read.open == []
    assert not re.search(r"https?:|src=|href=|@import|url\(", text)
    assert not {tag for tag, _ in read.tags} & {"script", "link", "img", "iframe"}
    assert not any(name.startswith("on") for _, attrs in read.tags for name in attrs)


def test_a_report_can_be_read_without_seeing_colours_or_pictures(
    judged: tuple[Verdict, pd.DataFrame], quick_policy: Policy
) -> None:
    text = page(judged[0], quick_policy)
    read = Page(text)
    assert ("html", {"lang": "en"}) in read.tags
    tables = [tag for tag, _ in read.tags if tag in {"table", "caption"}]
    assert tables == ["table", "caption"] * (len(tables) // 2)
    assert all("scope" in attrs for tag, attrs in read.tags if tag == "th")
    drawn = [attrs for tag, attrs in read.tags if tag == "svg"]
    assert drawn
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in drawn)
    for outcome in {finding.outcome for finding in judged[0].findings}:
        assert f"{MARKS[outcome]}</span> {outcome}</span>" in text


def test_the_verdict_its_reasons_the_digests_and_the_limits_are_told_in_words(
    judged: tuple[Verdict, pd.DataFrame], quick_policy: Policy
) -> None:
    verdict = judged[0]
    read = Page(page(verdict, quick_policy)).text
    assert "Verdict: blocked" in read
    assert (
        read.index("Verdict: blocked") < read.index("What holds it back") < read.index("Findings")
    )
    concealed = hidden(verdict.findings)
    shown = [f for f in verdict.findings if f.binding and f.outcome is Outcome.BLOCKED]
    assert any(finding not in concealed for finding in shown)
    for finding in shown:
        assert (finding.reason in read) == (finding not in concealed)
    for digest in (verdict.bundle_digest, verdict.predictions_digest, verdict.policy_digest):
        assert digest in read
    for rule in quick_policy.rules:
        assert rule.rationale in read
    for blind in ("Bias in the outcome itself", "The ensemble as it is served", "Small groups"):
        assert blind in read
    assert "wear band" in read


@pytest.mark.parametrize("simulated", [True, False])
def test_a_simulated_cohort_is_said_to_be_one_in_bold(
    verdict_of: Callable[..., Verdict], quick_policy: Policy, simulated: bool
) -> None:
    verdict = verdict_of(simulated=simulated, policy_digest=quick_policy.digest)
    assert ("<strong>SIMULATED COHORT" in page(verdict, quick_policy)) == simulated


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_explained(
    verdict_of: Callable[..., Verdict], quick_policy: Policy, outcome: Outcome
) -> None:
    verdict = verdict_of(outcome, policy_digest=quick_policy.digest)
    read = Page(page(verdict, quick_policy)).text
    assert f"Verdict: {outcome}." in read
    assert ("may be promoted" in read) == (outcome is Outcome.PASS)
    assert ("every binding rule passed" in read) == (outcome is Outcome.PASS)


def test_an_audit_without_findings_is_not_shown_as_a_pass(
    verdict_of: Callable[..., Verdict], quick_policy: Policy
) -> None:
    verdict = verdict_of(Outcome.INSUFFICIENT, findings=(), policy_digest=quick_policy.digest)
    assert "Nothing was judged" in page(verdict, quick_policy)


def test_what_comes_from_outside_is_escaped(
    verdict_of: Callable[..., Verdict], finding_of: FindingOf, quick_policy: Policy
) -> None:
    nasty = "<script>alert(1)</script>"
    found = finding_of(group=nasty, axis=nasty, reason=nasty, outcome=Outcome.BLOCKED)
    verdict = verdict_of(
        Outcome.BLOCKED, findings=(found,), policy_digest=quick_policy.digest, model_version=nasty
    )
    text = render(verdict, quick_policy, cohort_name=nasty, made_at=nasty)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_policy_shown_must_be_the_policy_judged_by(
    verdict_of: Callable[..., Verdict], quick_policy: Policy
) -> None:
    with pytest.raises(ContractError, match="made by policy"):
        page(verdict_of(policy_digest="0" * 64), quick_policy)


def test_groups_of_fewer_than_eleven_are_judged_but_not_shown(
    judged: tuple[Verdict, pd.DataFrame], quick_policy: Policy
) -> None:
    verdict = judged[0]
    small = [f for f in verdict.findings if f.group == "not recorded"]
    assert {f.subjects for f in small} == {7}
    assert all(f.value is not None for f in small if "false" not in f.metric)
    text = page(verdict, quick_policy)
    assert "fewer than 11" in text
    for finding in small:
        assert finding.reason not in text
    assert "n = 7" not in text
    assert "<td>7</td>" not in text


def test_a_hidden_group_cannot_be_worked_out_from_one_that_is_shown(finding_of: FindingOf) -> None:
    sizes = (8, 60, 40)
    told = [finding_of(group=str(size), subjects=size) for size in sizes]
    assert {finding.group for finding in hidden(told)} == {"8", "40"}
    assert hidden(told[1:]) == frozenset()
    two_small = [*told, finding_of(group="9", subjects=9)]
    assert {finding.group for finding in hidden(two_small)} == {"8", "9"}


def test_few_events_are_hidden_like_few_people(finding_of: FindingOf) -> None:
    told = [finding_of(group="a", subjects=90, events=3), finding_of(group="b", events=50)]
    assert hidden(told) == frozenset(told)


@pytest.mark.parametrize("direction", list(Direction))
def test_a_picture_keeps_order_and_stays_inside(quick_policy: Policy, direction: Direction) -> None:
    rule: Rule = quick_policy.rules[4].model_copy(update={"direction": direction})
    drawn = plot(rule, 1.0, -8.0, 9.0, zero=True)
    assert drawn.zero is not None
    assert MARGIN <= drawn.low < drawn.zero < drawn.dot < drawn.high <= WIDTH - MARGIN
    assert len(drawn.limits) == (2 if direction is Direction.WITHIN else 1)
    assert drawn.dot < drawn.limits[-1] < drawn.high


def test_a_picture_of_a_single_place_is_in_the_middle(quick_policy: Policy) -> None:
    rule = quick_policy.rules[0]
    assert plot(rule, 0.0, 0.0, 0.0, zero=False).dot == WIDTH / 2
