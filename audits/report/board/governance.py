"""The governance edition: what a board member needs, without statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from audits.judging.policy import Policy
from audits.judging.validation import CHECK
from audits.judging.wording import group_in_words, recovery_rule_in_words
from audits.measure.disparity import Statistic
from audits.measure.metrics import Metric
from audits.report.board.change_plan import change_plan, outside_notice
from audits.report.board.findings_in_words import (
    HIDDEN,
    confidence_in_words,
    judged,
    rule_of,
)
from audits.report.board.group_table import groups
from audits.report.board.how_judged import how_it_was_judged
from audits.report.board.lost import lost_outcomes
from audits.report.board.not_covered import not_covered
from audits.report.board.rule_tables import what_every_rule_found
from audits.report.clusters import clusters_section
from audits.report.content import Report
from audits.report.document import (
    Block,
    Bullets,
    Document,
    Figure,
    Heading,
    Notice,
    Paragraph,
    SignOff,
)
from audits.report.stricter import stricter_policy
from contracts.groups import MINIMUM_SHOWN
from contracts.predictions import CHAMPION
from contracts.verdict import Finding, Outcome

PERMITS = {
    Outcome.PASS: "Every rule that must be shown to hold was. The model may be put into service"
    " once an ML owner and a governance member, two different people, have approved it.",
    Outcome.WITHIN_SCOPE: "Every rule that must be shown to hold was, for the people described"
    " below and for them only. The model may be put into service once an ML owner and a governance"
    " member, two different people, have approved it. Everybody else gets no forecast, and is told"
    " why.",
    Outcome.INSUFFICIENT: "There is too little evidence to show that every binding rule holds. The"
    " model may not be put into service on this audit alone. A named person can take responsibility"
    " for it, for a limited time and a stated use; every forecast then says so.",
    Outcome.REVIEW: "At least one rule is probably broken, though this is not certain. The model"
    " may not be put into service on this audit alone. Look at the groups named below first. Then a"
    " named person can take responsibility for it, for a limited time and a stated use; every"
    " forecast then says so.",
    Outcome.BLOCKED: "At least one rule was shown to be broken. The model may not be put into"
    " service, and nobody can override this.",
}
GLOSSARY = (
    "Binding rule: one that must be shown to hold before the model may be put into service, or,"
    " where it says so, must not be suspected of being broken. Other rules are only reported.",
    "Points: units of the outcome scale. An important difference is the smallest change that"
    " patients notice.",
    "80 % range: the range that should contain 8 in 10 outcomes.",
    "Interval: where the true value lies with 95 % confidence, or with as much as stands beside it,"
    " given the number of people.",
    f"{HIDDEN} It was judged all the same, but a number would be about fewer than"
    f" {MINIMUM_SHOWN} people, or let theirs be worked out.",
    "Event: a person who reached a milestone; where people with and without it are needed,"
    " whichever are fewer.",
    "Code: a group as the data write it; they do not say what it stands for.",
    "Mean absolute error: how far off forecasts are on average, too high or too low alike. Signed"
    " error: forecast minus outcome on average; above 0 is promised too much. Coverage: the share"
    " of outcomes inside the 80 % range. False-negative rate: of those who reached a milestone, the"
    " share who were forecast not to.",
    "Calibration in the large: the mean chance promised less the share that reached the milestone."
    " 0.10 is 10 in 100 more promised than reached it; below 0, more reached it than were promised."
    " Brier score: the squared difference between chance and outcome on average, 0 at best.",
    "Milestone: an outcome that matters to patients, such as gaining an important difference.",
    "Champion: the version in service. Comparator: a simpler forecast that the model is compared"
    " with.",
    "Override (waiver): a named person puts a model into service that did not pass the audit.",
)
IN_PLAIN_WORDS: dict[str, str] = {
    Metric.MEAN_ABSOLUTE_ERROR: "less accurate than for the rest",
    Metric.SIGNED_ERROR: "forecast too high or too low",
}
LIMITS = (
    "It makes no decision for a patient; a clinician who knows the patient does.",
    "It says how far similar people recovered, not what another treatment would bring.",
    "It must not be used to withhold therapy.",
    "The audit covers only people whose outcome was recorded. How far off forecasts were for people"
    " who were lost to follow-up or never included, nobody knows.",
)

SIGNED = "Approvals are entered with each person's own key, which the ledger verifies."
NOT_VERIFIED = (
    "Names are not verified here: this is a one-person trial. Whoever enters an approval may enter"
    " any name, and the ledger says so."
)


def governance_edition(report: Report, figures: tuple[Figure, ...]) -> Document:
    """Return the governance edition of a report."""
    verdict = report.verdict
    return Document(
        title=f"Audit of {verdict.model_version}, for the governance board",
        subtitle=f"Forecasts of recovery, {report.facts.condition}. Cohort:"
        f" {report.facts.cohort_name}. Audited {report.made_at[:10]}, valid until"
        f" {report.valid_until[:10]}.",
        blocks=(
            *_verdict(report),
            *not_covered(report),
            *clusters_section(report),
            *groups(report),
            *what_every_rule_found(report),
            *lost_outcomes(report),
            *figures,
            *_labels(report),
            *_changes(report),
            *change_plan(report),
            Heading(level=1, text="Limits of use"),
            Bullets(items=LIMITS),
            *stricter_policy(report),
            *_waivers(report),
            Heading(level=1, text="Terms used"),
            Bullets(items=GLOSSARY),
            Heading(level=1, text="Sign-off"),
            SignOff(
                texts=(
                    "By signing, you confirm that you have read this report. An approval counts"
                    " only once it has been entered:"
                    f" rehabcast approve {verdict.model_version} --role ROLE --reason TEXT.",
                    SIGNED if report.names_verified else NOT_VERIFIED,
                ),
                roles=("ML owner", "Governance"),
            ),
        ),
    )


def _verdict(report: Report) -> Iterable[Block]:
    verdict = report.verdict
    if verdict.simulated:
        yield Notice(
            tone="simulated",
            title="SIMULATED COHORT.",
            text="There are no real people in it. This report shows how the audit works and says"
            " nothing about anyone's care.",
        )
    yield Notice(
        tone=verdict.outcome.name.lower(),
        title=f"Verdict: {verdict.outcome}.",
        text=PERMITS[verdict.outcome],
    )
    yield from outside_notice(report)
    yield from how_it_was_judged(report)
    failed = [f for f in verdict.findings if f.metric == CHECK and f.outcome is not Outcome.PASS]
    if failed:
        yield Heading(level=1, text="Faults in the evidence itself")
        yield Bullets(items=tuple(f.reason for f in failed))


def _labels(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="What no audit of scores can detect")
    yield Paragraph(
        text="Scores are given by people. If a group is scored lower for the same ability, the"
        " model learns this, and the audit agrees with it. No number here can show such a bias;"
        " only a second, blinded assessment can."
    )
    if report.label_sensitivity:
        unit, bias = report.policy.score_unit, report.policy.label_bias
        over_limit: dict[str, list[str]] = {}
        for r in report.label_sensitivity:
            if r.tipping_point:
                over_limit.setdefault(r.metric, []).append(
                    f"{group_in_words(r.axis, r.group)} (from {unit.rounded(r.tipping_point)})"
                )
        yield Paragraph(
            text=f"If a group's scores were off by up to {unit.rounded(bias.points)}"
            f" ({bias.source}), these groups would be over a limit:{'' if over_limit else ' none.'}"
        )
        if over_limit:
            yield Bullets(
                items=tuple(
                    f"{IN_PLAIN_WORDS.get(metric, metric)}: {'; '.join(groups)}."
                    for metric, groups in over_limit.items()
                )
            )


def _changes(report: Report) -> Iterable[Block]:
    verdict = report.verdict
    comparisons = [
        (f, _comparator(report.policy, f))
        for f in verdict.findings
        if f.statistic == Statistic.AGAINST_COMPARATOR
    ]
    yield Heading(level=1, text="Compared with simpler forecasts and with the version in service")
    yield Bullets(
        items=tuple(
            _comparison(report.policy, f, f"the comparator “{other}”")
            for f, other in comparisons
            if other != CHAMPION
        )
        or ("No comparison could be made.",)
    )
    facts = report.facts
    for said in recovery_rule_in_words(report.policy.recovery_rule, facts.recovery_rule_published):
        yield Paragraph(text=said)
    since = f" (champion: {verdict.champion})" if verdict.champion else ""
    yield Paragraph(text=f"Change since the version in service{since}:")
    yield Bullets(
        items=tuple(
            _comparison(report.policy, f, f"version {verdict.champion}")
            for f, other in comparisons
            if other == CHAMPION
        )
        or ("No version is in service yet.",)
    )


def _comparison(policy: Policy, finding: Finding, other: str) -> str:
    """Say in plain words how far off a forecast is compared with another one."""
    unit = policy.score_unit
    value, low, high = finding.value, finding.low, finding.high
    rule, is_error = rule_of(policy, finding), finding.metric == Metric.MEAN_ABSOLUTE_ERROR
    if not is_error or rule is None or value is None or low is None or high is None:
        return finding.reason
    unit = unit.apart(low, high, unit.rounded_decimals)
    ends = (
        f"{unit.rounded(low)} less to {unit.rounded(high)} {'less' if high < 0 else 'more'}"
        if low < 0
        else f"{unit.rounded(low)} to {unit.rounded(high)} more"
    )
    return (
        f"{group_in_words(finding.axis, finding.group)} ({finding.subjects} people): off by"
        f" {unit.rounded(value)} {'less' if value < 0 else 'more'} than {other}"
        f" ({confidence_in_words(finding, rule)} interval: {ends}). “{finding.rule}”:"
        f" {judged(finding, rule)}"
    )


def _waivers(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Waivers")
    held_back = [f for f in report.verdict.findings if f.binding and f.outcome is not Outcome.PASS]
    if report.verdict.outcome.is_pass:
        yield Paragraph(text="None is needed: the model passed for those whom it may serve.")
        return
    count: dict[str, Counter[Outcome]] = {}
    for finding in held_back:
        count.setdefault(finding.rule, Counter())[finding.outcome] += 1
    can_be_waived = report.verdict.outcome is not Outcome.BLOCKED
    yield Paragraph(
        text="None had been given when this report was written. "
        + (
            "A waiver would have to cover:"
            if can_be_waived
            else "None can be given while a rule is blocked. What holds the model back:"
        )
    )
    yield Bullets(
        items=tuple(
            f"“{rule}”: {', '.join(f'{what} in {_findings(n)}' for what, n in found.items())}."
            for rule, found in count.items()
        )
    )


def _findings(number: int) -> str:
    return "1 finding" if number == 1 else f"{number} findings"


def _comparator(policy: Policy, finding: Finding) -> str | None:
    rule = rule_of(policy, finding)
    return None if rule is None else rule.comparator
