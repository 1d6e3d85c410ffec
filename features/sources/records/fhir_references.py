"""Whom a resource is about: FHIR's own rules for resolving references, in one place.

FHIR R4, references.html and bundle.html#references: a relative reference is relative to the server
of the resource that has it; `urn:uuid:` and `urn:oid:` name an entry of the same Bundle by its
`fullUrl`; `#p1` is contained in the resource and has no identity outside of it; a logical reference
names an identifier. What can't be resolved to one Patient is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from features.sources.records.fhir_documents import ADDRESS, Entry
from features.sources.records.fhir_statements import LeftOut
from features.sources.records.json_shapes import mapping, mappings, text

UUID = "urn:uuid:"
NAME_THE_PATIENT = "give it a reference to its Patient"


class Patients:
    """The Patient resources of a file, by every way in which a reference may name them."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._known: dict[tuple[int, str, str, str], str | LeftOut] = {}
        self._by_address: dict[tuple[int, str], str] = {}
        self._others: set[tuple[int, str]] = set()
        self._by_id: dict[tuple[int, str], set[str]] = defaultdict(set)
        self._by_identifier: dict[tuple[str, str], set[str]] = defaultdict(set)
        for entry in entries:
            if entry.kind != "Patient":
                if entry.full_url:
                    self._others.add((entry.bundle, _address(entry.full_url)))
                continue
            if not (label := patient_label(entry)):
                continue
            if entry.full_url:
                self._by_address[entry.bundle, _address(entry.full_url)] = label
            self._by_id[entry.bundle, text(entry.resource.get("id"))].add(label)
            for identifier in identifiers_of(entry.resource):
                self._by_identifier[identifier].add(label)

    def subject_of(self, entry: Entry, element: str = "subject") -> str | LeftOut:
        """Return the label of the person whom a resource is about, or why it is not known."""
        subject = mapping(entry.resource.get(element))
        reference = text(subject.get("reference"))
        if not reference and not subject.get("identifier"):
            return _unknown(entry, "without a subject")
        kind = (text(subject.get("type")) or "Patient").rsplit("/", 1)[-1]
        if kind != "Patient":
            return _unknown(entry, f"about a {kind}, not a Patient", advice="")
        if not reference:
            return self._logical(entry, subject["identifier"])
        if reference.startswith("#"):
            return self._contained(entry, reference[1:])
        if reference.startswith("Patient?"):
            return self._conditional(entry, reference)
        key = (entry.bundle, entry.base, entry.kind, reference)
        if (known := self._known.get(key)) is None:
            # Most resources of a person have the same reference.
            known = self._known[key] = self._resolved(entry, reference)
        return known

    def _resolved(self, entry: Entry, reference: str) -> str | LeftOut:
        at = (entry.bundle, _address(reference))
        if at in self._by_address:
            return self._by_address[at]
        if at in self._others:
            return _unknown(entry, "about something else than a Patient", advice="")
        if reference.lower().startswith("urn:"):
            return reference[len(UUID) :] if reference.lower().startswith(UUID) else reference
        address = ADDRESS.fullmatch(reference)
        if address is None:
            return _unknown(entry, "whose subject is no reference that FHIR allows")
        if address["kind"] != "Patient":
            return _unknown(entry, f"about a {address['kind']}, not a Patient", advice="")
        base = address["base"] or entry.base
        absolute = f"{base}/Patient/{address['id']}" if base else ""
        here = (entry.bundle, absolute)
        if here in self._by_address:
            return self._by_address[here]
        if address["base"]:
            return absolute
        named = self._by_id.get((entry.bundle, address["id"]), set())
        if len(named) > 1:
            return _unknown(entry, "whose subject is an id that several servers' Patients have")
        return next(iter(named), absolute or address["id"])

    def _contained(self, entry: Entry, identity: str) -> str | LeftOut:
        for resource in mappings(entry.resource.get("contained")):
            if resource.get("id") == identity:
                if resource.get("resourceType") != "Patient":
                    return _unknown(entry, "about something else than a Patient", advice="")
                labels = {
                    label
                    for identifier in identifiers_of(resource)
                    for label in self._by_identifier.get(identifier, ())
                }
                if len(labels) == 1:
                    return next(iter(labels))
        return _unknown(entry, "about a contained Patient whom no identifier makes known")

    def _logical(self, entry: Entry, identifier: Any) -> str | LeftOut:
        known = next(identifiers_of({"identifier": [identifier]}), ("", ""))
        labels = self._by_identifier.get(known, set())
        if len(labels) == 1:
            return next(iter(labels))
        found = "no Patient" if not labels else f"{len(labels)} Patients"
        return _unknown(entry, f"whose subject is an identifier that {found} of this file has")

    def _conditional(self, entry: Entry, reference: str) -> str | LeftOut:
        """Resolve `Patient?identifier=system|value`, as transactions write a reference."""
        query = parse_qs(reference.partition("?")[2])
        system, _, value = (query.get("identifier") or [""])[0].rpartition("|")
        if set(query) != {"identifier"}:
            return _unknown(entry, "whose subject is a search, not a reference")
        return self._logical(entry, {"system": system, "value": value})


def patient_label(entry: Entry) -> str:
    """Return the label of a Patient: its id, with its server's address where that is known."""
    identity = entry.resource.get("id")
    address = ADDRESS.fullmatch(entry.full_url)
    if address and address["base"]:
        own = identity if isinstance(identity, str) and identity else address["id"]
        return f"{address['base']}/Patient/{own}"
    if isinstance(identity, str) and identity:
        return identity
    if address:
        return str(address["id"])
    is_uuid = entry.full_url.lower().startswith(UUID)
    return entry.full_url[len(UUID) :] if is_uuid else entry.full_url


def identifiers_of(patient: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield a Patient's identifiers that are in use: system and value."""
    for identifier in mappings(patient.get("identifier")):
        if identifier.get("use") != "old":
            system, value = text(identifier.get("system")), text(identifier.get("value"))
            if system and value:
                yield system, value


def _address(url: str) -> str:
    """Return an address as it is compared: without a version, a UUID in small letters."""
    if url.lower().startswith(UUID):
        return url.lower()
    match = ADDRESS.fullmatch(url)
    if match is None or not match["base"]:
        return url
    return f"{match['base']}/{match['kind']}/{match['id']}"


def _unknown(entry: Entry, found: str, advice: str = NAME_THE_PATIENT) -> LeftOut:
    return LeftOut(field="subject", found=f"{entry.kind} {found}", advice=advice)
