"""Forms: a token that binds each to the session that it was made for, and that is good once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from urllib.parse import urlsplit

from serving.http.decoding import RequestInvalid
from serving.http.refusals import RequestRefused
from serving.pages.page import Field
from serving.state.people.sessions import LONGEST
from serving.state.store import Store

TOKEN = "token"  # noqa: S105  (the name of a field)
LARGEST, MOST_FIELDS = 256 * 1024, 100
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
    digest = hashlib.sha256(f"form {token}".encode()).hexdigest()
    return store.use_once(digest, int((now + LONGEST).timestamp()), now)


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


def as_sent(form: Mapping[str, str]) -> list[Field]:
    """Return fields for what somebody sent who is not signed in: nothing of the record is read."""
    return [Field(name=name, label=name, optional=True) for name in form if name != TOKEN]


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
        value = values[each.name]
        if not value and not each.optional:
            raise RequestInvalid(f"“{each.label or each.name}” is empty", "fill it in")
        if len(value) > each.longest:
            raise RequestInvalid(
                f"“{each.label or each.name}” has {len(value):,} characters, and {each.longest:,}"
                " are taken",
                "shorten it: what you typed is still here",
            )
        if "\x00" in value:
            raise RequestInvalid(f"“{each.label}” has a character that is no text", "delete it")
        if each.choices and value and value not in dict(each.choices):
            raise RequestInvalid(f"“{each.label}” is none of the choices", "choose one")


def to_number(text: str, what: str) -> float:
    """Return a number that somebody typed; refuse what is none."""
    try:
        value = float(text.replace(",", ".", 1))
    except ValueError:
        raise RequestInvalid(f"{what} is not a number", "write digits") from None
    if value != value or abs(value) > 1e9:
        raise RequestInvalid(f"{what} is not a number", "write digits")
    return value


def to_whole(text: str, what: str) -> int:
    """Return a whole number from 0 on that somebody typed; refuse what is none."""
    value = to_number(text, what)
    if value != int(value) or not 0 <= value <= 40_000:
        raise RequestInvalid(f"{what} is not a whole number from 0 on", "count the days again")
    return int(value)


def to_date(text: str, what: str) -> date:
    """Return a date that somebody typed; refuse what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RequestInvalid(f"{what} is not a date", "write it as 2026-01-31") from None


def _signature(nonce: str, held: str, path: str) -> str:
    return hmac.new(held.encode(), f"{nonce} {path}".encode(), hashlib.sha256).hexdigest()
