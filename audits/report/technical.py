"""The technical edition: every number, method, seed and digest, and the reporting standards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audits.judging.performance import Performance
from audits.judging.units import ScoreUnit, in_unit, without_unit
from audits.judging.validation import CHECK
from audits.judging.wording import group_in_words, limit_in_words, recovery_rule_in_words
from audits.measure.metrics import Metric
from audits.report.clusters import clusters_section
from audits.report.content import Report, varied_axes
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
from audits.report.further import known_people, losses_section, own_codes_section
from audits.report.model_card import judged
from audits.report.standards import standards
from audits.report.stricter import stricter_policy
from contracts.groups import MINIMUM_SHOWN
from contracts.verdict import Finding, Outcome, Verdict

METHODS = (
    "Intervals: percentile bootstrap of the final number (value, difference, ratio, worst group"
    " against overall, candidate against comparator replicate by replicate). People are drawn, not"
    " rows: all rows of a person enter together.",
    "P-values: one-sided, normal, with the bootstrap's standard error (ratios in logarithms),"
    " against the policy's limit; adjusted by Benjamini-Hochberg within the rules that bind, and"
    " within those that do not.",
    "A rule passes when its whole interval is acceptable. It blocks when none of it is and the"
    " adjusted p-value is at most one minus the confidence. Otherwise the finding needs review if"
    " the estimate is beyond the limit, and is insufficient evidence if it is within. Every binding"
    " rule must pass in every group (intersection-union test, Berger 1982).",
    "Group values were also computed with fairlearn's MetricFrame; the results agree.",
    "Numbers of fewer than 11 people (or people with or without a milestone) are judged but not"
    " shown, nor are those that would let such a number be worked out: from sums over groups,"
    " intersections and horizons, or from two groups that differ by a few people. One pattern holds"
    " for the whole report; an integer programme finds the one that hides least.",
    "People without a recorded attribute form the group 'not recorded'. Nothing was imputed.",
)


def technical_edition(report: Report, figures: tuple[Figure, ...]) -> Document:
    """Return the technical edition of a report."""
    verdict, policy = report.verdict, report.policy
    simulated = (
        Notice(tone="simulated", title="SIMULATED COHORT.", text="There are no real people in it."),
    )
    return Document(
        title=f"Audit of {verdict.model_version}: technical edition",
        subtitle=f"Cohort: {report.facts.cohort_name}. Audited {report.made_at}, valid until"
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
            *own_codes_section(report.facts.own_codes),
            Heading(level=1, text="Checks of the prediction table"),
            Bullets(
                items=tuple(
                    f"{f.outcome}: {f.reason}" for f in verdict.findings if f.metric == CHECK
                )
            ),
            Heading(level=1, text="Methods"),
            Bullets(items=(judged(report), *METHODS)),
            Paragraph(
                text=f"{policy.replicates} replicates, seed {policy.seed}; important difference"
                f" {policy.important_difference:g} {policy.score_unit.name}; decision threshold"
                f" {policy.decision_threshold:g}."
            ),
            *clusters_section(report),
            *figures,
            *_findings(report),
            *_performance(report),
            *losses_section(report.lost_outcomes, policy.score_unit),
            *_labels(report),
            *stricter_policy(report),
            Heading(level=1, text=f"The rules (policy {policy.version})"),
            _rules(report),
            *standards(report),
        ),
    )


def _identity(report: Report) -> Table:
    verdict, facts = report.verdict, report.facts
    rule = recovery_rule_in_words(report.policy.recovery_rule, facts.recovery_rule_published)
    rows = (
        ("model version", verdict.model_version),
        ("model family, seed, created", f"{facts.family}, {facts.seed}, {facts.created}"),
        ("started from", str(facts.starts_from or "no recovery population")),
        ("bundle, SHA-256", verdict.bundle_digest),
        ("prediction table, SHA-256", verdict.predictions_digest),
        ("cohort data, SHA-256", verdict.data_digest),
        ("source code, SHA-256", verdict.code_digest),
        ("policy, SHA-256", verdict.policy_digest),
        ("champion compared with", verdict.champion or "none"),
        ("its prediction table, SHA-256", verdict.champion_predictions_digest or "none"),
        ("change plan, SHA-256", verdict.change.plan_digest if verdict.change else "none"),
        ("external cohort", _external(verdict)),
        ("comparators", ", ".join(report.comparators) or "none"),
        *(("recovery rule", said) for said in rule),
        ("people, forecasts", f"{report.people}, {_forecasts(report)}{_waiting(report)}"),
    )
    return Table(caption="Identity by digest", columns=("what", "value"), rows=rows, widths=(1, 3))


def _forecasts(report: Report) -> str:
    return "not shown" if report.forecasts is None else str(report.forecasts)


def _waiting(report: Report) -> str:
    if not report.some_wait:
        return ""
    return (
        f"; without fewer than {MINIMUM_SHOWN} people who came since an earlier report: they are"
        f" counted when there are {MINIMUM_SHOWN}"
    )


def _external(verdict: Verdict) -> str:
    found = verdict.external
    if found is None:
        return "none"
    simulated = "SIMULATED " if found.simulated else ""
    return (
        f"{simulated}{found.cohort_name}, {known_people(found)} and not counted; forecasts by"
        f" {found.made_by}, {found.made_at[:10]}; table SHA-256 {found.predictions_digest}"
    )


def _findings(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Findings")
    scored = [f for f in report.verdict.findings if f.metric != CHECK]
    reported = [f for f in scored if not f.binding]
    beyond = [f for f in reported if f.outcome in {Outcome.BLOCKED, Outcome.REVIEW}]
    yield _finding_table("Rules that bind", [f for f in scored if f.binding])
    rules = dict.fromkeys(f.rule for f in reported)
    yield Table(
        caption=f"Findings that hold nothing back: {len(reported)}, by outcome",
        columns=("rule", *(str(outcome) for outcome in Outcome)),
        rows=tuple(
            (rule, *(str(sum((f.rule, f.outcome) == (rule, o) for f in reported)) for o in Outcome))
            for rule in rules
        ),
        widths=(5, *(2 for _ in Outcome)),
        small=True,
    )
    if beyond:
        yield _finding_table("Of these, beyond a limit (report.json has all of them)", beyond)


def _finding_table(caption: str, findings: Sequence[Finding]) -> Table:
    return Table(
        caption=caption,
        columns=("group", "rule", "people, events", "p, adjusted", "outcome", "finding"),
        rows=tuple(_finding(f) for f in findings),
        widths=(4, 4, 2, 2, 2, 10),
        small=True,
    )


def _finding(finding: Finding) -> tuple[str, ...]:
    when = "" if finding.horizon_day is None else f", day {finding.horizon_day}"
    people = "hidden" if finding.subjects is None else str(finding.subjects)
    events = "" if finding.events is None else f", {finding.events}"
    p = "" if finding.p_value is None else f"{finding.p_value:.2g}"
    adjusted = "" if finding.adjusted_p is None else f", {finding.adjusted_p:.2g}"
    group = group_in_words(finding.axis, finding.group)
    return (
        group + when, finding.rule, people + events, p + adjusted, str(finding.outcome),
        finding.reason,
    )  # fmt: skip


def _performance(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Every metric by group and horizon")
    if report.unavailable:
        yield Paragraph(text=f"Not available in this table: {', '.join(report.unavailable)}.")
    days = sorted({r.horizon_day for r in report.performance if r.horizon_day is not None})
    keys = dict.fromkeys((r.metric, r.milestone) for r in report.performance)
    for metric, milestone in keys:
        rows = [r for r in report.performance if (r.metric, r.milestone) == (metric, milestone)]
        horizons = [None, *days] if any(r.horizon_day is not None for r in rows) else [None]
        varied = varied_axes(rows)
        groups = dict.fromkeys((r.axis, r.group) for r in rows if r.axis in varied)
        row_of = {(r.axis, r.group, r.horizon_day): r for r in rows}
        name = metric if milestone is None else f"{metric}: {milestone}"
        yield Table(
            caption=f"{name}, over {rows[0].denominator}: estimate [95 % interval] (n)",
            columns=("group", *("all" if d is None else f"day {d}" for d in horizons)),
            rows=tuple(
                (
                    group_in_words(axis, group),
                    *(
                        _cell(
                            Metric(metric), report.policy.score_unit, row_of.get((axis, group, day))
                        )
                        for day in horizons
                    ),
                )
                for axis, group in groups
            ),
            widths=(2, *(2 for _ in horizons)),
            small=True,
        )


def _cell(metric: Metric, unit: ScoreUnit, row: Performance | None) -> str:
    if row is None:
        return "none"
    if row.subjects is None:
        return "hidden"
    if row.value is None:
        return f"undefined ({row.subjects})"
    interval = (
        ""
        if row.low is None or row.high is None
        else f" [{without_unit(metric, unit, row.low, row.high)}]"
    )
    return f"{in_unit(metric, unit, row.value)}{interval} ({row.subjects})"


def _labels(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Sensitivity to biased labels")
    bias, unit = report.policy.label_bias, report.policy.score_unit
    places = unit.decimals
    yield Paragraph(
        text="Nothing computed from labels can show that the labels themselves are biased."
        f" Bracket: the difference of each group from the rest, if its true ability were up to"
        f" {bias.points:g} {unit.name} above or below its labels ({bias.source}). Tipping point:"
        " the smallest bias that would take the difference over the policy's limit."
    )
    yield Table(
        caption=f"Difference from the rest, in {unit.name}",
        columns=("group", "metric", "people", "as labelled", "bracket", "tipping point"),
        rows=tuple(
            (
                group_in_words(r.axis, r.group), r.metric, str(r.subjects),
                f"{r.observed:+.{places}f}",
                f"{r.low:+.{places}f} to {r.high:+.{places}f}",
                "none" if r.tipping_point is None else f"{r.tipping_point:.{places - 1}f}",
            )
            for r in report.label_sensitivity
        ),
        widths=(3, 3, 1, 2, 3, 2),
        small=True,
    )  # fmt: skip


def _rules(report: Report) -> Table:
    return Table(
        caption=f"Policy version {report.policy.version}, frozen by digest",
        columns=("rule", "groups", "metric", "statistic", "limit", "needs", "binds", "rationale"),
        rows=tuple(
            (
                rule.name,
                rule.scope + (", each horizon" if rule.each_horizon else ""),
                rule.metric.value,
                rule.statistic + (f": {rule.comparator}" if rule.comparator else ""),
                f"{limit_in_words(rule, report.policy.score_unit)}, {100 * rule.confidence:g} %",
                f"at least {rule.minimum_subjects} people"
                + (f", {rule.minimum_events} events" if rule.minimum_events else ""),
                "no" if not rule.binding else "yes" if rule.must_be_shown else "if suspected",
                rule.rationale,
            )
            for rule in report.policy.rules
        ),
        widths=(4, 2, 3, 3, 3, 2, 1, 8),
        small=True,
    )
