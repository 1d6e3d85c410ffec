"""How much FHIR one request may hold, so that none keeps a worker for longer than a second.

It is counted before anything is checked or decided, which is what takes the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.errors import ForecastRefused
from features.sources.records.fhir import MODELS
from features.sources.records.fhir_documents import Contents
from features.sources.records.json_shapes import objects_in

MAX_ENTRIES = 20_000
"""Entries of the documents of one request, of whatever kind: a whole patient's export has most of
kinds that no forecast uses, which cost little."""

MAX_ELEMENTS = 41_000
"""JSON objects within the resources that are read. Checking one against FHIR takes some 15 us, and
one of many possible elements (`MANY_ELEMENTS`) two or
three times as long. 180 days of 32 channels are 5,760 Observations and 40,320 elements where each
has only its code, subject, time and value."""

MANY_ELEMENTS = ("resourceType", "url")
"""Fields of resources, also contained ones, and of extensions: they count three times."""

MAX_BUNDLES = 12
"""Bundles of one request for many subjects: each takes some 50 ms however small it is."""


MAX_PLAN_ELEMENTS = 4_000
"""JSON objects within the CarePlans of a request, counted alike: 8 plans of 12 activities with
texts and codes of their own have some 1,500."""


def refuse_large_plans(resources: Sequence[Any]) -> None:
    """Refuse CarePlans that hold too much, before they are checked.

    Raises
    ------
    ForecastRefused
        They hold more than `MAX_PLAN_ELEMENTS` together.
    """
    if objects_in(list(resources), MAX_PLAN_ELEMENTS, heavy=MANY_ELEMENTS) > MAX_PLAN_ELEMENTS:
        raise ForecastRefused(
            f"the CarePlans hold more than {MAX_PLAN_ELEMENTS:,} elements together",
            "send fewer plans, or only the activities of therapy",
        )


def refuse_too_large(contents: Contents) -> None:
    """Refuse documents whose resources hold too much.

    Raises
    ------
    ForecastRefused
        They hold more than `MAX_ELEMENTS`.
    """
    if _elements_of(contents) > MAX_ELEMENTS:
        raise ForecastRefused(
            f"the FHIR resources hold more than {MAX_ELEMENTS:,} elements",
            "send the days that the forecast looks back on, or each day's value instead of each"
            " reading",
        )


def refuse_too_many(bundles: Sequence[Any]) -> None:
    """Refuse Bundles of many people that are too much for one request.

    Raises
    ------
    ForecastRefused
        They are more than `MAX_BUNDLES`, or hold more than `MAX_ELEMENTS` together.
    """
    if len(bundles) > MAX_BUNDLES:
        raise ForecastRefused(
            f"the request holds more than {MAX_BUNDLES} Bundles", "send them in several requests"
        )
    if len(bundles) > 1 and objects_in(bundles, MAX_ELEMENTS, heavy=MANY_ELEMENTS) > MAX_ELEMENTS:
        raise ForecastRefused(
            f"the Bundles hold more than {MAX_ELEMENTS:,} elements together",
            "send them in several requests",
        )


def refuse_too_large_for(readers: int, bundle: Any) -> None:
    """Refuse a Bundle that several models would read, one after the other, if it is too much.

    Raises
    ------
    ForecastRefused
        Read so often it would hold more than `MAX_ELEMENTS`.
    """
    most = MAX_ELEMENTS // max(readers, 1)
    if readers > 1 and objects_in([bundle], most, heavy=MANY_ELEMENTS) > most:
        raise ForecastRefused(
            f"the Bundle holds more than {most:,} elements, and {readers} models would read it",
            "ask for one task after the other (/v1/forecast, with task)",
        )


def _elements_of(contents: Contents) -> int:
    """Count the elements of the resources that are read, no further than just over the limit."""
    count = 0
    for entry in contents.entries:
        if entry.kind in MODELS and count <= MAX_ELEMENTS:
            count += objects_in(entry.resource, MAX_ELEMENTS, heavy=MANY_ELEMENTS)
    return count
