"""Why a request is not answered: from an error to an HTTP status and a body."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from contracts.errors import ForecastRefused, IntegrityError, RehabcastError, ServiceUnavailable
from serving.access.tokens import AccessDenied
from serving.formats.cds_hooks import PrefetchMissing
from serving.formats.fhir import operation_outcome
from serving.http.decoding import RequestInvalid
from serving.schemas import Refusal
from serving.state.store import NotOnRecord

RETRY_SECONDS = 5

ISSUE_TYPES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    500: "exception",
    503: "transient",
}
"""FHIR's issue-type (http://hl7.org/fhir/R4/valueset-issue-type.html) of each HTTP status."""

Headers = tuple[tuple[bytes, bytes], ...]

EXPECTED_ERRORS = (
    RequestInvalid,
    AccessDenied,
    PrefetchMissing,
    ForecastRefused,
    IntegrityError,
    ServiceUnavailable,
    SQLAlchemyError,
)
"""What `refusal_of` has a status for; anything else is a fault of the service."""


class RequestRefused(RehabcastError):
    """A request that is not answered, with the HTTP status that says so."""

    def __init__(self, status: int, reason: str, what_to_do: str, headers: Headers = ()) -> None:
        super().__init__(reason, what_to_do)
        self.status, self.headers = status, headers


def refusal_of(error: Exception) -> RequestRefused:
    """Return the refusal that answers one of the `EXPECTED_ERRORS`."""
    match error:
        case AccessDenied():
            challenge = b"Bearer" if error.status == 401 else b'Bearer error="insufficient_scope"'
            return _refused(error.status, error, ((b"www-authenticate", challenge),))
        case RequestInvalid():
            return _refused(400, error)
        case PrefetchMissing():
            return _refused(412, error)
        case NotOnRecord():
            return _refused(404, error)
        case ForecastRefused():
            return _refused(422, error)
        case IntegrityError():
            return _refused(500, error)
        case _:
            return unavailable("the service's store does not answer")


def unavailable(reason: str) -> RequestRefused:
    """Return the refusal of what cannot be answered just now."""
    return RequestRefused(503, reason, "try again later", retry_after(RETRY_SECONDS))


def internal_error() -> RequestRefused:
    """Return the refusal after an error that nobody expected; it says nothing about the error."""
    return RequestRefused(
        500, "an internal error occurred", "tell the operator of this service when it happened"
    )


def retry_after(seconds: int) -> Headers:
    """Return the header that says how many seconds to wait."""
    return ((b"retry-after", str(seconds).encode()),)


def refusal_body(refusal: RequestRefused, *, is_fhir: bool) -> Any:
    """Return the body that says why a request is not answered, and what to do."""
    if is_fhir:
        return operation_outcome(refusal, ISSUE_TYPES.get(refusal.status, "processing"))
    return Refusal(error=str(refusal), reason=refusal.reason, what_to_do=refusal.what_to_do)


def _refused(status: int, error: RehabcastError, headers: Headers = ()) -> RequestRefused:
    return RequestRefused(status, error.reason, error.what_to_do, headers)
