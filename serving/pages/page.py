"""One page: its route, who may open it, what its form takes; a visit to it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from contracts.observation import Observation
from serving.access.sign_in import Role, scopes_of_roles
from serving.access.trust import Caller
from serving.http.calls import Call, Reply
from serving.http.decoding import RequestInvalid
from serving.http.decoding.questions import Records
from serving.http.runtime import Runtime
from serving.pages.rendering import Say
from serving.schemas import SubjectId
from serving.state.people.sessions import Session

HOME = "/pages"
ADDRESS = "/:?#[]@!$&'()*+,;=%"
"""What an address has besides letters and digits (RFC 3986)."""
Kind = Literal["text", "long", "number", "date", "choice", "hidden", "password"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form.

    Parameters
    ----------
    name, label, kind
        Name in the form, and what people read; a hidden one has no label.
    help
        What to write, where the label does not say it.
    choices
        Value and words of each choice.
    optional
        Whether it may be empty.
    needed
        When it is needed, where that depends on the rest of the form.
    longest
        Characters that are taken.
    """

    name: str
    label: str = ""
    kind: Kind = "text"
    help: str = ""
    choices: Sequence[tuple[str, str]] = ()
    optional: bool = False
    needed: str = ""
    longest: int = 500


CHOICES = ("task", "week", "worth", "all", "without", "show", "named", "page", "guess")
"""What somebody chose to look at, by its name in a page's address: every link and form of the page
keeps it (`with_choices`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a page answers with: a template and its facts, or another page to go to.

    Parameters
    ----------
    template, facts, status
        Is shown.
    location
        Where the browser goes instead.
    cookies
        `Set-Cookie` fields.
    reply
        The answer of the service's route that it was made from, for the log.
    """

    template: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    location: str = ""
    cookies: Sequence[str] = ()
    reply: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request for a page.

    Parameters
    ----------
    runtime, session
        What it is answered with, and who is signed in; None on pages for everybody.
    held
        What the browser holds of its session.
    say
        Words in the reader's language.
    path, parameters, query, form
        Of the request; of a form only the page's own fields.
    cookies
        Cookies of the browser.
    here
        Whether it comes from this machine, with no proxy between.
    """

    runtime: Runtime
    session: Session | None
    held: str
    say: Say
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    cookies: Mapping[str, str]
    here: bool
    now: datetime

    @property
    def person(self) -> Session:
        """Who is signed in: a page with a role has somebody."""
        if self.session is None:
            raise RequestInvalid("nobody is signed in", "sign in")
        return self.session

    @property
    def caller(self) -> Caller:
        """Who is signed in, as a caller of the service's routes."""
        who = self.person
        return Caller(who.name, scopes_of_roles(who.roles), who.tenant)

    @property
    def choices(self) -> dict[str, str]:
        """What was chosen to be looked at."""
        return chosen(self.query)

    @property
    def address(self) -> str:
        """Path of the page, with what was chosen."""
        return with_choices(self.path, self.choices)

    @property
    def subject(self) -> str:
        """The patient in the path.

        Raises
        ------
        RequestInvalid
            It cannot be a patient's.
        """
        try:
            return msgspec.convert(self.parameters["subject"], SubjectId)
        except msgspec.ValidationError:
            raise RequestInvalid(
                "the patient's identifier is not valid", "open the patient from the caseload"
            ) from None

    def record(self) -> tuple[int, list[Observation]]:
        """Return day of enrolment and observations of the patient in the path.

        Raises
        ------
        ConsentWithdrawn, NotOnRecord
            The patient has withdrawn consent, or the ward has nothing on record of them.
        """
        tenant, subject = self.caller.tenant, self.subject
        self.runtime.consents.require(tenant, subject)
        return self.runtime.store.record(tenant, subject)

    def call(
        self, body: Any = None, *, query: Mapping[str, str] | None = None,
        records: Records | None = None,
    ) -> Call:  # fmt: skip
        """Return this visit as a call of one of the service's routes."""
        return Call(
            self.runtime, self.caller, body, self.parameters, query or {}, self.path, records or {}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page, or what a form does.

    Parameters
    ----------
    method, path
        `{name}` in the path takes one segment.
    roles
        Who may open it: anybody with one of them; empty for everybody.
    answer
        Answers a visit.
    fields
        Of its form, where it takes one.
    forecasts
        Whether it computes a forecast.
    takes_file
        Whether its form may have a file.
    once
        Whether its form counts once: one that puts nothing on record may be sent again after going
        back.
    """

    method: Literal["GET", "POST"]
    path: str
    answer: Callable[[Visit], Answer]
    roles: frozenset[Role] = frozenset()
    fields: Callable[[Visit], Sequence[Field]] | Sequence[Field] = ()
    forecasts: bool = False
    takes_file: bool = False
    once: bool = True

    def fields_for(self, visit: Visit) -> Sequence[Field]:
        """Return the fields of its form on a visit."""
        return self.fields(visit) if callable(self.fields) else self.fields


def go(location: str, *cookies: str) -> Answer:
    """Send the browser to another page; what no header can hold of its address is encoded."""
    return Answer(status=303, location=quote(location, safe=ADDRESS), cookies=cookies)


def chosen(query: Mapping[str, str]) -> dict[str, str]:
    """Return what the query of an address says of what is looked at."""
    return {name: query[name] for name in CHOICES if query.get(name)}


def with_choices(path: str, choices: Mapping[str, str], **changed: str | int) -> str:
    """Return the address of a page with what was chosen, and what is chosen by following it."""
    query = urlencode({**choices, **changed}, quote_via=quote, safe="")
    return f"{path}?{query}" if query else path


def go_back(visit: Visit, done: str, *, code: str = "", page: str = "") -> Answer:
    """Go back to a patient's page with the instrument that a form was about, or that was open.

    What is not in service is not opened: it may have been withdrawn while somebody typed, or the
    address may hold anything.

    Parameters
    ----------
    done
        What the page says of it.
    code
        Of the instrument that the form was about, if it was about one.
    page
        Below the patient's own, such as `/whatif`.
    """
    tasks = [each.served.bundle.task for each in visit.runtime.champions.current]
    choices = visit.choices
    was_open = choices.pop("task", "")
    found = [task.name for task in tasks if task.target.code == code]
    found += [task.name for task in tasks if task.name == was_open]
    if found:
        choices["task"] = found[0]
    return go(with_choices(f"{HOME}/patients/{visit.subject}{page}", choices, done=done))
