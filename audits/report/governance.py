"""The governance edition: what a board member needs, without statistics, in three to five pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from audits.judging.performance import Performance
from audits.judging.policy import Policy, Rule
from audits.judging.validation import CHECK
from audits.judging.wording import on_scale
from audits.measure.measures import Metric
from audits.measure.partitions import EVERYONE
from audits.report.content import Report, pooled
from audits.report.document import (
    Block,
    Bullets,
    Document,
    Figure,
    Heading,
    Notice,
    Paragraph,
    SignOff,
    Table,
)
from audits.report.uncovered import uncovered
from contracts.predictions import CHAMPION
from contracts.verdict import GRAVITY, Finding, Outcome

NEUTRAL = 0.125
"""Share of an important difference up to which forecasts count as neither too high nor too low."""

PERMITS = {
    Outcome.PASS: "Every rule that binds was shown to hold. The model may be put into service once"
    " an ML owner and a governance member, two different people, have approved it.",
    Outcome.INSUFFICIENT: "Nothing was found broken, but for some groups there are too few people"
    " to show that the rules hold. The model may not be put into service on this audit alone. A"
    " named person can answer for it, for a limited time and a stated use; that shows on every"
    " forecast.",
    Outcome.REVIEW: "At least one rule is probably broken, though not beyond doubt. The model may"
    " not be put into service on this audit alone. Look at the groups named below first; then a"
    " named person can answer for it, for a limited time and a stated use; that shows on every"
    " forecast.",
    Outcome.BLOCKED: "At least one rule was shown to be broken. The model may not be put into"
    " service, and nobody can override that.",
}
SHORT = {
    Outcome.PASS: "Within all limits.",
    Outcome.INSUFFICIENT: "Too few people to show that the rule holds",
    Outcome.REVIEW: "Probably breaks the rule",
    Outcome.BLOCKED: "Breaks the rule",
}
GLOSSARY = (
    "Points: of the outcome scale. An important difference is the smallest that patients feel.",
    "80 % range: the range that should hold 8 in 10 outcomes.",
    "Interval: where the true value lies with 95 % confidence, given how few people were seen.",
    "Milestone: something a patient hopes for, such as gaining an important difference.",
    "Champion: the version in service. Comparator: a simpler forecast, held against the model.",
    "Override (waiver): a named person lets a model through that the audit did not pass.",
)
IN_PLAIN_WORDS: dict[str, str] = {
    Metric.ERROR: "less accurate than the rest",
    Metric.SIGNED: "promised too much or too little",
}
LIMITS = (
    "It decides nothing for a patient: a clinician who knows the person does.",
    "It says where similar people got to, not what another treatment would bring.",
    "It must not be used to withhold therapy.",
    "The audit saw only people whose outcome was recorded. Those who were lost, or never included,"
    " are not in any number here.",
)


def governance_edition(report: Report, figures: tuple[Figure, ...]) -> Document:
    """Return the governance edition of a report."""
    verdict = report.verdict
    return Document(
        title=f"Audit of {verdict.model_version}, for the governance board",
        subtitle=f"Forecasts of recovery, {report.facts.condition}. Cohort:"
        f" {report.facts.cohort_name}. Made {report.made_at[:10]}, holds until"
        f" {report.valid_until[:10]}.",
        blocks=(
            *_verdict(report),
            *uncovered(report),
            *_groups(report),
            *figures,
            *_labels(report),
            *_changes(report),
            Heading(level=1, text="Limits of use"),
            Bullets(items=LIMITS),
            *_waivers(report),
            Heading(level=1, text="Words used"),
            Bullets(items=GLOSSARY),
            Heading(level=1, text="Sign-off"),
            Paragraph(
                text="Whoever signs has read this report. The signature counts once it is entered:"
                f" rehabcast approve {verdict.model_version} --role ROLE --reason TEXT."
            ),
            SignOff(roles=("ML owner", "Governance")),
        ),
    )


def _verdict(report: Report) -> Iterable[Block]:
    verdict = report.verdict
    if verdict.simulated:
        yield Notice(
            tone="simulated",
            title="SIMULATED COHORT.",
            text="No real person is in it. This report shows how the audit works and says nothing"
            " about anyone's care.",
        )
    yield Notice(
        tone=verdict.outcome.name.lower(),
        title=f"Verdict: {verdict.outcome}.",
        text=PERMITS[verdict.outcome],
    )
    broken = [f for f in verdict.findings if f.metric == CHECK and f.outcome is not Outcome.PASS]
    if broken:
        yield Heading(level=1, text="Faults in the evidence itself")
        yield Bullets(items=tuple(f.reason for f in broken))


def _groups(report: Report) -> Iterable[Block]:
    errors = {(r.axis, r.group): r for r in pooled(report, Metric.ERROR)}
    if not errors:
        return
    bias = {(r.axis, r.group): r for r in pooled(report, Metric.SIGNED)}
    inside = {(r.axis, r.group): r for r in pooled(report, Metric.COVERAGE)}
    yield Heading(level=1, text="Who was looked at, and what was found")
    yield Table(
        caption=f"Every group of every attribute, over all horizons; on the scale of the"
        f" {report.facts.target}, {report.facts.target_low:g} to {report.facts.target_high:g}",
        columns=("Group", "People", "What was found", "Judgement"),
        rows=tuple(
            (
                EVERYONE if place[0] == EVERYONE else f"{place[0]}: {place[1]}",
                "hidden" if error.subjects is None else str(error.subjects),
                _sentence(report.policy, error, bias[place], inside[place]),
                _judgement(report, place),
            )
            for place, error in errors.items()
        ),
        widths=(5, 2, 10, 8),
    )


def _sentence(policy: Policy, error: Performance, bias: Performance, inside: Performance) -> str:
    if error.value is None or bias.value is None or inside.value is None:
        return "Judged, but not shown: the group is small, or would give a small one away."
    side = "too high" if bias.value > 0 else "too low"
    lean = (
        "neither too high nor too low on average"
        if abs(bias.value) < NEUTRAL * policy.important_difference
        else f"{on_scale(policy, bias.value)} {side} on average"
    )
    return (
        f"Off by {on_scale(policy, error.value)}; {lean}. {100 * inside.value:.0f} in 100 outcomes"
        " lay in the range that promised 80."
    )


def _judgement(report: Report, place: tuple[str, str]) -> str:
    here = [f for f in report.verdict.findings if f.binding and (f.axis, f.group) == place]
    here = [f for f in here if f.metric != CHECK]
    if not here:
        return "Shown only."
    worst = max((f.outcome for f in here), key=GRAVITY.__getitem__)
    if worst is Outcome.PASS:
        return SHORT[worst]
    rules = dict.fromkeys(f.rule for f in here if f.outcome is worst)
    return f"{SHORT[worst]}: {'; '.join(f'“{rule}”' for rule in rules)}."


def _labels(report: Report) -> Iterable[Block]:
    told = report.label_sensitivity
    yield Heading(level=1, text="What no audit of scores can see")
    yield Paragraph(
        text="Scores are given by people. If a group is scored lower for the same ability, the"
        " model learns that and this audit agrees with it. No number here can show such a bias;"
        " only a second, blinded assessment can."
    )
    if told:
        bias = report.policy.label_bias
        hit = "; ".join(
            f"{r.axis}: {r.group} ({IN_PLAIN_WORDS.get(r.metric, r.metric)}, from"
            f" {on_scale(report.policy, r.tipping_point)})"
            for r in told
            if r.tipping_point
        )
        yield Paragraph(
            text=f"If a group's scores were off by up to {on_scale(report.policy, bias.points)}"
            f" ({bias.source}), these groups would be over a limit: {hit or 'none'}."
        )


def _changes(report: Report) -> Iterable[Block]:
    verdict = report.verdict
    against = [f for f in verdict.findings if f.statistic == "against comparator"]
    yield Heading(level=1, text="Against the alternatives, and since the last version")
    yield Bullets(
        items=tuple(
            _against(report.policy, f, str(other))
            for f in against
            if (other := _comparator(report, f)) != CHAMPION
        )
        or ("No comparison could be made.",)
    )
    champion = [f for f in against if _comparator(report, f) == CHAMPION]
    since = f" (champion: {verdict.champion})" if verdict.champion else ""
    yield Paragraph(text=f"Change since the version in service{since}:")
    yield Bullets(
        items=tuple(_against(report.policy, f, f"version {verdict.champion}") for f in champion)
        or ("No version is in service yet.",)
    )


def _against(policy: Policy, finding: Finding, other: str) -> str:
    """Say in plain words how far a forecast is off beside another one's."""
    value, low, high = finding.value, finding.low, finding.high
    if finding.metric != Metric.ERROR or value is None or low is None or high is None:
        return finding.reason
    who = EVERYONE if finding.axis == EVERYONE else f"{finding.axis}: {finding.group}"
    ends = (
        f"{on_scale(policy, low)} less to {on_scale(policy, high)} {'less' if high < 0 else 'more'}"
        if low < 0
        else f"{on_scale(policy, low)} to {on_scale(policy, high)} more"
    )
    broken = "" if finding.outcome is Outcome.PASS else f": “{finding.rule}”."
    return (
        f"{who} ({finding.subjects} people): off by {on_scale(policy, value)}"
        f" {'less' if value < 0 else 'more'} than {other} is (95 % interval: {ends})."
        f" {SHORT[finding.outcome]}{broken}"
    )


def _waivers(report: Report) -> Iterable[Block]:
    yield Heading(level=1, text="Waivers")
    held = [f for f in report.verdict.findings if f.binding and f.outcome is not Outcome.PASS]
    if not held:
        yield Paragraph(text="None is needed, and none was given.")
        return
    count = Counter((f.rule, f.outcome) for f in held)
    can = report.verdict.outcome is not Outcome.BLOCKED
    yield Paragraph(
        text="None was given when this report was made. "
        + (
            "A waiver would have to answer for:"
            if can
            else "None can be given while a rule is blocked. What holds the model back:"
        )
    )
    yield Bullets(
        items=tuple(
            f"“{rule}”: {o} in {n} finding{'s' * (n > 1)}" for (rule, o), n in count.items()
        )
    )


def _comparator(report: Report, finding: Finding) -> str | None:
    rules: dict[str, Rule] = {rule.name: rule for rule in report.policy.rules}
    return rules[finding.rule].comparator if finding.rule in rules else None
