"""A request as its handler sees it, and the answer as the handler gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.access.authentication import Caller
from serving.http.decoding.questions import Records
from serving.http.runtime import Runtime
from serving.schemas import ForecastAnswer


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked and decoded.

    Parameters
    ----------
    runtime
        What it is answered with.
    caller
        Who sent it.
    body
        Decoded as the endpoint's request type.
    parameters, query
        Parameters in the path, and in the query.
    path
        Of the request.
    records
        What the store has of the people whom the body names without a record.
    """

    runtime: Runtime
    caller: Caller
    body: Any
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    path: str
    records: Records = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, and for the log which model gave it and which forecast it is.

    Parameters
    ----------
    content
        Is sent as JSON, or as it is where it is bytes.
    content_type
        Of the answer; empty for what the route sends.
    answered
        Forecasts and refusals that it holds, in whatever form, to be counted by task.
    """

    content: Any
    status: int = 200
    model_version: str = ""
    forecast_id: str = ""
    content_type: str = ""
    answered: Sequence[ForecastAnswer] = ()
