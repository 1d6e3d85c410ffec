"""FHIR R4: a CarePlan with its ServiceRequests as a programme of exercise.

Nothing is guessed: what has more than one reading, or a meaning that is not read here, is refused
with its place. Repetitions, side and schedule stand in elements of FHIR itself; goals, and how the
sensor is worn, have none and are extensions of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from fhir.resources.R4B.careplan import CarePlan
from fhir.resources.R4B.servicerequest import ServiceRequest
from pydantic import ValidationError

from contracts.declarations import mistakes
from contracts.errors import ContractError
from contracts.exercise import Programme, read_programme
from contracts.exercise.programme import DAYS_A_WEEK
from features.recording import SourceFile
from features.sources.records.fhir import UNDERSTOOD, invalid_as
from features.sources.records.fhir_documents import Entry, contents_of
from features.sources.records.fhir_references import Patients
from features.sources.records.fhir_sides import SIDES, side_of
from features.sources.records.fhir_statements import LeftOut
from features.sources.records.json_documents import documents
from features.sources.records.json_shapes import mapping, mappings, text

RECORDING = "urn:rehabcast:extension:exercise-recording"
GOAL = "urn:rehabcast:extension:exercise-goal"
"""How the sensor is worn (`valueCode`), of a CarePlan; a goal (`valueQuantity`), of a
ServiceRequest: in degrees its range, in seconds its time, without a unit its smoothness (SPARC)."""

RECORDINGS = {"all-day": "all day", "in-sessions": "in sessions"}
GOALS = {"deg": "goal_range_deg", "s": "goal_seconds", "1": "goal_smoothness"}
"""By UCUM code."""
PERS = {"d": "day", "wk": "week"}

HOLDS = {"draft", "active"}
MOST_ENTRIES = 1_000
READ_OF_TIMING = {"repeat", "id"}
READ_OF_REPEAT = {"frequency", "period", "periodUnit", "id"}
OTHERWISE = ("asNeededBoolean", "asNeededCodeableConcept", "occurrenceDateTime", "occurrencePeriod",
             "quantityRatio", "quantityRange", "orderDetail", "doNotPerform")  # fmt: skip
"""Elements of a ServiceRequest that change how much is prescribed, and are not read."""

SCHEDULE = (
    "write occurrenceTiming.repeat with frequency (sets), period 1 and periodUnit d or wk, and"
    " nothing else"
)


def read_any_programme(path: Path) -> Programme:
    """Read a programme: `.json` as a CarePlan of FHIR, else TOML.

    Raises
    ------
    ContractError
        As `read_fhir_programme` and `contracts.exercise.read_programme`.
    """
    return read_fhir_programme(path) if path.suffix.lower() == ".json" else read_programme(path)


def read_fhir_programme(path: Path) -> Programme:
    """Read a JSON file with one CarePlan and the ServiceRequests that its activities refer to.

    Raises
    ------
    ContractError
        It can't be read, or does not say plainly what is prescribed: where, and what to write.
    """
    name = str(path)
    file = SourceFile(path=path, name=name, subject_label="")
    entries = contents_of(documents(file), name, most=MOST_ENTRIES).entries
    plans = [entry for entry in entries if entry.kind == "CarePlan" and not entry.deleted]
    if len(plans) != 1:
        raise ContractError(f"{name}: it holds {len(plans)} CarePlans", "give one programme a file")
    plan, at = plans[0], f"{name}: {plans[0].place}, CarePlan"
    _require_plain(CarePlan, plan.resource, at)
    start, end = _period(mapping(plan.resource.get("period")), f"{at}.period")
    weeks, rest = divmod((end - start).days + 1, DAYS_A_WEEK)
    if rest:
        raise _refused(f"{at}.period", "it is not of whole weeks", "let it end a day before")
    content = {
        "name": text(plan.resource.get("title")).strip(), "start": start, "weeks": weeks,
        "recording": _recording(plan.resource, at),
        "exercises": [_exercise(each, at) for each in _requests(plan, entries, at)],
    }  # fmt: skip
    try:
        return Programme.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(mistakes(error, Programme))
        raise ContractError(f"{at}: no programme of exercise: {faults}", "correct it") from error


def _requests(plan: Entry, entries: Sequence[Entry], at: str) -> list[dict[str, Any]]:
    """Return the ServiceRequests of a plan's activities, all of the plan's own patient."""
    patients = Patients(entries)
    whose = patients.subject_of(plan)
    if isinstance(whose, LeftOut):
        raise _refused(f"{at}.subject", whose.found, whose.advice)
    known: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind == "ServiceRequest" and not entry.deleted:
            known |= dict.fromkeys(filter(None, (entry.full_url, entry.record_id)), entry)
    found = []
    for number, activity in enumerate(mappings(plan.resource.get("activity"))):
        place = f"{at}.activity[{number}]"
        _require_understood(activity, place)
        reference = text(mapping(activity.get("reference")).get("reference"))
        if "detail" in activity or (request := known.get(reference)) is None:
            raise _refused(
                f"{place}.reference", "its ServiceRequest is not in this file",
                "refer to a ServiceRequest of the same Bundle; a detail is not read",
            )  # fmt: skip
        if patients.subject_of(request) != whose:
            raise _refused(f"{place}.reference", "it is of somebody else", "correct its subject")
        found.append(request.resource)
    return found


def _exercise(request: Mapping[str, Any], at: str) -> dict[str, Any]:
    name = text(mapping(request.get("code")).get("text")).strip()
    at = f"{at}, ServiceRequest {text(request.get('id')) or name!r}"
    _require_plain(ServiceRequest, dict(request), at)
    if other := [element for element in OTHERWISE if request.get(element)]:
        raise _refused(f"{at}.{other[0]}", "this is not read", "leave it out")
    repeat = _repeat(mapping(request.get("occurrenceTiming")), f"{at}.occurrenceTiming")
    sides = {side_of({"bodySite": site}) for site in mappings(request.get("bodySite"))}
    if len(sides) != 1 or not sides <= SIDES:
        raise _refused(
            f"{at}.bodySite", "its side is not known", "write one site in words: right shoulder"
        )
    repetitions = mapping(request.get("quantityQuantity"))
    if repetitions.get("code", "1") != "1" or repetitions.get("comparator"):
        raise _refused(f"{at}.quantityQuantity", "it is no number of repetitions", "write a value")
    return {
        "name": name, "side": sides.pop(), "sets": repeat["frequency"],
        "per": PERS[repeat["periodUnit"]], "repetitions": repetitions.get("value"),
        **_goals(request, at),
    }  # fmt: skip


def _repeat(timing: dict[str, Any], at: str) -> dict[str, Any]:
    """Return how often, which must be so many times in one day or one week."""
    repeat = mapping(timing.get("repeat"))
    unread = [*sorted(timing.keys() - READ_OF_TIMING), *sorted(repeat.keys() - READ_OF_REPEAT)]
    if unread:
        raise _refused(f"{at}, {unread[0]}", "this is not read, and may change how much", SCHEDULE)
    if (
        repeat.get("periodUnit") not in PERS
        or repeat.get("period") != 1
        or not repeat.get("frequency")
    ):
        raise _refused(f"{at}.repeat", "it does not say how many sets a day or a week", SCHEDULE)
    return repeat


def _goals(request: Mapping[str, Any], at: str) -> dict[str, Any]:
    goals: dict[str, Any] = {}
    for extension in mappings(request.get("extension")):
        if extension.get("url") != GOAL:
            continue
        quantity = mapping(extension.get("valueQuantity"))
        key = GOALS.get(text(quantity.get("code")))
        if key is None or key in goals or quantity.get("comparator"):
            raise _refused(
                f"{at}, {GOAL}", "it is no goal, or one of them twice",
                f"give a value with one of the UCUM codes {', '.join(GOALS)}",
            )  # fmt: skip
        goals[key] = quantity.get("value")
    return goals


def _recording(plan: Mapping[str, Any], at: str) -> str:
    said = [
        extension.get("valueCode")
        for extension in mappings(plan.get("extension"))
        if extension.get("url") == RECORDING
    ]
    if len(said) != 1 or said[0] not in RECORDINGS:
        raise _refused(
            f"{at}, {RECORDING}", "it is not known how the sensor is worn",
            f"give it once, with valueCode {' or '.join(RECORDINGS)}",
        )  # fmt: skip
    return RECORDINGS[said[0]]


def _period(period: Mapping[str, Any], at: str) -> tuple[date, date]:
    days = []
    for name in ("start", "end"):
        try:
            days.append(date.fromisoformat(text(period.get(name))))
        except ValueError:
            raise _refused(
                f"{at}.{name}", "this is not a whole day", "give the day, as 2026-03-02"
            ) from None
    return days[0], days[1]


def _require_plain(model: Any, resource: dict[str, Any], at: str) -> None:
    """Refuse what is no FHIR, holds no longer, or has a meaning that is not read here."""
    if invalid := invalid_as(model, resource):
        raise _refused(at, invalid, "correct it")
    _require_understood(resource, at)
    if resource["status"] not in HOLDS:
        raise _refused(f"{at}.status", "it does not hold", f"give {' or '.join(sorted(HOLDS))}")


def _require_understood(element: Mapping[str, Any], at: str) -> None:
    if unknown := [name for name in UNDERSTOOD if element.get(name)]:
        raise _refused(f"{at}.{unknown[0]}", "it changes the meaning", "send it without")


def _refused(at: str, found: str, what_to_do: str) -> ContractError:
    return ContractError(f"{at}: {found}", what_to_do)
