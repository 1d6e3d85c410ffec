"""FHIR documents taken apart: resources with their addresses, and what a Bundle says about them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypedDict

from contracts.errors import SourceUnreadable
from features.sources.records.fhir_statements import LeftOut
from features.sources.records.json_shapes import mapping, mappings, text

ADDRESS = re.compile(
    r"(?:(?P<base>https?://.+?)/)?(?P<kind>[A-Z][A-Za-z]+)/(?P<id>[^/?#\s]+)"
    r"(?:/_history/(?P<version>[^/?#\s]+))?"
)
"""FHIR R4, references: a resource's address, relative or absolute, perhaps of one version."""

BUNDLES = 1_000_000_000
"""More than a file can hold."""

_ETAG = re.compile(r'(?:W/)?"?(\d{1,15})"?')
_LONG_AGO, _NEVER = "1900-01-01T00:00:00Z", "2200-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One resource, or its deletion, with its place.

    Parameters
    ----------
    place
        In the file, in words.
    resource
        As JSON; of a deletion only its kind.
    full_url
        Its address in a Bundle; empty outside.
    bundle
        Which Bundle of the file it stands in: its addresses hold there. 0 outside of any.
    deleted
        Whether it is a deletion.
    version, updated
        What the Bundle says of its version, where the resource itself does not.
    """

    place: str
    resource: dict[str, Any]
    full_url: str = ""
    bundle: int = 0
    deleted: bool = False
    version: float = math.nan
    updated: str = ""

    @property
    def kind(self) -> str:
        """Its resourceType, empty where it has none."""
        return text(self.resource.get("resourceType"))

    @property
    def base(self) -> str:
        """Address of its server, empty where it is not known."""
        match = ADDRESS.fullmatch(self.full_url) if self.full_url else None
        return match["base"] or "" if match else ""

    @property
    def record_id(self) -> str:
        """What identifies the resource over its versions; empty where nothing does."""
        identity = self.resource.get("id")
        if isinstance(identity, str) and identity:
            prefix = f"{self.base}/" if self.base else ""
            return f"{prefix}{self.kind}/{identity}"
        if match := ADDRESS.fullmatch(self.full_url):
            prefix = f"{match['base']}/" if match["base"] else ""
            return f"{prefix}{match['kind']}/{match['id']}"
        return self.full_url


class _Response(TypedDict):
    version: float
    updated: str


@dataclass(slots=True, kw_only=True)
class Contents:
    """The resources of a file, and what is wrong with the documents around them.

    Parameters
    ----------
    most
        How many entries there may be.
    """

    most: float = math.inf
    entries: list[Entry] = field(default_factory=list)
    left_out: list[tuple[str, LeftOut]] = field(default_factory=list)


def contents_of(
    documents: Iterable[tuple[str, Any]], name: str, *, most: float = math.inf, after: int = 0
) -> Contents:
    """Take documents apart: Bundles, also within Bundles, and single resources.

    Parameters
    ----------
    documents, name
        Each with its place; the file's name.
    most
        How many entries they may have together.
    after
        The number of the last Bundle of other files: addresses hold within a Bundle.

    Raises
    ------
    SourceUnreadable
        A document is no FHIR resource, a Bundle's entries are no list, or there are too many.
    """
    contents, bundles = Contents(most=most), iter(range(after + 1, after + BUNDLES))
    for place, document in documents:
        if not isinstance(document, dict) or "resourceType" not in document:
            raise SourceUnreadable(
                name, place, "no resourceType", "check that this is a FHIR document"
            )
        if document["resourceType"] == "Bundle":
            _add_bundle(document, place, name, contents, bundles)
        else:
            contents.entries.append(Entry(place=place, resource=document))
    return contents


def is_fhir_head(head: bytes) -> bool:
    """Return whether a file that begins so is a FHIR document."""
    begins = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
    return begins in {b"{", b"["} and b'"resourceType"' in head


def has_next_page(bundle: Any) -> bool:
    """Return whether a Bundle is one page of a search, and not the last."""
    links = mappings(mapping(bundle).get("link"))
    return any(link.get("relation") == "next" for link in links)


def _add_bundle(
    bundle: dict[str, Any], place: str, name: str, contents: Contents, bundles: Iterator[int]
) -> None:
    number = next(bundles)
    entries = bundle.get("entry")
    if not isinstance(entries, list | None):
        raise SourceUnreadable(name, place, "Bundle.entry is not a list", "export the Bundle again")
    if len(contents.entries) + len(entries or ()) > contents.most:
        found = f"more than {contents.most:,} entries"
        raise SourceUnreadable(name, place, found, "leave out what a forecast does not use")
    if has_next_page(bundle):
        contents.left_out.append(
            (place, LeftOut(
                field="Bundle",
                found="is only one page of a search: more resources are on the server",
                advice="fetch all pages and send them together",
                cause="pages that are missing",
            ))
        )  # fmt: skip
    for n, item in enumerate(entries or ()):
        at = f"entry {n}" if place == "*" else f"{place} entry {n}"
        entry = mapping(item)
        resource = mapping(entry.get("resource"))
        if resource.get("resourceType") == "Bundle":
            _add_bundle(resource, at, name, contents, bundles)
        elif mapping(entry.get("request")).get("method") == "DELETE":
            _add_deletion(entry, at, number, contents)
        else:
            contents.entries.append(
                Entry(
                    place=at,
                    resource=resource,
                    full_url=text(entry.get("fullUrl")),
                    bundle=number,
                    **_response(entry),
                )
            )


def _add_deletion(entry: dict[str, Any], at: str, bundle: int, contents: Contents) -> None:
    """Add a deletion (FHIR R4, http.html#transaction and #history)."""
    request, said = mapping(entry.get("request")), _response(entry)
    full_url = text(entry.get("fullUrl"))
    address = ADDRESS.fullmatch(text(request.get("url"))) or ADDRESS.fullmatch(full_url)
    if address is None:
        contents.left_out.append(
            (at, LeftOut(
                field="Bundle",
                found="deletes something that it does not name by its id",
                advice="export what is left after the deletion",
            ))
        )  # fmt: skip
        return
    version, updated = said["version"], said["updated"]
    has_version = not math.isnan(version)
    if not has_version and not updated:
        # A deletion without a version or a time comes after all versions that the Bundle holds.
        version = math.inf
    contents.entries.append(
        Entry(
            place=at,
            resource={"resourceType": address["kind"], "id": address["id"]},
            full_url=full_url,
            bundle=bundle,
            deleted=True,
            version=version,
            updated=updated or (_LONG_AGO if has_version else _NEVER),
        )
    )


def version_of(entry: Entry) -> tuple[float, str]:
    """Return a resource's version number (NaN where it has none) and the time of its last change.

    An Observation's `issued` is the time at which this version of it was made available.
    """
    if entry.deleted:
        return entry.version, entry.updated
    meta = mapping(entry.resource.get("meta"))
    written = text(meta.get("versionId"))
    number = float(written) if re.fullmatch(r"\d{1,15}", written, re.ASCII) else entry.version
    updated = text(meta.get("lastUpdated")) or entry.updated or text(entry.resource.get("issued"))
    return number, updated


def _response(entry: dict[str, Any]) -> _Response:
    """Return what a Bundle of type history says of an entry's version."""
    response = mapping(entry.get("response"))
    etag = _ETAG.fullmatch(text(response.get("etag")))
    return {
        "version": float(etag[1]) if etag else math.nan,
        "updated": text(response.get("lastModified")),
    }
