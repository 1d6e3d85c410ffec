"""The model card: what a clinician and a buyer ask first, from the same report."""

from __future__ import annotations

from audits.judging.units import in_unit
from audits.measure.groups import EVERYONE
from audits.measure.metrics import Metric
from audits.report.board.governance import LIMITS, PERMITS
from audits.report.content import Report, trained_on
from audits.report.crosswalk import answers
from audits.report.document import Bullets, Document, Heading, Notice, Paragraph, Table
from audits.report.further import own_codes_section
from contracts.bundle import WEIGHTS
from contracts.priors import start_in_words


def card_document(report: Report) -> Document:
    """Return the model card of an audited version."""
    verdict, facts = report.verdict, report.facts
    simulated = (
        Notice(
            tone="simulated",
            title="SIMULATED DATA.",
            text="This model was trained on simulated people. It must not be used in care.",
        ),
    )
    return Document(
        title=f"Model card: {verdict.model_version}",
        subtitle=f"{facts.family}, trained {facts.created[:10]}; audited {report.made_at[:10]}, the"
        f" audit is valid until {report.valid_until[:10]}.",
        blocks=(
            *(simulated if facts.simulated else ()),
            Notice(
                tone=verdict.outcome.name.lower(),
                title=f"Audit: {verdict.outcome}.",
                text=PERMITS[verdict.outcome],
            ),
            Heading(level=1, text="What it does"),
            Paragraph(text=summary(report)),
            *own_codes_section(facts.own_codes),
            Heading(level=1, text="What it is not"),
            Bullets(
                items=(
                    "It gives no diagnosis and no treatment recommendation, and as shipped it is"
                    " not a medical device.",
                    *LIMITS,
                )
            ),
            Heading(level=1, text="How accurate it is"),
            Table(
                caption="Everyone, over all horizons, out of fold, with 95 % intervals",
                columns=("metric", "estimate", "interval", "people"),
                rows=key_figures(report),
                widths=(4, 2, 3, 1),
            ),
            Heading(level=1, text="Source attributes (HTI-1)"),
            Table(
                caption="31 attributes, in our words",
                columns=("item", "attribute", "answer"),
                rows=tuple(
                    (a.item, a.topic, a.text) for a in answers(report, "HTI-1 source attributes")
                ),
                widths=(1, 5, 9),
                small=True,
            ),
        ),
    )


def summary(report: Report) -> str:
    """Say in a few sentences what the model does."""
    facts = report.facts
    weeks = ", ".join(str(week) for week in facts.horizon_weeks)
    start = facts.starts_from
    said = "" if start is None else f" Training starts {start_in_words(start.name, start.source)}."
    return (
        f"Forecasts the {facts.target}, {facts.target_low:g} to {facts.target_high:g}, in"
        f" {facts.condition}, at {weeks} weeks after enrolment, with ranges, and the chance of:"
        f" {', '.join(facts.milestones) or 'no milestone'}. Trained on {trained_on(facts)} of"
        f" the cohort {facts.cohort_name!r}.{said}"
    )


def key_figures(report: Report) -> tuple[tuple[str, str, str, str], ...]:
    """Return each metric of everyone over all horizons: name, estimate, interval, people."""
    unit = report.policy.score_unit
    return tuple(
        (
            row.metric if row.milestone is None else f"{row.metric}: {row.milestone}",
            in_unit(Metric(row.metric), unit, row.value),
            "none"
            if row.low is None or row.high is None
            else in_unit(Metric(row.metric), unit, row.low, row.high),
            str(row.subjects),
        )
        for row in report.performance
        if row.axis == EVERYONE and row.horizon_day is None and row.value is not None
    )


def judged(report: Report) -> str:
    """Say how the judged forecasts were made, and how they differ from those that are served."""
    judging = report.facts.judging
    if judging is None:
        return (
            "Forecasts are out of fold: each person was forecast by a network not trained on them."
            " The bundle does not record more."
        )
    if judging.joined == WEIGHTS:
        return (
            "The model is one network with the mean weights of"
            f" {judging.members}, one trained without each two of {judging.folds} folds by person."
            f" Judged is, for each person, the network made in the same way of the"
            f" {judging.members_unseen} that were trained without them."
        )
    return (
        f"The model has {judging.members} networks, one trained without each two of {judging.folds}"
        f" folds by person. Judged is, for each person, the mean of the {judging.members_unseen}"
        f" that were trained without them; served is the mean of all {judging.members}."
    )
