"""The technical edition: every number, method, seed and digest, and the reporting standards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audits.judging.performance import Performance
from audits.judging.validation import CHECK
from audits.judging.wording import in_unit, limit_in_words
from audits.measure.measures import Metric
from audits.measure.partitions import EVERYONE
from audits.report.content import Report, varied_axes
from audits.report.crosswalk import STANDARDS, answers
from audits.report.document import (
    Block,
    Bullets,
    Document,
    Figure,
    Heading,
    Notice,
    Paragraph,
    Table,
)
from contracts.verdict import Finding, Outcome

METHODS = (
    "Forecasts are out of fold: each person was forecast by a network that never saw them.",
    "Intervals: percentile bootstrap of the final number (value, difference, ratio, worst group"
    " against overall, candidate against comparator draw by draw). People are drawn, not rows: all"
    " rows of a person enter together.",
    "P-values: one-sided, normal, with the bootstrap's standard error (ratios in logarithms),"
    " against the policy's limit; adjusted by Benjamini-Hochberg within the rules that bind, and"
    " within those that do not.",
    "A rule passes when its whole interval is acceptable; blocks when none of it is and the"
    " adjusted p-value is at most one minus the confidence; else needs review if the estimate is"
    " beyond the limit, insufficient evidence if within. Every binding rule must pass in every"
    " group"
    " (intersection-union test, Berger 1982).",
    "Group values were computed a second time by fairlearn's MetricFrame and agree.",
    "Groups of fewer than 11 people or events are judged and not shown, nor is the next smallest"
    " group where a hidden one could be worked out.",
    "Missing attributes are the group 'not recorded'. Nothing was imputed.",
)


def technical_edition(report: Report, figures: tuple[Figure, ...]) -> Document:
    """Return the technical edition of a report."""
    verdict, policy = report.verdict, report.policy
    simulated = (
        Notice(tone="simulated", title="SIMULATED COHORT.", text="No real person is in it."),
    )
    return Document(
        title=f"Audit of {verdict.model_version}: technical edition",
        subtitle=f"Cohort: {report.facts.cohort_name}. Made {report.made_at}, holds until"
        f" {report.valid_until}.",
        blocks=(
            *(simulated if verdict.simulated else ()),
            Notice(
                tone=verdict.outcome.name.lower(),
                title=f"Verdict: {verdict.outcome}.",
                text=f"{sum(f.binding for f in verdict.findings)} binding of"
                f" {len(verdict.findings)} findings.",
            ),
            Heading(level=1, text="What was judged"),
            _identity(report),
            Heading(level=1, text="Checks of the prediction table"),
            Bullets(
                items=tuple(
                    f"{f.outcome}: {f.reason}" for f in verdict.findings if f.metric == CHECK
                )
            ),
            Heading(level=1, text="Methods"),
            Bullets(items=METHODS),
            Paragraph(
                text=f"{policy.replicates} replicates, seed {policy.seed}; important difference"
                f" {policy.important_difference:g} points; decision threshold"
                f" {policy.decision_threshold:g}."
            ),
            *figures,
            *_findings(report),
            *_performance(report),
            *_labels(report),
            Heading(level=1, text=f"The rules (policy {policy.version})"),
            _rules(report),
            *_standards(report),
        ),
    )


def _identity(report: Report) -> Table:
    verdict, facts = report.verdict, report.facts
    rows = (
        ("model version", verdict.model_version),
        ("model family, seed, made", f"{facts.family}, {facts.seed}, {facts.created}"),
        ("bundle, SHA-256", verdict.bundle_digest),
        ("prediction table, SHA-256", verdict.predictions_digest),
        ("cohort data, SHA-256", verdict.data_digest),
        ("source code, SHA-256", verdict.code_digest),
        ("policy, SHA-256", verdict.policy_digest),
        ("champion compared with", verdict.champion or "none"),
        ("its prediction table, SHA-256", verdict.champion_predictions_digest or "none"),
        ("comparators", ", ".join(report.comparators) or "none"),
        ("people, forecasts", f"{report.people}, {report.forecasts}"),
    )
    return Table(caption="Identity by digest", columns=("what", "value"), rows=rows, widths=(1, 3))


def _findings(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Findings")
    scored = [f for f in report.verdict.findings if f.metric != CHECK]
    reported = [f for f in scored if not f.binding]
    beyond = [f for f in reported if f.outcome in {Outcome.BLOCKED, Outcome.REVIEW}]
    yield _listed("Rules that bind", [f for f in scored if f.binding])
    rules = dict.fromkeys(f.rule for f in reported)
    yield Table(
        caption=f"Rules that are reported only: {len(reported)} findings, by outcome",
        columns=("rule", *(str(outcome) for outcome in Outcome)),
        rows=tuple(
            (rule, *(str(sum((f.rule, f.outcome) == (rule, o) for f in reported)) for o in Outcome))
            for rule in rules
        ),
        widths=(5, *(2 for _ in Outcome)),
        small=True,
    )
    if beyond:
        yield _listed("Of these, beyond a limit (all are in report.json)", beyond)


def _listed(caption: str, told: Sequence[Finding]) -> Table:
    return Table(
        caption=caption,
        columns=("group", "rule", "people, events", "p, adjusted", "outcome", "finding"),
        rows=tuple(_finding(f) for f in told),
        widths=(4, 4, 2, 2, 2, 10),
        small=True,
    )


def _finding(finding: Finding) -> tuple[str, ...]:
    when = "" if finding.horizon_day is None else f", day {finding.horizon_day}"
    who = EVERYONE if finding.axis == EVERYONE else f"{finding.axis}: {finding.group}"
    people = "hidden" if finding.subjects is None else str(finding.subjects)
    events = "" if finding.events is None else f", {finding.events}"
    p = "" if finding.p_value is None else f"{finding.p_value:.2g}"
    adjusted = "" if finding.adjusted_p is None else f", {finding.adjusted_p:.2g}"
    return (
        who + when, finding.rule, people + events, p + adjusted, str(finding.outcome),
        finding.reason,
    )  # fmt: skip


def _performance(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Every metric by group and horizon")
    if report.unavailable:
        yield Paragraph(text=f"Not available in this table: {', '.join(report.unavailable)}.")
    days = sorted({r.horizon_day for r in report.performance if r.horizon_day is not None})
    keys = dict.fromkeys((r.metric, r.milestone) for r in report.performance)
    for metric, milestone in keys:
        told = [r for r in report.performance if (r.metric, r.milestone) == (metric, milestone)]
        here = [None, *days] if any(r.horizon_day is not None for r in told) else [None]
        varied = varied_axes(told)
        groups = dict.fromkeys((r.axis, r.group) for r in told if r.axis in varied)
        placed = {(r.axis, r.group, r.horizon_day): r for r in told}
        name = metric if milestone is None else f"{metric}: {milestone}"
        yield Table(
            caption=f"{name}, per {told[0].denominator}: estimate [95 % interval] (n)",
            columns=("group", *("all" if d is None else f"day {d}" for d in here)),
            rows=tuple(
                (
                    EVERYONE if axis == EVERYONE else f"{axis}: {group}",
                    *(_cell(Metric(metric), placed.get((axis, group, day))) for day in here),
                )
                for axis, group in groups
            ),
            widths=(2, *(2 for _ in here)),
            small=True,
        )


def _cell(metric: Metric, row: Performance | None) -> str:
    if row is None:
        return "none"
    if row.subjects is None:
        return "hidden"
    if row.value is None:
        return f"undefined ({row.subjects})"
    spread = (
        ""
        if row.low is None or row.high is None
        else f" [{in_unit(metric, row.low, row.high).rpartition(' ')[0] or ''}]"
    )
    value = in_unit(metric, row.value)
    if spread and metric.definition.unit == "number":
        spread = f" [{in_unit(metric, row.low or 0.0, row.high or 0.0)}]"
    return f"{value}{spread} ({row.subjects})"


def _labels(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Sensitivity to biased labels")
    bias = report.policy.label_bias
    yield Paragraph(
        text="Nothing computed from labels can show that the labels themselves are biased."
        f" Bracketed: the difference of each group from the rest, were its true ability up to"
        f" {bias.points:g} points from its labels ({bias.source}); tipping point: the smallest bias"
        " that carries it over the policy's limit."
    )
    yield Table(
        caption="Difference from the rest, in points",
        columns=("group", "metric", "people", "as labelled", "bracket", "tipping point"),
        rows=tuple(
            (
                f"{r.axis}: {r.group}", r.metric, str(r.subjects), f"{r.observed:+.2f}",
                f"{r.low:+.2f} to {r.high:+.2f}",
                "none" if r.tipping_point is None else f"{r.tipping_point:.1f}",
            )
            for r in report.label_sensitivity
        ),
        widths=(3, 3, 1, 2, 3, 2),
        small=True,
    )  # fmt: skip


def _rules(report: Report) -> Table:
    return Table(
        caption=f"Policy version {report.policy.version}, frozen by digest",
        columns=("rule", "of whom", "metric", "number", "limit", "needs", "binds", "why"),
        rows=tuple(
            (
                rule.name,
                rule.scope + (", each horizon" if rule.each_horizon else ""),
                rule.metric.value,
                rule.statistic + (f": {rule.comparator}" if rule.comparator else ""),
                f"{limit_in_words(rule)}, {100 * rule.confidence:g} %",
                f"{rule.minimum_subjects} people"
                + (f", {rule.minimum_events} events" if rule.minimum_events else ""),
                "yes" if rule.binding else "no",
                rule.rationale,
            )
            for rule in report.policy.rules
        ),
        widths=(4, 2, 3, 3, 3, 2, 1, 8),
        small=True,
    )


def _standards(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Reporting standards")
    yield Paragraph(
        text="An index of where each item is answered, in our words; no claim of conformity. What"
        " is not available is said to be so."
    )
    for standard in STANDARDS:
        rows = tuple((a.item, a.topic, a.answer) for a in answers(report, standard))
        missing = sum(answer.startswith("not available") for _, _, answer in rows)
        yield Table(
            caption=f"{standard}: {len(rows)} items, {missing} not available",
            columns=("item", "topic", "answer"),
            rows=rows,
            widths=(1, 4, 10),
            small=True,
        )
