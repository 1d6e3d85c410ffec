"""Which resources of a request a forecast was made from, and how an answer refers to them.

A reference in a Bundle is resolved by the `fullUrl` of the entry that holds it (FHIR R4, Bundle,
resolving references): `Observation/7` means nothing in an entry that is a `urn:uuid`. So what has
an address on a server is referred to by it, and of what has none the answer holds the part that was
read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pandas as pd

from contracts.cohort import CODE, NUMBER, ONSET, TIME
from contracts.vocabulary import Kind, vocabulary
from features.measurements.days import SLEEP
from features.measurements.identity import without_server
from features.measurements.records import AMOUNT, END, RECORD_ID, Amount
from features.measurements.versions import newest_versions
from features.sources.records.fhir_documents import ADDRESS, Entry, version_of

MAX_EVIDENCE = 200
"""Resources that an answer refers to: the newest; more would only make it longer."""

READ = {
    "Patient": ("identifier", "gender", "birthDate"),
    "Observation": (
        "status", "code", "effectiveDateTime", "effectivePeriod", "effectiveInstant",
        "valueQuantity", "valueInteger", "valueString", "valueCodeableConcept", "valueBoolean",
        "component",
    ),
    "Condition": (
        "clinicalStatus", "verificationStatus", "code", "onsetDateTime", "onsetPeriod",
        "recordedDate",
    ),
    "Procedure": ("status", "code", "performedPeriod"),
    "CarePlan": ("status", "intent", "title", "period"),
}  # fmt: skip
"""What is read of a resource, by its kind; of that an answer may hold a copy."""

USELESS = {str(Amount.UNUSABLE), str(Amount.WITHDRAWN)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one resource says that counts: the code and the day after onset (None for a fact)."""

    code: str
    day: int | None
    record_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The resources that values of a record are from.

    Parameters
    ----------
    sources
        What counts, and where it is from.
    entries
        The resources by their identity, `Kind/id`.
    """

    sources: tuple[Source, ...] = ()
    entries: Mapping[str, Entry] = field(default_factory=dict)

    def used(self, codes: Collection[str], first_day: int, last_day: int) -> list[str]:
        """Return the resources of some codes on some days after onset, newest first."""
        chosen = [
            source
            for source in self.sources
            if source.code == ONSET
            or (
                source.code in codes and (source.day is None or first_day <= source.day <= last_day)
            )
        ]
        chosen.sort(key=lambda source: (source.code == ONSET, source.day or -1), reverse=True)
        return list(dict.fromkeys(source.record_id for source in chosen))[:MAX_EVIDENCE]


def evidence_of(
    records: pd.DataFrame, events: pd.DataFrame, onset: pd.Timestamp, entries: Iterable[Entry]
) -> Evidence:
    """Find the resources that the values of a record are from.

    Parameters
    ----------
    records
        All that the resources state, with `RECORD_COLUMNS`.
    events
        What counts of it, with columns code, time, numeric_value.
    """
    current, _ = newest_versions(without_server(records)[0])
    current = current[~current[AMOUNT].isin(USELESS) & (current[RECORD_ID] != "")]
    counted = {
        (code, _day(time, onset), number)
        for code, time, number in events[[CODE, TIME, NUMBER]].itertuples(index=False, name=None)
    }
    days = {(code, day) for code, day, _ in counted}
    sources = []
    columns = [CODE, TIME, END, NUMBER, RECORD_ID]
    for code, time, end, number, record_id in current[columns].itertuples(index=False, name=None):
        day = _day(end if code == SLEEP and not pd.isna(end) else time, onset)
        entry = vocabulary().get(code)
        if code == ONSET:
            counts = day == 0
        elif entry is not None and entry.kind is Kind.ASSESSMENT:
            counts = (code, day, number) in counted
        else:
            counts = (code, day) in days
        if counts and not record_id.startswith("Patient/"):
            sources.append(Source(code=code, day=day, record_id=record_id))
    return Evidence(sources=tuple(sources), entries=_newest(entries))


def _day(time: Any, onset: pd.Timestamp) -> int | None:
    return None if pd.isna(time) else (pd.Timestamp(time).normalize() - onset).days


def _newest(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return the newest version of each resource, by `Kind/id` and by its address."""
    newest: dict[str, Entry] = {}
    for entry in entries:
        if not (identity := entry.record_id) or entry.deleted:
            continue
        kept = newest.get(identity)
        if kept is None or _order(entry) >= _order(kept):
            newest[identity] = entry
            newest[identity.removeprefix(f"{entry.base}/")] = entry
    return newest


def _order(entry: Entry) -> tuple[float, str]:
    number, updated = version_of(entry)
    return (number if number == number else -1.0, updated)


@dataclass(slots=True, kw_only=True)
class References:
    """Refers to resources of a request from the entries of an answer's Bundle.

    Parameters
    ----------
    evidence
        The resources.
    patient
        Id of the patient whom they are about.
    """

    evidence: Evidence
    patient: str
    _held: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to(self, record_id: str) -> dict[str, str]:
        """Return a reference that resolves; what has no address is kept for the answer's Bundle."""
        entry = self.evidence.entries.get(record_id)
        kind = record_id.rpartition("/")[0].rpartition("/")[2] if entry is None else entry.kind
        full_url = "" if entry is None else entry.full_url
        if (address := ADDRESS.fullmatch(full_url)) is not None and address["base"]:
            return {"reference": f"{address['base']}/{address['kind']}/{address['id']}"}
        if not full_url.startswith("urn:"):
            full_url = f"urn:uuid:{uuid5(NAMESPACE_URL, f'rehabcast:{record_id}')}"
        if full_url not in self._held:
            self._held[full_url] = {}  # A Patient is not asked for twice.
            self._held[full_url] = self._copy(record_id, kind, entry)
        return {"reference": full_url}

    def subject(self) -> dict[str, str]:
        """Return the reference to the patient."""
        return self.to(f"Patient/{self.patient}")

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries that the references need."""
        for full_url, resource in self._held.items():
            yield {"fullUrl": full_url, "resource": resource}

    def _copy(self, record_id: str, kind: str, entry: Entry | None) -> dict[str, Any]:
        resource = {} if entry is None else entry.resource
        copied = {name: resource[name] for name in READ.get(kind, ()) if name in resource}
        identity = resource.get("id") or (record_id.rpartition("/")[2] if entry is None else "")
        about = {} if kind == "Patient" else {"subject": self.subject()}
        named = {"id": identity} if identity else {}
        return {"resourceType": kind, **named, **copied, **about}
