"""The monthly edition as a document: state, people, tests, clinicians, what was done, crosswalk."""

from __future__ import annotations

from collections.abc import Iterator

from audits.judging.wording import group_in_words
from audits.measure.groups import EVERYONE
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
from audits.report.monthly.content import Edition, GroupOfPeople
from audits.report.monthly.crosswalk import STANDARDS, answers
from audits.report.monthly.early import early_outcomes
from audits.report.monthly.left_out import left_out
from audits.report.monthly.picture import NAMED, ranked
from audits.report.monthly.wording import (
    NOT_SHOWN,
    e_value_in_words,
    month_in_words,
    people_in_words,
    row_of,
)

TESTS_IN_TABLE = 12
"""The other tests are in the JSON."""

STATE = {
    "none": ("pass", "Outcomes speak against no rule.", "Nothing follows."),
    "warn": (
        "review",
        "Outcomes begin to speak against a rule.",
        "People should look before the tests act.",
    ),
    "act": (
        "blocked",
        "Outcomes show a broken rule.",
        "The group that is named leaves the scope, or the version leaves service: see what was"
        " done.",
    ),
}

HOW_SHOWN = (
    "Numbers of people: each stays as it was until at least 11 people more or fewer are counted"
    " than when it last changed, and is told to a ten. Where it says"
    f" “{NOT_SHOWN}”, too few moved to tell one. So numbers need not add up. People whose data were"
    " erased since may still be counted."
)


def monthly_edition(edition: Edition, figures: tuple[Figure, ...]) -> Document:
    """Return the document of an edition."""
    return Document(
        title=f"Monitoring of {edition.model_version}: {month_in_words(edition.month)}",
        subtitle=_subtitle(edition),
        blocks=(
            *_state(edition),
            Heading(level=1, text="Who was served, and what became of them"),
            Paragraph(text=_who_counts(edition)),
            _served(edition),
            _outcomes(edition),
            Paragraph(text=HOW_SHOWN),
            Heading(level=1, text="The tests"),
            *_tests(edition, figures),
            *early_outcomes(edition),
            *left_out(edition),
            Heading(level=1, text="What clinicians said"),
            *_clinicians(edition),
            Heading(level=1, text=f"What was done in {month_in_words(edition.month)}"),
            *_done(edition),
            Heading(level=1, text="Monitoring plans: where items are answered"),
            *_crosswalk(edition),
        ),
    )


def _subtitle(edition: Edition) -> str:
    state = "in service" if edition.in_service else "not in service"
    since = f" since {edition.since[:10]}" if edition.since else ""
    return (
        f"{edition.target}, {edition.condition}. {state.capitalize()}{since}. Made"
        f" {edition.made_at[:10]}; monitoring plan {edition.plan_version}"
        f" ({edition.plan_digest[:12]}), audit policy {edition.policy_version}"
        f" ({edition.policy_digest[:12]})."
    )


def _state(edition: Edition) -> Iterator[Block]:
    if edition.simulated:
        yield Notice(
            tone="simulated", title="SIMULATED COHORT.",
            text="The version was trained on people who do not exist.",
        )  # fmt: skip
    tone, title, text = STATE[edition.act]
    yield Notice(tone=tone, title=title, text=text)
    if edition.warnings:
        yield Paragraph(text="Warnings since it came into service, each recorded once:")
        yield Bullets(items=edition.warnings)
    if edition.restricted:
        yield Paragraph(text="Outcomes have taken out of scope until now:")
        yield Bullets(items=edition.restricted)


def _who_counts(edition: Edition) -> str:
    return (
        f"People since the version came into service. An outcome is the {edition.target} in week"
        f" {edition.weeks} after enrolment; a person counts once, when the window is over and the"
        " outcome had time to come. Asked about, and never given a forecast (out of scope, or"
        f" unlike those whom the version knows): {people_in_words(edition.refused)}."
    )


def _served(edition: Edition) -> Table:
    return Table(
        caption="Who was given a forecast, and how many outcomes were due",
        columns=("group", "given a forecast", "outcome due", "came", "lost"),
        rows=tuple(
            (
                group_in_words(each.attribute, each.label),
                people_in_words(each.forecast),
                people_in_words(each.due),
                people_in_words(each.observed),
                people_in_words(each.lost),
            )
            for each in edition.people
        ),
        widths=(5, 3, 3, 3, 3),
    )


def _outcomes(edition: Edition) -> Table:
    everyone = edition.people[0]
    said = (
        ("came", everyone.observed), ("obtained by tracing", everyone.traced),
        ("missing, but assessed later", everyone.missed),
        ("lost: never assessed again", everyone.lost),
        ("withdrew before", everyone.withdrew), ("died before", everyone.died),
    )  # fmt: skip
    return Table(
        caption="What became of the outcomes that were due",
        columns=("outcome", "people"),
        rows=tuple((name, people_in_words(people)) for name, people in said),
        widths=(3, 2),
    )


def _tests(edition: Edition, figures: tuple[Figure, ...]) -> Iterator[Block]:
    yield Paragraph(
        text="Bets against each rule, group and side: an e-value is how much they have made of 1."
        " While every rule is kept, their mean ever reaches"
        f" {edition.suspends_at:g} with a chance of at most 1 in {edition.suspends_at:g}, however"
        " often one looks."
    )
    if not edition.mean:
        yield Paragraph(text="Too few outcomes were due to show any e-value yet.")
    else:
        last = edition.mean[-1]
        yield Paragraph(
            text=f"{len(edition.tests)} tests. Mean of those that can act:"
            f" {e_value_in_words(last.e_value)}, the largest until now"
            f" {e_value_in_words(last.largest)}; a warning from {edition.warns_at:g}, out of"
            f" service from {edition.suspends_at:g}."
        )
    yield from figures
    shown = [test for test in ranked(edition.tests) if test.points]
    if shown:
        yield Table(
            caption=f"The {min(len(shown), TESTS_IN_TABLE)} tests that speak most against a rule;"
            f" the first {NAMED} of each kind are numbered in the picture",
            columns=("test", "e-value", "largest", "needed", "then"),
            rows=tuple(
                (*row_of(test), "a warning" if test.warns_only else "restricts or suspends")
                for test in shown[:TESTS_IN_TABLE]
            ),
            widths=(9, 2, 2, 2, 4),
            small=True,
        )
    if edition.not_tested:
        yield Paragraph(text="Rules that nothing on record in service can test:")
        yield Bullets(items=edition.not_tested)


def _clinicians(edition: Edition) -> Iterator[Block]:
    yield Paragraph(
        text="What clinicians said of forecasts, beside the outcomes of those forecasts. Of ranges"
        " that promise 80 % about 8 in 10 outcomes lie inside; where overridden forecasts do worse"
        " than accepted ones, clinicians knew something."
    )
    yield Table(
        caption="Forecasts accepted and overridden, and where the outcome was",
        columns=("group", "accepted", "overridden", "unclear"),
        rows=tuple(
            (
                group_in_words(each.attribute, each.label),
                _with_range(each.accepted, each.accepted_in_range, each.accepted_out_of_range),
                _with_range(
                    each.overridden, each.overridden_in_range, each.overridden_out_of_range
                ),
                people_in_words(each.unclear),
            )
            for each in edition.people
            if each.attribute == EVERYONE or _has_feedback(each)
        ),
        widths=(4, 6, 6, 3),
    )
    everyone = edition.people[0]
    yield Paragraph(
        text="Where a clinician predicted the score of that week before seeing a forecast, and it"
        f" came ({people_in_words(everyone.predicted)}), the clinician was nearer for"
        f" {people_in_words(everyone.clinician_nearer)} and the median forecast for"
        f" {people_in_words(everyone.forecast_nearer)}."
    )
    if edition.reasons:
        yield Table(
            caption="Why forecasts were overridden",
            columns=("reason", "people"),
            rows=tuple((each.reason, people_in_words(each.people)) for each in edition.reasons),
            widths=(3, 2),
        )
    alerts = edition.alerts
    often = (
        "" if alerts.median_decisions is None
        else f" In the median a clinician decided {alerts.median_decisions} times in the month."
    )  # fmt: skip
    yield Paragraph(
        text="Clinicians who decided about alerts of any patient of this service:"
        f" {people_in_words(alerts.clinicians)}.{often}"
    )


def _has_feedback(each: GroupOfPeople) -> bool:
    return any(people is not None for people in (each.accepted, each.overridden, each.unclear))


def _with_range(people: int | None, inside: int | None, outside: int | None) -> str:
    if people is None:
        return NOT_SHOWN
    came = f"{people_in_words(inside)} inside, {people_in_words(outside)} outside"
    return people_in_words(people) + ("" if inside is None and outside is None else f" ({came})")


def _done(edition: Edition) -> Iterator[Block]:
    if not edition.done:
        yield Paragraph(text="The ledger has no entry about this model in this month.")
        return
    yield Table(
        caption="Entries of the ledger",
        columns=("entry", "when", "what", "by", "details"),
        rows=tuple(
            (str(each.sequence), each.time[:10], f"{each.kind} of {each.about}", each.by, each.said)
            for each in edition.done
        ),
        widths=(1, 3, 4, 3, 8),
        small=True,
    )


def _crosswalk(edition: Edition) -> Iterator[Block]:
    yield Paragraph(
        text="An index in our words. It does not claim conformity, and is no monitoring plan of a"
        " provider: who does what with these numbers is for the provider to state."
    )
    for standard, read in STANDARDS.items():
        items = answers(edition, standard)
        yield Table(
            caption=f"{standard}. Read: {read}.",
            columns=("item", "topic", "answer"),
            rows=tuple((each.item, each.topic, each.text) for each in items),
            widths=(2, 6, 12),
            small=True,
        )
