"""Reads pushed data points of Open mHealth and IEEE 1752.1, and FHIR Observations.

The readers are those of imports. What an import would only report, such as a time in UTC of which
nobody knows the wearer's zone, refuses the point here: there is nobody who reads a report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.errors import ContractError, ForecastRefused, Problem, SourceUnreadable
from features.measurements.records import record_table
from features.recording import SourceFile
from features.sources.records import open_mhealth
from features.sources.records.data_point_times import written_times
from features.sources.records.fhir import read_each
from features.sources.records.fhir_documents import Contents, contents_of
from features.sources.records.json_shapes import mapping
from serving.formats.fhir.limits import refuse_too_large
from serving.pushed import MAX_POINTS

SEVERAL = (
    "send points of one kind at once: data points, Observations, or one Bundle of Observations"
)
WITHDRAWN = "entered-in-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the points of a request state.

    Parameters
    ----------
    places
        Of each point, as records and problems name it.
    records
        With `features.measurements.records.RECORD_COLUMNS`.
    problems
        Of single points, in the order in which they were found.
    not_used
        Places of resources that are no Observations.
    withdraw
        Places of Observations that say they were entered in error.
    times
        Place and text of every time of a measurement.
    """

    places: Sequence[str]
    records: pd.DataFrame
    problems: Sequence[Problem]
    not_used: frozenset[str] = frozenset()
    withdraw: frozenset[str] = frozenset()
    times: Sequence[tuple[str, str]] = ()


def read(document: dict[str, Any] | list[dict[str, Any]], subject: str, zone: str) -> Read:
    """Read a point, a list of points, or a Bundle.

    Raises
    ------
    ForecastRefused
        They are too many or of different kinds, or there is none.
    """
    documents = document if isinstance(document, list) else [document]
    is_fhir = ["resourceType" in each for each in documents]
    if any(is_fhir) and not all(is_fhir):
        raise ForecastRefused("data points and FHIR resources are mixed", SEVERAL)
    file = SourceFile(path=Path("request"), name="request", subject_label=subject, zone=zone)
    return (_fhir if any(is_fhir) else _data_points)(file, documents)


def _data_points(file: SourceFile, documents: list[dict[str, Any]]) -> Read:
    placed = [(f"[{n}]", each) for n, each in enumerate(documents)]
    bodies = [(place, body) for place, each in placed for body in _bodies(each)]
    _require_some(len(documents), len(bodies))
    reading, parts = open_mhealth.read_points(file, placed)
    return Read(
        places=[place for place, _ in placed],
        records=record_table(pd.DataFrame() if reading.records is None else reading.records),
        problems=[_of_point(problem, parts) for problem in reading.dropped if problem.places],
        times=[(place, at) for place, body in bodies for at in _times_of_body(body)],
    )


def _bodies(point: dict[str, Any]) -> list[Any]:
    body = point.get("body")
    return body if isinstance(body, list) else [body]


def _of_point(problem: Problem, parts: Mapping[str, tuple[str, int]]) -> Problem:
    """Return a problem with the place of its point, also where it is of one of several bodies."""
    if problem.places[0] not in parts:
        return problem
    place, body = parts[problem.places[0]]
    return replace(problem, field=f"body {body}, {problem.field}", places=(place,))


def _times_of_body(body: Any) -> Iterator[str]:
    frame = mapping(mapping(body).get("effective_time_frame"))
    written: dict[str, Any] = {}
    # Whatever is wrong with a time frame, the reader has said it of the point.
    with suppress(ContractError, AttributeError, LookupError, TypeError):
        written = written_times(frame)
    for name in ("start", "finish"):
        if isinstance(written.get(name), str) and written[name]:
            yield written[name]


def _fhir(file: SourceFile, documents: list[dict[str, Any]]) -> Read:
    is_bundle = documents[0].get("resourceType") == "Bundle"
    if is_bundle and len(documents) > 1:
        raise ForecastRefused("the request has several FHIR Bundles", SEVERAL)
    given = [("*", documents[0])] if is_bundle else [(f"[{n}]", d) for n, d in enumerate(documents)]
    try:
        contents = contents_of(given, file.name, most=MAX_POINTS)
    except SourceUnreadable as error:
        raise ForecastRefused(error.problem.found, error.problem.advice) from None
    if contents.left_out:
        item = contents.left_out[0][1]
        raise ForecastRefused(f"the Bundle {item.found}", item.advice)
    _require_some(len(contents.entries), len(contents.entries))
    refuse_too_large(contents)
    reading = read_each(file, contents)
    return Read(
        places=[entry.place for entry in contents.entries],
        records=reading.records,
        problems=[problem for problem in reading.dropped if problem.places],
        not_used=frozenset(e.place for e in contents.entries if e.kind != "Observation"),
        withdraw=frozenset(
            e.place for e in contents.entries if e.resource.get("status") == WITHDRAWN
        ),
        times=list(_times_of_resources(contents)),
    )


def _times_of_resources(contents: Contents) -> Iterator[tuple[str, str]]:
    for entry in contents.entries:
        period = mapping(entry.resource.get("effectivePeriod"))
        stated = (entry.resource.get(name) for name in ("effectiveDateTime", "effectiveInstant"))
        for at in (*stated, period.get("start"), period.get("end")):
            if isinstance(at, str) and at:
                yield entry.place, at


def _require_some(points: int, parts: int) -> None:
    if not points:
        raise ForecastRefused("the request has no point", "send a point, or a list of points")
    if parts > MAX_POINTS:
        raise ForecastRefused(
            f"the request has more than {MAX_POINTS:,} points", "send them in several requests"
        )
