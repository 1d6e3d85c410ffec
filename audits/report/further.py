"""What a report shows of an external cohort, of whom the service would refuse, and of own codes.

The first two are about other people than the rest of the report, so their counts beside its counts
could tell how many had no outcome, or were in both. Therefore no count of a group is shown: of
refusals there is a share in whole per cent, and of an external cohort what was found for a group,
in words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pandas as pd
from pydantic import BaseModel, ConfigDict

from audits.disclosure.losses import ShownLosses
from audits.disclosure.suppress import (
    NO_NUMBERS,
    external_may_be_shown,
    reason_only,
    suppress_in_external,
    without_external,
)
from audits.judging.further.external import WHERE
from audits.judging.performance import Performance, performance
from audits.judging.policy import Policy
from audits.judging.units import ScoreUnit
from audits.judging.wording import group_in_words
from audits.measure.groups import EVERYONE
from audits.measure.metrics import Metric
from audits.report.document import Block, Heading, Paragraph, Table
from contracts.groups import MINIMUM_SHOWN
from contracts.predictions import CANDIDATE, MODEL
from contracts.verdict import ExternalValidation, Finding, Verdict
from contracts.vocabulary import Better
from contracts.vocabulary.code import values_in_words

FEW = f"fewer than {MINIMUM_SHOWN}"


class OwnCode(BaseModel):
    """What a code means that rehabcast does not ship: fields of `contracts.vocabulary.Code`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name: str
    unit: str
    low: float | None
    high: float | None
    better: Better | None
    labels: tuple[str, ...]
    source: str

    @property
    def values(self) -> str:
        """Range and unit, or labels, in words."""
        return values_in_words(self.low, self.high, self.unit, self.labels, self.better)


class StartsFrom(BaseModel):
    """A recovery population: its name, and where its numbers are from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str

    def __str__(self) -> str:
        return f"{self.name}: {self.source}"


def own_codes_section(codes: tuple[OwnCode, ...]) -> Iterable[Block]:
    """Yield the codes that rehabcast does not ship; nothing where there are none."""
    if not codes:
        return
    yield Heading(level=1, text="Codes of its own")
    yield Paragraph(
        text="The hospital defined these; rehabcast does not ship them. Whether a range, a"
        " direction or a source is right, nobody but the hospital has checked."
    )
    yield Table(
        caption="What they mean",
        columns=("code", "name", "values", "source"),
        rows=tuple((each.code, each.name, each.values, each.source) for each in codes),
        widths=(3, 3, 3, 3),
        small=True,
    )


def refusals_today(questions: pd.DataFrame, policy: Policy) -> tuple[Performance, ...]:
    """Return the share of people whom the service would refuse, for everyone and by group."""
    asked = questions.assign(**{MODEL: CANDIDATE})
    rows = performance(asked, policy, (Metric.REFUSAL_RATE,))
    smallest: dict[str, int] = defaultdict(lambda: MINIMUM_SHOWN)
    for row in rows:
        smallest[row.axis] = min(smallest[row.axis], row.subjects or 0)
    return tuple(
        row.model_copy(
            update={**NO_NUMBERS, **(_shares(row) if smallest[row.axis] >= MINIMUM_SHOWN else {})}
        )
        for row in rows
    )


def without_counts(verdict: Verdict, *, external_numbers: bool = True) -> Verdict:
    """Return a verdict without the numbers of groups that rest on further evidence.

    Parameters
    ----------
    external_numbers
        False where even those of everyone of an external cohort must not be shown.
    """
    found = verdict.external
    known = found if external_numbers else None
    findings = tuple(_without_counts(finding, known) for finding in verdict.findings)
    shown = None if found is None else suppress_in_external(found)
    if shown is not None and not external_numbers:
        shown = without_external(shown)
    return verdict.model_copy(update={"findings": findings, "external": shown})


def known_people(found: ExternalValidation) -> str:
    """Say how many people an external validation counts, and how many it knows from training."""
    if found.people is None and found.new is None and found.overlap is None:
        return "people whose number is not shown"
    people = FEW if found.new is None else f"{found.new}"
    overlap = FEW if found.overlap is None else f"{found.overlap}"
    return f"{people} people, {overlap} more known from training"


def external(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings on an external cohort."""
    return [finding for finding in findings if finding.evidence == "external"]


def _shares(row: Performance) -> dict[str, float | None]:
    return {
        name: None if number is None else round(number, 2)
        for name, number in (("value", row.value), ("low", row.low), ("high", row.high))
    }


def _without_counts(finding: Finding, found: ExternalValidation | None) -> Finding:
    if finding.evidence == "internal":
        return finding
    of_everyone = finding.axis == EVERYONE and finding.evidence == "external"
    if of_everyone and found is not None and external_may_be_shown(finding, found):
        return finding
    where = WHERE[finding.evidence]
    who = group_in_words(finding.axis, finding.group)
    return reason_only(finding, f"{where}: {who}: {finding.metric}: {finding.outcome}.")


def losses_section(rows: tuple[ShownLosses, ...], unit: ScoreUnit) -> Iterable[Block]:
    """Yield the section on lost outcomes; nothing where there is no follow-up table."""
    if not rows:
        return
    yield Heading(level=1, text="Lost outcomes")
    yield Paragraph(
        text="Of the outcomes that were due (a forecast could be made and the window is over), by"
        f" person, to the nearest 5 %; a dash where there is none, or it is about {FEW} people in a"
        " group of the attribute. Death is no lost outcome; whoever withdrew counts as lost."
        " Missed: not lost, because the person was assessed later."
        " Missing: with those who were traced standing for others. Weights move the mean signed"
        " error by the modelled chance of being observed (group, early error and their product);"
        " they repair no loss that follows the outcome itself. Worst case: every missing outcome"
        " wrong by the whole scale; it does not bind. Tipping point: how much worse than the"
        " observed the missing must be for the group's signed error to reach the limit."
    )
    yield Table(
        caption=f"What became of the outcomes, and what may lie in the lost ones ({unit.name})",
        columns=(
            "group", "lost", "withdrew", "died", "missed", "traced", "missing", "weights move it",
            "smallest chance", "worst case", "tipping point",
        ),
        rows=tuple(
            (
                group_in_words(r.axis, r.group),
                *(
                    _or_dash(x, "{:.0%}")
                    for x in (r.lost, r.withdrew, r.died, r.missed, r.traced, r.missing)
                ),
                _or_dash(r.weighted_shift, "{:+.1f}"),
                _or_dash(r.smallest_chance, "{:.0%}"),
                _or_dash(r.worst, "{:.0f} either way"),
                _or_dash(r.tipping_point, "{:.0f}"),
            )
            for r in rows
        ),
        widths=(4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2),
        small=True,
    )  # fmt: skip


def _or_dash(number: float | None, template: str) -> str:
    return "-" if number is None else template.format(number)
