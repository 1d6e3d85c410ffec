"""What a browser keeps (session, a sign-in that was begun, language), and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.types import Scope

from serving.http.admission.routing import header_values
from serving.http.decoding import RequestInvalid, form_fields
from serving.http.runtime import Runtime
from serving.pages.page import HOME, chosen, with_choices
from serving.pages.rendering import LANGUAGES

LANGUAGE = "rehabcast-language"
A_YEAR = 365 * 24 * 3600


def is_secure(runtime: Runtime) -> bool:
    """Say whether browsers reach the service by https."""
    return runtime.public_address.startswith("https://")


def session_cookie(runtime: Runtime) -> str:
    """Return the name of the cookie that holds a session."""
    return _named("rehabcast-session", runtime)


def sign_in_cookie(runtime: Runtime) -> str:
    """Return the name of the cookie that holds a sign-in that was begun."""
    return _named("rehabcast-sign-in", runtime)


def set_cookie(name: str, value: str, runtime: Runtime, seconds: int | None = None) -> str:
    """Return the field that sets a cookie, or deletes it where it is for 0 seconds.

    It is not sent with forms of other sites, no script reads it, and with https no other host of
    the same domain can set it.
    """
    age = "" if seconds is None else f"; Max-Age={seconds}"
    secure = "; Secure" if is_secure(runtime) else ""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}"


def languages_of(chosen: str, scope: Scope) -> str:
    """Return the language that somebody chose, or else the first that their browser asks for."""
    if chosen in LANGUAGES:
        return chosen
    asked = ",".join(value.decode("latin-1") for value in header_values(scope, b"accept-language"))
    for each in asked.lower().split(","):
        language = each.split(";")[0].strip().partition("-")[0]
        if language in LANGUAGES:
            return language
    return "en"


def _named(name: str, runtime: Runtime) -> str:
    return f"__Host-{name}" if is_secure(runtime) else name


def where(scope: Scope) -> dict[str, Any]:
    """Return the path of a request and what was chosen, which its page leads on with."""
    try:
        return {"path": scope["path"], "choices": chosen(form_fields(scope["query_string"]))}
    except RequestInvalid:
        return {"path": scope["path"], "choices": {}}


def to_the_patient(scope: Scope, parameters: Mapping[str, str]) -> str:
    """Return where a refusal of a patient's page leads: to the patient, or nowhere.

    From the patient's own page it leads there without what was chosen, which may be the reason.
    """
    if "subject" not in parameters:
        return ""
    patient = f"{HOME}/patients/{quote(parameters['subject'])}"
    found = where(scope)
    if found["path"] != f"{HOME}/patients/{parameters['subject']}":
        return with_choices(patient, found["choices"])
    return patient if found["choices"] else ""
