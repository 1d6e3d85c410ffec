"""Why a request is not answered: from an error to an HTTP status and a body."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from contracts.errors import ForecastRefused, IntegrityError, RehabcastError, ServiceUnavailable
from serving.access.grants import TokenRequestRefused
from serving.access.tokens import AccessDenied
from serving.formats.cds.prefetch import PrefetchMissing
from serving.formats.fhir.assessment import operation_outcome
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
    406: "not-supported",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    500: "exception",
    503: "transient",
}
"""FHIR's issue-type (http://hl7.org/fhir/R4/valueset-issue-type.html) of each HTTP status."""

Headers = tuple[tuple[bytes, bytes], ...]

REALM = "rehabcast"

EXPECTED_ERRORS = (
    TokenRequestRefused,
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
    """A request that is not answered, with the HTTP status that says so.

    Parameters
    ----------
    oauth_code
        Of a token request: the error's code (RFC 6749, 5.2); empty for others.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        what_to_do: str,
        headers: Headers = (),
        oauth_code: str = "",
    ) -> None:
        super().__init__(reason, what_to_do)
        self.status, self.headers, self.oauth_code = status, headers, oauth_code


def refusal_of(error: Exception) -> RequestRefused:
    """Return the refusal that answers one of the `EXPECTED_ERRORS`."""
    match error:
        case AccessDenied():
            return _refused(error.status, error, ((b"www-authenticate", _challenge(error)),))
        case TokenRequestRefused():
            headers = _CLIENT_CHALLENGE if error.status == 401 else ()
            return RequestRefused(error.status, *error.words, headers, oauth_code=error.code)
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


def _challenge(denied: AccessDenied) -> bytes:
    """Return the challenge of RFC 6750, 3: without a code where no token was sent."""
    parts = [f'Bearer realm="{REALM}"']
    if denied.code:
        parts += [f'error="{denied.code}"', f'error_description="{_quotable(denied.reason)}"']
    if denied.scope:
        parts.append(f'scope="{denied.scope}"')
    return ", ".join(parts).encode()


_CLIENT_CHALLENGE: Headers = ((b"www-authenticate", f'Bearer realm="{REALM}"'.encode()),)


def _quotable(text: str) -> str:
    """Return a text with only the characters that an OAuth error may have (RFC 6749, 5.2)."""
    return "".join(c if " " <= c <= "~" and c not in {'"', "\\"} else " " for c in text)


def refusal_body(refusal: RequestRefused, *, is_fhir: bool) -> Any:
    """Return the body that says why a request is not answered, and what to do."""
    if refusal.oauth_code:
        return {"error": refusal.oauth_code, "error_description": _quotable(str(refusal))}
    if is_fhir:
        return operation_outcome(refusal, ISSUE_TYPES.get(refusal.status, "processing"))
    return Refusal(error=str(refusal), reason=refusal.reason, what_to_do=refusal.what_to_do)


def _refused(status: int, error: RehabcastError, headers: Headers = ()) -> RequestRefused:
    return RequestRefused(status, *error.words, headers)
