"""Every group of every attribute: what was found in words, and the judgement of its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from audits.judging.performance import Performance
from audits.judging.policy import Policy
from audits.judging.units import ScoreUnit, fixed
from audits.judging.validation import CHECK
from audits.judging.wording import group_in_words
from audits.measure.metrics import Metric
from audits.report.board.findings_in_words import HIDDEN, HIDDEN_COUNT, beyond
from audits.report.content import Report, over_all_horizons, target_in_words
from audits.report.document import Block, Heading, Table
from contracts.verdict import GRAVITY, Outcome

NEUTRAL = 0.125
"""Share of an important difference up to which forecasts count as neither too high nor too low."""

SHORT = {
    Outcome.INSUFFICIENT: "Not shown to hold",
    Outcome.REVIEW: "Probably broken",
    Outcome.BLOCKED: "Broken",
}
UNBOUND = "Shown only; no binding rule applies."


def groups(report: Report) -> Iterable[Block]:
    """Yield the table of groups; nothing where nothing was scored."""
    errors = _by_group(report, Metric.MEAN_ABSOLUTE_ERROR)
    if not errors:
        return
    bias = _by_group(report, Metric.SIGNED_ERROR)
    coverage = _by_group(report, Metric.COVERAGE)
    yield Heading(level=1, text="Who was examined, and what was found")
    yield Table(
        caption="Every group of every attribute, over all horizons; scale of the"
        f" {target_in_words(report.facts)}, {report.facts.target_low:g} to"
        f" {report.facts.target_high:g}",
        columns=("Group", "People", "What was found", "Judgement"),
        rows=tuple(
            (
                group_in_words(axis, group),
                HIDDEN_COUNT if error.subjects is None else str(error.subjects),
                _sentence(report.policy, error, bias[axis, group], coverage[axis, group]),
                _judgement(report, axis, group),
            )
            for (axis, group), error in errors.items()
        ),
        widths=(5, 2, 12, 8),
    )


def _by_group(report: Report, metric: Metric) -> dict[tuple[str, str], Performance]:
    return {(row.axis, row.group): row for row in over_all_horizons(report, metric)}


def _sentence(policy: Policy, error: Performance, bias: Performance, coverage: Performance) -> str:
    if error.value is None or bias.value is None or coverage.value is None:
        return HIDDEN
    off = _unit(policy.score_unit, error, policy.score_unit.rounded_decimals)
    unit = _unit(policy.score_unit, bias, policy.score_unit.rounded_decimals)
    decimals = _unit(policy.score_unit, coverage, 0, factor=100).more
    lean = (
        "neither too high nor too low on average"
        if abs(bias.value) < NEUTRAL * policy.important_difference
        else f"{_leaning(unit.rounded, bias.value)} on average"
    )
    ends = _ends(error, off.size), _ends(bias, lambda end: _leaning(unit.size, end))
    inside = _ends(coverage, lambda end: fixed(100 * end, decimals))
    return (
        f"Off by {off.rounded(error.value)}{ends[0]}; {lean}{ends[1]}."
        f" {fixed(100 * coverage.value, decimals)} in 100 outcomes{inside} were inside the range"
        " that should contain 80."
    )


def _unit(unit: ScoreUnit, row: Performance, decimals: int, *, factor: int = 1) -> ScoreUnit:
    if row.low is None or row.high is None:
        return unit
    return unit.apart(factor * row.low, factor * row.high, decimals)


def _leaning(amount: Callable[[float], str], bias: float) -> str:
    return f"{amount(bias)} too {'high' if bias > 0 else 'low'}"


def _ends(row: Performance, in_words: Callable[[float], str]) -> str:
    if row.low is None or row.high is None:
        return ""
    low, high = in_words(row.low), in_words(row.high)
    return "" if low == high else f" (between {low} and {high})"


def _judgement(report: Report, axis: str, group: str) -> str:
    binding = [
        f
        for f in report.verdict.findings
        if f.binding and (f.axis, f.group) == (axis, group) and f.metric != CHECK
    ]
    failed: dict[Outcome, dict[str, None]] = {}
    for f in sorted(binding, key=lambda f: GRAVITY[f.outcome], reverse=True):
        failed.setdefault(f.outcome, {})[f.rule] = None
    failed.pop(Outcome.PASS, None)
    held = [] if failed else ["Every binding rule was shown to hold." if binding else UNBOUND]
    said = [f"{SHORT[outcome]}: {_quoted(rules)}." for outcome, rules in failed.items()]
    others = [f for f in beyond(report) if not f.binding and (f.axis, f.group) == (axis, group)]
    also = f"Beyond the limit, though not binding: {_quoted(f.rule for f in others)}."
    return " ".join([*held, *said, *([also] if others else [])])


def _quoted(rules: Iterable[str]) -> str:
    return "; ".join(f"“{rule}”" for rule in dict.fromkeys(rules))
