"""The list of those to be found: written for who may see it, and read when it is filled in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path

from contracts.cohort import TRACED
from contracts.errors import ContractError, RehabcastError
from contracts.observation import LAST_DAY, Observation
from rehabcast.evidence.watched import Watched
from serving.state.evidence.calls import ToCall, note_handed_out, to_call
from serving.state.store import Store

SCORE, DAY, ENROLMENT_DAY = "score", "day", "enrolment_day"
COLUMNS = (
    "subject", "assessment", "first_day", "last_day", "call_until", ENROLMENT_DAY, DAY, SCORE,
)  # fmt: skip
"""Of the list; days are after enrolment, but that of the enrolment itself is since onset."""

ADVICE = "correct the file and read it again: nothing of it was put on record"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundScore:
    """A score of a person who was found, `day` days after enrolment."""

    row: int
    person: ToCall
    enrolment_day: int
    day: int
    score: float


def handed_out(
    store: Store, version: Watched, tenant: str, *, actor: str, now: datetime
) -> tuple[str, int]:
    """Return the list of whom to find of a tenant, and how many; that it was made is on record."""
    task, service = version.bundle.task, version.followed.service
    people = [
        each for each in to_call(store, service, task, tenant, now.date()) if each.is_lost
    ]  # fmt: skip
    note_handed_out(store, tenant, version.model_version, len(people), actor=actor, now=now)
    return as_csv(people, task.target.code), len(people)


def as_csv(people: Sequence[ToCall], code: str) -> str:
    """Return a list of people to be found, to be filled in."""
    text = io.StringIO()
    written = csv.writer(text, lineterminator="\n")
    written.writerow(COLUMNS)
    for each in people:
        known = "" if each.enrolment_day is None else each.enrolment_day
        written.writerow(
            (each.subject, code, each.first_day, each.last_day, each.until, known, "", "")
        )
    return text.getvalue()


def read_found(file: Path, people: Sequence[ToCall]) -> list[FoundScore]:
    """Return the scores in a list that was filled in; rows without a score are who was not found.

    Parameters
    ----------
    people
        Who may be in it.

    Raises
    ------
    ContractError
        It is no such list, or a row is impossible: says which row and field, never whose.
    """
    by_subject = {each.subject: each for each in people}
    found = [_found(row, of, by_subject) for row, of in _rows(file) if of[SCORE].strip()]
    subjects = [each.person.subject for each in found]
    for each in found:
        if subjects.count(each.person.subject) > 1:
            raise _wrong(each.row, "subject", "is in two rows with a score")
    return found


def put_on_record(
    store: Store, version: Watched, tenant: str, file: Path, *, actor: str, now: datetime
) -> int:
    """Put what a filled-in list says on record, as any observation; return how many were found.

    Raises
    ------
    ContractError
        As of `read_found`; or somebody has another score on that day on record.
    """
    task = version.bundle.task
    people = to_call(store, version.followed.service, task, tenant, now.date())
    found = read_found(file, people)
    for each in found:
        since_onset = each.enrolment_day + each.day
        try:
            store.add(
                tenant, each.person.subject, each.enrolment_day,
                [
                    Observation(
                        code=task.target.code, day_since_onset=since_onset, value=each.score
                    ),
                    Observation(code=TRACED, day_since_onset=since_onset),
                ],
                actor=actor, now=now, tasks=[task],
            )  # fmt: skip
        except RehabcastError as error:
            raise ContractError(
                f"row {each.row}: {error.reason}",
                f"{error.what_to_do}; the rows before it are on record, and read again they change"
                " nothing",
            ) from None
    return len(found)


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ContractError(
            f"{file} cannot be read ({what})", "name the CSV file of `rehabcast monitor trace`"
        ) from None
    rows = csv.reader(io.StringIO(text), strict=True)
    try:
        first = next(rows, [])
        if tuple(first) != COLUMNS:
            raise ContractError(
                f"{file} does not have the columns {', '.join(COLUMNS)}",
                "keep the columns of the list that `rehabcast monitor trace` wrote, between commas",
            )
        for row in rows:
            if len(row) not in {0, len(COLUMNS)}:
                raise _wrong(rows.line_num, "columns", f"are {len(row)}, not {len(COLUMNS)}")
            if row:
                yield rows.line_num, dict(zip(COLUMNS, row, strict=True))
    except csv.Error as error:
        raise _wrong(rows.line_num, "text", f"is not CSV ({error})") from None


def _found(row: int, of: Mapping[str, str], people: Mapping[str, ToCall]) -> FoundScore:
    person = people.get(of["subject"])
    if person is None:
        raise _wrong(row, "subject", "is nobody who was drawn and can still be found in time")
    day, enrolled = _whole(row, of, DAY), _whole(row, of, ENROLMENT_DAY)
    if not person.first_day <= day <= person.last_day:
        raise _wrong(
            row, DAY,
            f"{day} is not from {person.first_day} to {person.last_day}: no other score is the one"
            " that is lost",
        )  # fmt: skip
    if person.enrolment_day not in {None, enrolled}:
        raise _wrong(row, ENROLMENT_DAY, f"is {person.enrolment_day} on record")
    try:
        score = float(of[SCORE].replace("_", "?"))
    except ValueError:
        raise _wrong(row, SCORE, "is no number") from None
    if not isfinite(score):
        raise _wrong(row, SCORE, "is no number")
    # With a second score of one outcome somebody could choose which counts; the same one, of a
    # list that is read again, changes nothing.
    if not person.can_be_found and person.traced.get(day) != score:
        raise _wrong(
            row, "subject",
            "is lost no more: another score, death or withdrawal is on record since the draw; empty"
            " the score of this row",
        )  # fmt: skip
    return FoundScore(row=row, person=person, enrolment_day=enrolled, day=day, score=score)


def _whole(row: int, of: Mapping[str, str], field: str) -> int:
    text = of[field].strip()
    if not text.isascii() or not text.isdigit() or int(text) > LAST_DAY:
        raise _wrong(row, field, "is no whole number of days")
    return int(text)


def _wrong(row: int, field: str, found: str) -> ContractError:
    return ContractError(f"row {row}: {field} {found}", ADVICE)
