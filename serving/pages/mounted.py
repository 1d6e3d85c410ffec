"""Answers requests for pages: who is signed in, whether they may, what they typed, and headers.

A page is made in a thread, of the same pools' kind as the routes of programs have; whatever goes
wrong, its reader gets a page that says so and what to do, and keeps what they typed.
"""

from __future__ import annotations

import gzip
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.routing import compile_path
from starlette.types import Receive, Scope

from contracts.errors import RehabcastError
from serving.access.addresses import is_loopback
from serving.access.development import is_forwarded
from serving.faults import place_of
from serving.http.admission import limits
from serving.http.admission.bodies import body_of
from serving.http.admission.identity import address_of, peer_of
from serving.http.admission.pool import Pool
from serving.http.admission.routing import header_values
from serving.http.calls import Reply
from serving.http.decoding import form_fields
from serving.http.refusals import (
    EXPECTED_ERRORS,
    Headers,
    RequestRefused,
    internal_error,
    refusal_of,
)
from serving.http.runtime import Runtime
from serving.pages import assets, forms
from serving.pages.browser import LANGUAGE, languages_of, session_cookie, to_the_patient, where
from serving.pages.page import HOME, Answer, Field, Page, Visit, go, with_choices
from serving.pages.rendering import FOLDER, Say, environment
from serving.state.people import sessions
from serving.state.store import NotOnRecord

log = logging.getLogger("rehabcast.http")

HTML = "text/html; charset=utf-8"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""No script runs, and nothing comes from elsewhere."""

SECURITY: Headers = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"vary", b"Cookie, Accept-Language, Accept-Encoding"),
)
FOREVER: Headers = ((b"cache-control", b"public, max-age=31536000, immutable"),)
SMALLEST_COMPRESSED = 1_000
PER_SECOND, BURST = 20, 100
"""Pages that one address may open: a ward behind one address, clicking."""

SAID = (*EXPECTED_ERRORS, RehabcastError, msgspec.ValidationError)
"""Errors that a page says in words for people (`_refusal`)."""


class Pages:
    """The pages of a service (`serving.http.middleware.PagesForPeople`).

    Parameters
    ----------
    pages
        All of them.
    folders
        Folders of templates besides those of this package.
    """

    def __init__(self, pages: Sequence[Page], folders: Sequence[Path] = ()) -> None:
        self._routes = [(compile_path(page.path)[0].fullmatch, page) for page in pages]
        self._folders = (*folders, FOLDER / "templates")
        self._rate = limits.RateLimit(PER_SECOND, BURST)
        self._bodies = limits.Room(
            limits.MAX_BODIES, limits.MAX_BODIES_OF_ONE, "too many large forms at once"
        )
        self._forecasts = Pool(limits.MAX_STORE_REQUESTS, limits.MAX_STORE_REQUESTS_OF_ONE, 1)
        self._others = Pool(limits.MAX_STORE_REQUESTS, limits.MAX_STORE_REQUESTS_OF_ONE, 4)

    def takes(self, path: str) -> bool:
        """Say whether a path is one of a page."""
        return path == "/" or path == HOME or path.startswith(f"{HOME}/")

    async def reply(
        self, scope: Scope, receive: Receive, runtime: Runtime
    ) -> tuple[str, str, Reply, Headers]:
        """Answer a request; whatever goes wrong is a page too."""
        if (asset := assets.assets().get(scope["path"])) is not None:
            packed = _takes_gzip(scope)
            encoding: Headers = ((b"content-encoding", b"gzip"),) if packed else ()
            content = asset.compressed if packed else asset.content
            reply = Reply(content, content_type=asset.content_type)
            return assets.PREFIX, "", reply, (*FOREVER, *encoding, (b"vary", b"Accept-Encoding"))
        say = Say(languages_of(_cookies(scope).get(LANGUAGE, ""), scope))
        route = ""
        try:
            page, parameters = self._find(scope)
            route = page.path
            sender = address_of(scope, runtime)
            self._rate.check(sender)
            async with body_of(receive, forms.largest(page), self._bodies, sender) as body:
                pool = self._forecasts if page.forecasts else self._others
                work = partial(self._work, page, parameters, scope, runtime, body, say)
                caller, answer, html = await pool.run(work, sender)
            return route, caller, *_sent(scope, answer, html)
        except Exception as error:
            refusal = error if isinstance(error, RequestRefused) else _unexpected(error)
            html = self._render("message.html", say, "", {"refusal": refusal, **where(scope)})
            answer = Answer(status=refusal.status)
            reply, headers = _sent(scope, answer, html)
            return route, "", reply, (*headers, *refusal.headers)

    def _find(self, scope: Scope) -> tuple[Page, Mapping[str, str]]:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        found = [(page, match) for fits, page in self._routes if (match := fits(scope["path"]))]
        for page, match in found:
            if page.method == method:
                return page, match.groupdict()
        if found and method == "GET":
            page, match = found[0]
            return Page(method="GET", path=page.path, answer=_to_its_page), match.groupdict()
        if found:
            raise RequestRefused(405, "the page is not opened in this way", "go back, and open it")
        raise RequestRefused(404, "there is no such page", "go to the first page")

    def _work(
        self, page: Page, parameters: Mapping[str, str], scope: Scope, runtime: Runtime,
        body: bytes, say: Say,
    ) -> tuple[str, Answer, str]:  # fmt: skip
        """Make a page; return the caller for the log, the answer, and the page."""
        now, cookies = datetime.now(UTC), _cookies(scope)
        held = cookies.get(session_cookie(runtime), "")
        session = None
        try:
            session = sessions.find(runtime.store.engine, held, now)
            visit = Visit(
                runtime=runtime, session=session, held=held, say=say, path=scope["path"],
                parameters=parameters, query=form_fields(scope["query_string"]), form={},
                cookies=cookies, here=_is_here(scope), now=now,
            )  # fmt: skip
            answer = self._answer(page, visit, scope, body)
        except SAID as error:
            refusal = _refusal(error)
            answer = Answer(
                template="message.html", status=refusal.status,
                facts={"refusal": refusal, "back": to_the_patient(scope, parameters)},
            )  # fmt: skip
        facts = {"session": session, **where(scope), **answer.facts}
        html = self._render(answer.template, say, held, facts)
        return session.name if session is not None else "", answer, html

    def _answer(self, page: Page, visit: Visit, scope: Scope, body: bytes) -> Answer:
        if page.method == "GET":
            if page.roles and visit.session is None:
                return go(f"{HOME}/sign-in?back={quote(visit.address)}")
            _require_role(page, visit)
            return page.answer(visit)
        forms.require_own_site(scope["headers"])
        types = [value.decode("latin-1") for value in header_values(scope, b"content-type")]
        form = forms.sent(page, types, body)
        if page.roles and visit.session is not None:
            _require_role(page, visit)
        if page.roles and visit.session is None:
            sent = forms.as_sent(form)
            return _again(visit, sent, forms.typed(form, sent), status=401)
        fields = page.fields_for(replace(visit, form=form))
        values = forms.typed(form, fields)
        again = partial(_again, visit, fields, values)
        token = form.get(forms.TOKEN, "")
        if page.roles and not forms.is_of(token, visit.held, visit.path):
            return again(status=409, stale=True)
        if page.roles and page.once and not forms.use(visit.runtime.store, token, visit.now):
            return Answer(template="sent_before.html", facts={"back": _page_before(visit)})
        try:
            forms.check(values, fields)
            return page.answer(replace(visit, form=values))
        except SAID as error:
            refusal = _refusal(error)
            forms.release(page, visit.runtime.store, token)
            return again(status=refusal.status, refusal=refusal)

    def _render(self, template: str, say: Say, held: str, facts: Mapping[str, Any]) -> str:
        if not template:
            return ""
        usual: dict[str, Any] = {
            "say": say, "session": None, "asset": assets.address_of, "path": "", "home": HOME,
            "token_for": partial(forms.token_for, held), "choices": {},
        }  # fmt: skip
        every = {**usual, **facts}

        def to(path: str, **changed: str | int) -> str:
            return with_choices(path, every["choices"], **changed)

        made = environment(self._folders, say.language).get_template(template)
        return made.render(to=to, **every)


def _again(
    visit: Visit, fields: Sequence[Field], values: Mapping[str, str], *, status: int,
    stale: bool = False, refusal: RequestRefused | None = None,
) -> Answer:  # fmt: skip
    """Show a form once more with what was typed, and why it was not taken."""
    secret = {each.name for each in fields if each.kind == "password"}
    facts = {
        "fields": fields, "refusal": refusal, "stale": stale,
        "values": {name: "" if name in secret else value for name, value in values.items()},
        "action": visit.path, "back": _page_before(visit),
    }  # fmt: skip
    return Answer(template="again.html", facts=facts, status=status)


def _page_before(visit: Visit) -> str:
    """Return the page that a form is on: forms are sent to a path below it."""
    return visit.path.rpartition("/")[0] or HOME


def _to_its_page(visit: Visit) -> Answer:
    """Go to the page that a form is on, as after a language was chosen on the form's answer."""
    return go(with_choices(_page_before(visit), visit.choices))


def _require_role(page: Page, visit: Visit) -> None:
    if page.roles and not page.roles & visit.person.roles:
        raise RequestRefused(
            403, "this page is for other roles than yours", "ask the operator for the role"
        )


def _sent(scope: Scope, answer: Answer, html: str) -> tuple[Reply, Headers]:
    content = html.encode()
    headers = [*SECURITY, *((b"set-cookie", each.encode()) for each in answer.cookies)]
    if answer.location:
        headers.append((b"location", answer.location.encode()))
    if len(content) > SMALLEST_COMPRESSED and _takes_gzip(scope):
        content = gzip.compress(content, 5)
        headers.append((b"content-encoding", b"gzip"))
    log_of = answer.reply
    reply = Reply(
        content, answer.status, content_type=HTML,
        model_version="" if log_of is None else log_of.model_version,
        forecast_id="" if log_of is None else log_of.forecast_id,
        answered=() if log_of is None else log_of.answered,
    )  # fmt: skip
    return reply, tuple(headers)


def _refusal(error: Exception) -> RequestRefused:
    """Return why a page cannot be shown, from an error that has words of ours."""
    if isinstance(error, RequestRefused):
        return error
    if isinstance(error, NotOnRecord):  # Its advice is for programs.
        return RequestRefused(
            404, "nothing is on record of this patient",
            "open a patient from the list, or put a new one on record",
        )  # fmt: skip
    if isinstance(error, msgspec.ValidationError):
        return RequestRefused(
            400, "the form has a value that cannot be", "open the page and fill it in again"
        )
    if isinstance(error, EXPECTED_ERRORS) or not isinstance(error, RehabcastError):
        return refusal_of(error)
    return RequestRefused(422, *error.words)


def _unexpected(error: Exception) -> RequestRefused:
    log.error("a page failed: %s", place_of(error))
    return internal_error()


def _is_here(scope: Scope) -> bool:
    return is_loopback(peer_of(scope)) and not is_forwarded(scope["headers"])


def _takes_gzip(scope: Scope) -> bool:
    return any(b"gzip" in value.lower() for value in header_values(scope, b"accept-encoding"))


def _cookies(scope: Scope) -> dict[str, str]:
    read: SimpleCookie = SimpleCookie()
    for value in header_values(scope, b"cookie"):
        try:
            read.load(value.decode("latin-1"))
        except CookieError:
            continue
    return {name: morsel.value for name, morsel in read.items()}
