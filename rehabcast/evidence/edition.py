"""The monthly edition of a version: facts of record, tests and ledger, put together and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from audits.disclosure.over_time import last_shown, shown
from audits.judging.wording import group_in_words
from audits.ledger.changes.plans import read_book
from audits.ledger.evidence.acting import restricted_now
from audits.ledger.ledger import Ledger
from audits.ledger.trail import WARNING
from audits.measure.groups import EVERYONE
from audits.report.document import Figure
from audits.report.editions import to_html, to_pdf
from audits.report.monthly.content import (
    Clinicians,
    EarlyOutcomes,
    Edition,
    GroupLeftOut,
    GroupOfPeople,
    LedgerEntry,
    ReasonGiven,
    TestShown,
)
from audits.report.monthly.document import monthly_edition
from audits.report.monthly.picture import draw
from audits.sequential.course import Courses, courses
from audits.sequential.hypotheses import Hypothesis, not_followed
from contracts.errors import EvidenceMissing
from contracts.groups import MINIMUM_SHOWN
from contracts.naming.model_version import split_version
from contracts.vocabulary import vocabulary
from rehabcast.evidence.early import early_outcomes
from rehabcast.evidence.entries import said_of
from rehabcast.evidence.growing import groups_left_out
from rehabcast.evidence.shown_tests import point_shown
from rehabcast.evidence.watched import Watched
from serving.formats.cds.cards import OVERRIDE_REASONS
from serving.state.evidence.accounts import counted, week_of
from serving.state.evidence.clinicians import decisions_by_clinician
from serving.state.evidence.editions import Kept, Numbers, keep, made_before
from serving.state.evidence.served import REASON, REFUSED, served_until
from serving.state.store import Store
from stores.folders import drafted

JSON_FILE, HTML_FILE, PDF_FILE = "monitoring.json", "monitoring.html", "monitoring.pdf"
CLINICIANS = "clinicians"
MEASURES = {
    "forecast": "forecast", "due": "due", "observed": "observed", "traced": "traced",
    "missed": "missed", "lost": "lost", "withdrew": "withdrew", "died": "died",
    "accepted": "accepted", "overridden": "overridden", "unclear": "unclear",
    "accepted_in_range": "accepted, in range",
    "accepted_out_of_range": "accepted, out of range",
    "overridden_in_range": "overridden, in range",
    "overridden_out_of_range": "overridden, out of range",
    "predicted": "predicted", "clinician_nearer": "clinician nearer",
    "forecast_nearer": "forecast nearer", "equally_near": "equally near",
}  # fmt: skip
"""Fields of an edition, and the cells of `served_until` that they tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A calendar month, (YYYY-MM), and the first day after it."""

    name: str
    first: date
    after: date


def month_of(first: date | None, today: date) -> Month:
    """Return a month that is over, by its first day; without one, the last.

    Raises
    ------
    EvidenceMissing
        It is not over.
    """
    this = today.replace(day=1)
    first = (this - timedelta(days=1)).replace(day=1) if first is None else first
    name = first.isoformat()[:7]
    if first >= this:
        raise EvidenceMissing(
            f"the month {name} is not over yet", "an edition is of a month that is over"
        )
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return Month(name=name, first=first, after=after)


def edition_of(
    store: Store, ledger: Ledger, version: Watched, month: Month, now: datetime
) -> Edition:
    """Return the edition of a month: as it was made first, or made and kept now.

    The weeks must have been counted (`rehabcast.evidence.running.run`).

    Raises
    ------
    EvidenceMissing
        The version came into service after the month, or there is an edition of a later one.
    """
    since = version.followed.since[:10]
    if since >= month.after.isoformat():
        raise EvidenceMissing(
            f"{version.model_version} came into service on {since}, after {month.name}",
            "an edition is of a month in which the version was in service",
        )
    service = version.followed.service
    content = made_before(store, service, month.name)
    if content is None:
        people = served_until(
            store, version.followed, month.after, is_shown=version.champion is not None,
            codes=OVERRIDE_REASONS,
        )  # fmt: skip
        often = decisions_by_clinician(store, month.first, month.after)
        numbers: dict[tuple[str, ...], int] = {(CLINICIANS, EVERYONE, EVERYONE): len(often)}
        numbers.update(people.items())
        went = _went(store, version, month)
        left_out = groups_left_out(store, ledger, version, month.after)
        early = early_outcomes(store, version, month.after)
        make = partial(
            _made,
            ledger,
            version,
            month,
            now,
            went,
            left_out,
            early,
            numbers,
            sorted(often.values()),
        )
        content = keep(store, service, month.name, make)
    return Edition.model_validate_json(content)


def write_edition(edition: Edition, folder: Path) -> tuple[Path, ...]:
    """Write JSON, page, PDF and picture into a folder; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    # All of them are made before the first takes the place of an earlier one.
    with drafted(folder / JSON_FILE) as drafts:
        figures: tuple[Figure, ...] = draw(edition, drafts)
        document = monthly_edition(edition, figures)
        (drafts / JSON_FILE).write_text(edition.model_dump_json(indent=2) + "\n", "utf-8")
        (drafts / HTML_FILE).write_text(to_html(document, drafts), "utf-8")
        (drafts / PDF_FILE).write_bytes(to_pdf(document, drafts))
        names = (JSON_FILE, HTML_FILE, PDF_FILE, *(figure.file for figure in figures))
        return tuple((drafts / name).replace(folder / name) for name in names)


def _went(store: Store, version: Watched, month: Month) -> Courses:
    """Return how the tests went in the weeks that were over in a month."""
    first, weeks = counted(store, version.followed.service, week_of(month.after))
    return courses(first, weeks, version.tested, version.plan)


def _made(
    ledger: Ledger,
    version: Watched,
    month: Month,
    now: datetime,
    went: Courses,
    left_out: tuple[GroupLeftOut, ...],
    early: EarlyOutcomes,
    people: Mapping[tuple[str, ...], int],
    often: list[int],
    before: Numbers,
) -> Kept:
    numbers = last_shown(before, people)
    champion, plan = version.champion, version.plan
    model, _ = split_version(version.model_version)
    change_plan = read_book(ledger.engine).in_force(model)
    restricted = () if champion is None else restricted_now(ledger.engine, champion)
    tests = tuple(_tests(version, went))
    edition = Edition(
        model_version=version.model_version,
        month=month.name,
        simulated=version.bundle.manifest.simulated,
        in_service=champion is not None and champion.revoked is None,
        since=version.followed.since or None,
        made_at=now.isoformat(timespec="seconds"),
        condition=version.bundle.task.condition,
        target=vocabulary()[version.bundle.task.target.code].name,
        weeks=version.bundle.task.primary_horizon_weeks,
        people=tuple(groups_shown(numbers)),
        refused=shown(numbers[REFUSED, EVERYONE, EVERYONE]),
        reasons=tuple(
            ReasonGiven(reason=OVERRIDE_REASONS.get(code, code), people=shown(number))
            for (measure, _, code), number in numbers.items()
            if measure == REASON and number
        ),
        alerts=Clinicians(
            clinicians=shown(numbers[CLINICIANS, EVERYONE, EVERYONE]),
            median_decisions=round(median(often)) if len(often) >= MINIMUM_SHOWN else None,
        ),
        act=_act(version, went, tests),
        mean=tuple(map(point_shown, went.mean)),
        warns_at=1 / plan.warn_alpha,
        suspends_at=1 / plan.alpha,
        tests=tests,
        not_tested=not_followed(version.policy),
        left_out=left_out,
        early=early,
        restricted=tuple(group_in_words(each.attribute, each.label) for each in restricted),
        warnings=tuple(_warnings(ledger, version, month)),
        done=tuple(_done(ledger, model, month)),
        plan_version=plan.version,
        plan_digest=plan.digest,
        policy_version=version.policy.version,
        policy_digest=version.policy.digest,
        change_plan=None if change_plan is None else change_plan.plan.version,
    )
    return Kept(content=edition.model_dump_json(), numbers=numbers)


def groups_shown(numbers: Numbers) -> Iterator[GroupOfPeople]:
    """Yield everyone, and then each group of whom a number was ever shown.

    That a group is named would tell of its first person.
    """
    groups = {
        (axis, label)
        for (measure, axis, label), people in numbers.items()
        if people and measure in MEASURES.values()
    }
    for axis, label in sorted({*groups, (EVERYONE, EVERYONE)}, key=lambda g: (g[0] != EVERYONE, g)):
        shown_of = {
            field: shown(numbers.get((cell, axis, label), 0)) for field, cell in MEASURES.items()
        }
        yield GroupOfPeople(attribute=axis, label=label, **shown_of)


def _tests(version: Watched, went: Courses) -> Iterator[TestShown]:
    kinds = {warns: [t.warns_only for t in version.tested].count(warns) for warns in (True, False)}
    for each, points in zip(version.tested, went.tests, strict=True):
        yield TestShown(
            rule=each.rule, attribute=each.axis, group=each.group, milestone=each.milestone,
            side=each.side, needed=kinds[each.warns_only] / _alpha(version, each),
            warns_only=each.warns_only, points=tuple(map(point_shown, points)),
        )  # fmt: skip


def _alpha(version: Watched, each: Hypothesis) -> float:
    return version.plan.warn_alpha if each.warns_only else version.plan.alpha


def _act(version: Watched, went: Courses, tests: tuple[TestShown, ...]) -> str:
    """Say what follows from what is told; a group restricted since is told by its own line."""
    plan = version.plan
    largest = max((point.largest for point in went.mean), default=0.0)
    acts = any(test.share >= 1 and not test.warns_only for test in tests)
    if acts or largest >= 1 / plan.alpha:
        return "act"
    now = went.mean[-1].e_value if went.mean else 0.0
    warns = any(
        test.share >= (1 if test.warns_only else plan.alpha / plan.warn_alpha) for test in tests
    )
    return "warn" if warns or now >= 1 / plan.warn_alpha else "none"


def _done(ledger: Ledger, model: str, month: Month) -> Iterator[LedgerEntry]:
    for entry in ledger.trail():
        is_of_month = month.first <= entry.at().date() < month.after
        if is_of_month and entry.about.partition("/")[0] == model:
            yield LedgerEntry(
                sequence=entry.sequence, time=entry.time, kind=entry.kind, about=entry.about,
                by=entry.actor, said=said_of(entry),
            )  # fmt: skip


def _warnings(ledger: Ledger, version: Watched, month: Month) -> Iterator[str]:
    """Yield the warnings since the version came into service, until the end of a month."""
    for entry in ledger.trail():
        is_of_service = version.followed.since <= entry.time < month.after.isoformat()
        if entry.kind == WARNING and entry.about == version.model_version and is_of_service:
            yield f"{entry.time[:10]}: {said_of(entry)}"
