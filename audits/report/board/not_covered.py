"""Whom an audit does not cover: what a board must read before any number."""

from __future__ import annotations

from collections.abc import Iterable

from audits.judging.findings import COMPARISON
from audits.judging.wording import group_in_words
from audits.measure.groups import EVERYONE
from audits.measure.metrics import Metric
from audits.report.board.findings_in_words import is_of_binding_rule
from audits.report.content import Report, over_all_horizons
from audits.report.document import Block, Bullets, Heading
from contracts.groups import MINIMUM_SHOWN
from contracts.verdict import Finding, Outcome
from contracts.vocabulary import NOT_RECORDED


def not_covered(report: Report) -> Iterable[Block]:
    """Say whom the audit does not cover."""
    findings = report.verdict.findings
    items = list(_nothing_to_compare(findings))
    uncertain = dict.fromkeys(
        group_in_words(f.axis, f.group)
        for f in findings
        if is_of_binding_rule(report.policy, f)
        and f.outcome is not Outcome.PASS
        and f.axis != EVERYONE
    )
    if uncertain:
        items.append(
            f"Not every rule could be shown to hold for: {'; '.join(uncertain)}. Why is said beside"
            " each rule below."
        )
    if report.some_wait:
        items.append(
            f"Fewer than {MINIMUM_SHOWN} people who came since an earlier report. They are counted"
            f" when there are {MINIMUM_SHOWN}: else two reports side by side would show them."
        )
    items += _unobserved_outcomes(report)
    items += _refused(report)
    constant = {f.axis for f in findings if f.rule == COMPARISON}
    not_recorded = sorted(
        {f.axis for f in findings if f.group == NOT_RECORDED and len(f.attributes) == 1} - constant
    )
    if not_recorded:
        items.append(f"Not recorded for some people: {', '.join(not_recorded)}.")
    items.append(
        "Anyone unlike the people of this cohort: people with another condition, in another"
        " country, with another device, or in a group that no attribute here names."
    )
    yield Heading(level=1, text="Whom this audit does not cover")
    yield Bullets(items=tuple(items))


def _nothing_to_compare(findings: Iterable[Finding]) -> Iterable[str]:
    """Name the attributes with everyone in one group, those never recorded in one line."""
    label_of = {f.axis: f.group for f in findings if f.rule == COMPARISON}
    not_recorded = [axis for axis, label in label_of.items() if label == NOT_RECORDED]
    if not_recorded:
        yield (
            "Not recorded for anyone, so this audit says nothing about it:"
            f" {', '.join(not_recorded)}."
        )
    for axis, label in label_of.items():
        if label != NOT_RECORDED:
            yield f"{axis}: everyone is in one group ({label}), so nothing can be compared."


def _unobserved_outcomes(report: Report) -> Iterable[str]:
    for row in over_all_horizons(report, Metric.UNOBSERVED_OUTCOMES):
        if row.axis == EVERYONE and row.value is not None and row.value > 0:
            yield (
                f"{100 * row.value:.0f} in 100 of the outcomes that could have been observed were"
                " not: visits were missed, people lost, or it was too early."
            )


def _refused(report: Report) -> Iterable[str]:
    """Say how many forecasts the service would refuse."""
    for row in over_all_horizons(report, Metric.REFUSAL_RATE):
        if row.axis == EVERYONE and row.value:
            if report.refusals_are_of_today:
                yield (
                    f"Asked today, with the newest day of each person's data, the service would"
                    f" refuse {100 * row.value:.0f} in 100 people of the cohort."
                )
            else:
                yield (
                    f"The service would refuse {100 * row.value:.0f} in 100 of the forecasts"
                    " requested; these are not counted in any number of the table and figures"
                    " below."
                )
