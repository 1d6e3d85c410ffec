"""For whom an audit does not speak: what a board must read before any number."""

from __future__ import annotations

from collections.abc import Iterable

from audits.judging.findings import COMPARISON
from audits.measure.measures import Metric
from audits.measure.partitions import EVERYONE
from audits.report.content import Report, pooled
from audits.report.document import Block, Bullets, Heading
from contracts.verdict import Finding, Outcome
from contracts.vocabulary import NOT_RECORDED


def uncovered(report: Report) -> Iterable[Block]:
    """Say for whom the audit does not speak."""
    findings = report.verdict.findings
    told = list(_nothing_to_compare(findings))
    unsure = dict.fromkeys(
        f"{f.axis}: {f.group}"
        for f in findings
        if f.binding and f.outcome is Outcome.INSUFFICIENT and f.axis != EVERYONE
    )
    if unsure:
        told.append(f"Not enough people to be sure about: {'; '.join(unsure)}.")
    lost = [r for r in pooled(report, Metric.LOST) if r.axis == EVERYONE and r.value is not None]
    if lost:
        told.append(
            f"Of the outcomes that {report.people} people could have had,"
            f" {100 * (lost[0].value or 0):.0f} in 100 were not observed."
        )
    told += _refused(report)
    alike = {f.axis for f in findings if f.rule == COMPARISON}
    unknown = sorted(
        {f.axis for f in findings if f.group == NOT_RECORDED and len(f.attributes) == 1} - alike
    )
    if unknown:
        told.append(f"For some people these are not recorded: {', '.join(unknown)}.")
    told.append(
        "Anyone unlike the people of this cohort: another condition, country or device, or a group"
        " that no attribute here names."
    )
    yield Heading(level=1, text="For whom this audit does not speak")
    yield Bullets(items=tuple(told))


def _nothing_to_compare(findings: Iterable[Finding]) -> Iterable[str]:
    """Say which attributes part nobody, those that are recorded for nobody in one line."""
    alike = {f.axis: f.group for f in findings if f.rule == COMPARISON}
    unknown = [axis for axis, group in alike.items() if group == NOT_RECORDED]
    if unknown:
        yield f"Recorded for nobody, so that this audit says nothing of it: {', '.join(unknown)}."
    for axis, group in alike.items():
        if group != NOT_RECORDED:
            yield f"{axis}: everyone is in one group ({group}), so that nothing can be compared."


def _refused(report: Report) -> Iterable[str]:
    """Say to how many people the service would give no forecast; a few would be given away."""
    for row in pooled(report, Metric.REFUSALS):
        if row.axis == EVERYONE and row.value:
            yield (
                f"The service would refuse {100 * row.value:.0f} in 100 of the forecasts asked for;"
                " they are in no number of the table and figures below."
            )
