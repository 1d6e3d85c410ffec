"""Forms: a token that binds each to the session that it was made for, and that is good once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from urllib.parse import urlsplit

import sqlalchemy as sa

from contracts.naming.units import readable
from contracts.naming.worded import Worded
from contracts.vocabulary import vocabulary
from contracts.vocabulary.changes import Amount
from serving.http.decoding import RequestInvalid, form_fields
from serving.http.refusals import RequestRefused
from serving.pages.forms import uploads
from serving.pages.page import Field, Page
from serving.state.people.sessions import LONGEST
from serving.state.store import Store
from serving.state.tables import used_token_table
from stores.database import write

TOKEN = "token"  # noqa: S105  (the name of a field)
PLAIN = "application/x-www-form-urlencoded"
LARGEST, MOST_FIELDS = 256 * 1024, 200
"""Of a form: ten thousand letters of Urdu are 60 kB as browsers send them."""

FOREIGN = RequestRefused(
    403, "the form was sent from another site", "open the page here and send it again"
)


def token_for(held: str, path: str) -> str:
    """Return the token of a new form: of this session, for this path, different each time."""
    nonce = secrets.token_hex(16)
    return f"{nonce}.{_signature(nonce, held, path)}"


def is_of(token: str, held: str, path: str) -> bool:
    """Say whether a token is of a form that was made for this session and this path."""
    nonce, _, signature = token.partition(".")
    return bool(held) and hmac.compare_digest(
        signature.encode(), _signature(nonce, held, path).encode()
    )


def use(store: Store, token: str, now: datetime) -> bool:
    """Mark a form as sent; False where it was sent before, as by a double click."""
    return store.use_once(_digest(token), int((now + LONGEST).timestamp()), now)


def release(page: Page, store: Store, token: str) -> None:
    """Mark a form that counts once as not sent: it was refused, and nothing of it is on record."""
    if not (page.roles and page.once):
        return
    query = sa.delete(used_token_table).where(used_token_table.c.token == _digest(token))
    write(store.engine, lambda connection: connection.execute(query))


def _digest(token: str) -> str:
    return hashlib.sha256(f"form {token}".encode()).hexdigest()


def require_own_site(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse a form that another site's page sent, as the browser says.

    Raises
    ------
    RequestRefused
        It did.
    """
    said = {name.lower(): value.decode("latin-1") for name, value in headers}
    if said.get(b"sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise FOREIGN
    origin = said.get(b"origin")
    if origin is not None and urlsplit(origin).netloc != said.get(b"host"):
        raise FOREIGN


def largest(page: Page) -> int:
    """Return how many bytes the form of a page may have."""
    if page.method == "GET":
        return 0
    return LARGEST + (uploads.LARGEST_FORM if page.takes_file else 0)


def sent(page: Page, content_types: Sequence[str], body: bytes) -> dict[str, str]:
    """Read the form that was sent to a page; a file becomes fields (`serving.pages.forms.uploads`).

    Raises
    ------
    RequestRefused, RequestInvalid
        It is no form that the page takes.
    """
    kinds = [each.partition(";")[0].strip().lower() for each in content_types]
    if kinds == [PLAIN]:
        return form_fields(body, MOST_FIELDS)
    if page.takes_file and kinds == [uploads.MULTIPART]:
        return uploads.multipart_fields(content_types[0], body, MOST_FIELDS)
    raise RequestRefused(415, "this is not a form of a page", "open the page and send it")


def as_sent(form: Mapping[str, str]) -> list[Field]:
    """Return fields for what somebody sent who is not signed in: nothing of the record is read."""
    hidden = {uploads.FILE, uploads.NAME}
    return [
        Field(name=name, label=name, optional=True, kind="hidden" if name in hidden else "text")
        for name in form if name != TOKEN
    ]  # fmt: skip


def typed(form: Mapping[str, str], fields: Sequence[Field]) -> dict[str, str]:
    """Return what somebody typed into the fields of a form, as it is: nothing is judged yet."""
    return {each.name: form.get(each.name, "").strip() for each in fields}


def check(values: Mapping[str, str], fields: Sequence[Field]) -> None:
    """Check that what must be there is, that it is not too long, and is one of the choices.

    Raises
    ------
    RequestInvalid
        Says which field is not.
    """
    for each in fields:
        value, what = values[each.name], Worded(each.label or each.name)
        if not value and not each.optional:
            raise RequestInvalid(Worded("“%(what)s” is empty", what=what), "fill it in")
        if len(value) > each.longest:
            raise RequestInvalid(
                Worded(
                    "“%(what)s” has %(count)s characters, and %(most)s are taken",
                    what=what,
                    count=f"{len(value):,}",
                    most=f"{each.longest:,}",
                ),
                "shorten it: what you typed is still here",
            )
        if "\x00" in value:
            raise RequestInvalid(
                Worded("“%(what)s” has a character that is no text", what=what), "delete it"
            )
        if each.choices and value and value not in dict(each.choices):
            raise RequestInvalid(
                Worded("“%(what)s” is none of the choices", what=what), "choose one"
            )


def to_number(text: str, what: str) -> float:
    """Return a number that somebody typed; refuse what is none."""
    try:
        value = float(text.replace(",", ".", 1))
    except ValueError:
        raise _no_number(what) from None
    if value != value or abs(value) > 1e9:
        raise _no_number(what)
    return value


def to_score(text: str, code: str, what: str) -> float:
    """Return a score that somebody typed; refuse one that its instrument does not have.

    The service's routes say that by the code, which no clinician knows.
    """
    value, entry = to_number(text, what), vocabulary()[code]
    low, high = entry.low, entry.high
    if low is not None and high is not None and not low <= value <= high:
        raise RequestInvalid(
            Worded(
                "%(name)s has no score of %(value)s",
                name=entry.name,
                value=Amount(code, readable(value)),
            ),
            Worded(
                "write %(low)s to %(high)s",
                low=readable(low),
                high=Amount(code, readable(high)),
            ),
        )
    return value


def to_whole(text: str, what: str) -> int:
    """Return a whole number from 0 on that somebody typed; refuse what is none."""
    value = to_number(text, what)
    if value != int(value) or not 0 <= value <= 40_000:
        raise RequestInvalid(
            Worded("%(what)s is not a whole number from 0 on", what=_called(what)),
            "count the days again",
        )
    return int(value)


def to_date(text: str, what: str) -> date:
    """Return a date that somebody typed; refuse what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestInvalid(
            Worded("%(what)s is not a date", what=_called(what)), "write it as 2026-01-31"
        ) from None


def _no_number(what: str) -> RequestInvalid:
    return RequestInvalid(Worded("%(what)s is not a number", what=_called(what)), "write digits")


def _called(what: str) -> Worded:
    """Return what a value is called, to be said in the reader's language."""
    return what if isinstance(what, Worded) else Worded(what)


def _signature(nonce: str, held: str, path: str) -> str:
    return hmac.new(held.encode(), f"{nonce} {path}".encode(), hashlib.sha256).hexdigest()
