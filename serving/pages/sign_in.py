"""Signing in and out: with an identity provider, or alone on this machine to try it."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from serving.access.development import is_development_token
from serving.access.oidc import (
    Begun,
    Launch,
    address_to_sign_in,
    person_of,
    require_launcher,
)
from serving.access.sign_in import Role, SignIn
from serving.access.tokens import AccessDenied
from serving.access.trust import DEVELOPMENT
from serving.http.decoding import form_fields
from serving.http.refusals import RequestRefused
from serving.pages.browser import A_YEAR, LANGUAGE, session_cookie, set_cookie, sign_in_cookie
from serving.pages.page import HOME, Answer, Field, Page, Visit, chosen, go, with_choices
from serving.pages.rendering import LANGUAGES, later
from serving.state.people import sessions

OWN_PAGE = re.compile(rf"{HOME}(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
DONE = f"{HOME}/sign-in/done"
BEGUN_SECONDS = 600
EVERY_ROLE = frozenset(Role)
FIRST_PAGE = {
    Role.CLINICIAN: f"{HOME}/patients",
    Role.GOVERNANCE: f"{HOME}/governance",
    Role.ML_OWNER: f"{HOME}/bench",
    Role.OPERATOR: f"{HOME}/operation",
}
"""Where each role begins, the first that somebody has."""

TRIAL_FIELDS = (
    Field(
        name="person", label=later("Your name"), longest=80,
        help=later("It stands in the record and in the ledger. Nobody verifies it."),
    ),
    Field(
        name="password", label=later("Token of this trial"), kind="password", longest=200,
        help=later("It was printed where the service was started."),
    ),
)  # fmt: skip


def first(visit: Visit) -> Answer:
    """Lead to the page that somebody begins with, or to the sign-in."""
    if visit.session is None:
        return go(f"{HOME}/sign-in")
    return go(next(page for role, page in FIRST_PAGE.items() if role in visit.session.roles))


def sign_in(visit: Visit) -> Answer:
    """Show how to sign in."""
    access = visit.runtime.access
    return Answer(
        template="sign_in.html",
        facts={
            "provider": access.sign_in, "trial": access.development_token is not None,
            "fields": TRIAL_FIELDS, "back": _own_page(visit.query.get("back", "")),
            "values": {"password": visit.query.get("token", "")},
        },
    )  # fmt: skip


def begin(visit: Visit) -> Answer:
    """Send somebody to the identity provider."""
    provider = _provider(visit)
    return _begun(visit, provider, _own_page(visit.query.get("back", "")), None)


def launch(visit: Visit) -> Answer:
    """Sign in somebody whom a record system sends, to the patient who is open there (SMART)."""
    provider = _provider(visit)
    iss, launch = visit.query.get("iss", ""), visit.query.get("launch", "")
    require_launcher(provider, iss)
    if not launch:
        raise AccessDenied(
            "the record system sent no launch", "open the page from the patient there", 400
        )
    return _begun(visit, provider, iss, Launch(iss=iss, launch=launch))


def _provider(visit: Visit) -> SignIn:
    provider = visit.runtime.access.sign_in
    if provider is None:
        raise RequestRefused(
            404, "no identity provider is registered", "tell the operator of this service"
        )
    return provider


def _begun(visit: Visit, provider: SignIn, after: str, launched: Launch | None) -> Answer:
    """Send somebody to sign in; the browser keeps where from, which nobody can guess or send."""
    begun = Begun.new()
    kept = f"{begun}~{quote(after, safe='')}"
    redirect = visit.runtime.public_address + DONE
    return go(
        address_to_sign_in(provider, begun, redirect, launched),
        set_cookie(sign_in_cookie(visit.runtime), kept, visit.runtime, BEGUN_SECONDS),
    )


def done(visit: Visit) -> Answer:
    """Take somebody who comes back from the identity provider."""
    access, runtime = visit.runtime.access, visit.runtime
    name = sign_in_cookie(runtime)
    kept, _, after = visit.cookies.get(name, "").partition("~")
    after = unquote(after)
    begun = Begun.kept(kept)
    if access.sign_in is None or begun is None:
        raise AccessDenied(
            "the sign-in was not begun in this browser, or took too long", "sign in again"
        )
    launcher = after if after in access.sign_in.launch_from else ""
    who = person_of(
        access, access.sign_in, begun, visit.query, runtime.public_address + DONE, visit.now,
        launcher,
    )  # fmt: skip
    held = sessions.begin(
        runtime.store.engine, name=who.name, person=who.person, tenant=who.tenant,
        roles=who.roles, now=visit.now,
    )  # fmt: skip
    _end(visit)
    return go(
        f"{HOME}/patients/{quote(who.patient, safe='')}" if launcher else _own_page(after) or HOME,
        set_cookie(session_cookie(runtime), held, runtime),
        set_cookie(name, "", runtime, 0),
    )


def begin_trial(visit: Visit) -> Answer:
    """Sign in somebody who tries it alone on this machine, with every role.

    Raises
    ------
    AccessDenied
        The token is not that of the trial, or the request comes from elsewhere.
    """
    token = visit.form["password"]
    if not is_development_token(token, visit.runtime.access.development_token):
        raise AccessDenied(
            "the token is not that of this trial",
            "take the address that `rehabcast serve --development` printed",
        )
    if not visit.here:
        raise AccessDenied("a trial is for this machine only", "sign in at the machine itself")
    person = visit.form["person"]
    if not person.isprintable():
        raise AccessDenied("the name has characters that cannot be shown", "write another")
    held = sessions.begin(
        visit.runtime.store.engine, name=DEVELOPMENT, person=person, tenant=DEVELOPMENT,
        roles=EVERY_ROLE, now=visit.now,
    )  # fmt: skip
    _end(visit)
    return go(HOME, set_cookie(session_cookie(visit.runtime), held, visit.runtime))


def sign_out(visit: Visit) -> Answer:
    """End the session."""
    _end(visit)
    gone = set_cookie(session_cookie(visit.runtime), "", visit.runtime, 0)
    return go(f"{HOME}/sign-in", gone)


def choose_language(visit: Visit) -> Answer:
    """Remember a language, and go back."""
    language = visit.parameters["language"]
    if language not in LANGUAGES:
        raise RequestRefused(404, "there are no pages in this language", "choose another")
    back = _own_page(visit.query.get("back", "")) or HOME
    return go(back, set_cookie(LANGUAGE, language, visit.runtime, A_YEAR))


def operation(visit: Visit) -> Answer:
    """Show what an operator should look at."""
    return Answer(template="operation.html", facts={"problems": visit.runtime.problems()})


def _end(visit: Visit) -> None:
    if visit.held:
        sessions.end(visit.runtime.store.engine, visit.held)


def _own_page(address: str) -> str:
    """Return a page of ours to go back to, as it was chosen; nothing for anybody else's address."""
    path, _, query = address.partition("?")
    if not OWN_PAGE.fullmatch(unquote(path)):
        return ""
    return with_choices(unquote(path), chosen(form_fields(query.encode())))


PAGES = (
    Page(method="GET", path="/", answer=first),
    Page(method="GET", path=HOME, answer=first),
    Page(method="GET", path=f"{HOME}/sign-in", answer=sign_in),
    Page(method="GET", path=f"{HOME}/sign-in/begin", answer=begin),
    Page(method="GET", path=f"{HOME}/launch", answer=launch),
    Page(method="GET", path=DONE, answer=done),
    Page(
        method="POST", path=f"{HOME}/sign-in/trial", answer=begin_trial, fields=TRIAL_FIELDS
    ),
    Page(method="POST", path=f"{HOME}/sign-out", answer=sign_out, roles=EVERY_ROLE),
    Page(method="GET", path=f"{HOME}/language/{{language}}", answer=choose_language),
    Page(
        method="GET", path=f"{HOME}/operation", answer=operation,
        roles=frozenset({Role.OPERATOR}),
    ),
)  # fmt: skip
