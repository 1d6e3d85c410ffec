"""What a setting's value must be; a message never repeats it, as it may be a secret or a path."""

from __future__ import annotations

import difflib
import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from contracts.errors import ContractError
from contracts.naming.model_version import split_version
from contracts.naming.names import comparable
from serving.access.addresses import Network
from serving.access.development import SHORTEST_TOKEN
from serving.access.keys import is_allowed_address
from stores.secret_url import SecretUrl

MOST_HOURS = 672
"""Four weeks."""

MOST_WORKERS = 64
"""Each holds a copy of the model and of its connections; more than any one machine serves with."""

LEAST_PREFIX = 8
"""Bits of a network of proxies: 10.0.0.0/8 is the largest of those for private use."""

LONGEST_NAME, LONGEST_TEXT, LONGEST_TOKEN = 200, 2_000, 16_384
"""Characters; a column of the ledger holds 250."""

BEARER = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""What an Authorization header can carry (RFC 6750, 2.1)."""

HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")

DATABASES = frozenset({"sqlite", "postgresql", "postgres", "postgresql+psycopg"})
SERVERS = frozenset({"http", "https"})


def blank(value: str) -> str | None:
    """Return what is wrong with a value of any setting; None where nothing is."""
    if not value.strip():
        return "is blank"
    if value != value.strip():
        return "has blanks before or after its value"
    if not value.isprintable():
        return "has characters that cannot be printed"
    return None


def meant(name: str, known: set[str]) -> str | None:
    """Return the known name that is most like another one."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)), None)


def database(value: Any) -> SecretUrl:
    """Check a database's URL: SQLite in a file, or PostgreSQL.

    Raises
    ------
    ValueError
        It is another; as all functions here.
    """
    text = value.get_secret_value() if isinstance(value, SecretUrl) else _of_text(value)
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError("is not a database's URL") from None
    if url.drivername not in DATABASES:
        raise ValueError("is not the URL of an SQLite or PostgreSQL database")
    if not url.database:
        raise ValueError("names no database")
    if url.get_backend_name() == "sqlite":
        _require_file(url)
    return SecretUrl(text)


def _require_file(url: sa.URL) -> None:
    if url.database == ":memory:" or str(url.database).startswith("file:") or url.query:
        raise ValueError("does not name a file: a database in memory is lost")
    if url.host or url.username or url.password or Path(str(url.database)).is_dir():
        raise ValueError("is not sqlite:/// with the path of a file")


def registry(value: Any) -> SecretUrl:
    """Check the URL of MLflow's store: a database, or a server by http or https."""
    text = value.get_secret_value() if isinstance(value, SecretUrl) else _of_text(value)
    if text.partition("://")[0] not in SERVERS:
        return database(value)
    try:
        url = urlsplit(text)
        named = bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        named = False
    if not named or " " in text:
        raise ValueError("is not a server's URL")
    return SecretUrl(text)


def webhook(value: Any) -> SecretStr:
    """Check an address that is told of alerts: https, or http on this machine, without a password.

    It is a secret: whoever knows some receivers' addresses may write to them.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else _of_text(value)
    if not text.startswith(("https://", "http://")) or not is_allowed_address(text) or " " in text:
        raise ValueError("is neither an https address nor http on this machine, or has a password")
    return SecretStr(text)


def existing_file(value: Any) -> Path:
    """Check that a file is there."""
    path = _path(value)
    if not path.is_file():
        raise ValueError("names a file that does not exist")
    return path


def existing_folder(value: Any) -> Path:
    """Check that a folder is there."""
    path = _path(value)
    if not path.is_dir():
        raise ValueError("names a folder that does not exist")
    return path


def folder_or_none(value: Any) -> Path:
    """Check that a path is a folder's, or that nothing is there yet."""
    path = _path(value)
    if path.exists() and not path.is_dir():
        raise ValueError("names a file, not a folder")
    return path


def home(value: Any) -> Path:
    """Check the folder that everything is kept in, databases too."""
    path = folder_or_none(value)
    # SQLite would read it as an address of its own, and MLflow would make another folder beside it.
    if str(path).startswith("file:") or {"%", "?"} & set(str(path)):
        raise ValueError(
            "has a % or ? in its path or begins with file:, so databases cannot be kept"
            " in it; rename the folder"
        )
    return path


def _path(value: Any) -> Path:
    path = Path(value)
    try:
        path.exists()
    except (OSError, ValueError):
        raise ValueError("is no path that this machine can have") from None
    return path


def host(value: Any) -> str:
    """Check an IP address or the name of a host."""
    text = _of_text(value)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        # Four numbers that are no address are no name either.
        is_name = HOST_NAME.fullmatch(text) and not text.replace(".", "").isdigit()
        if not is_name or len(text) > 253:
            raise ValueError("is not a host's name or IP address") from None
    return text


def networks(value: Any) -> tuple[Network, ...]:
    """Check addresses or networks with commas between."""
    if isinstance(value, tuple):
        return value
    try:
        found = [ipaddress.ip_network(one.strip()) for one in _of_text(value).split(",")]
    except ValueError:
        raise ValueError("is not a list of IP addresses or networks, such as 10.0.0.7") from None
    if any(network.prefixlen < LEAST_PREFIX for network in found):
        raise ValueError("has a network that is too large to be all proxies")
    return tuple(found)


def public_address(value: Any) -> str:
    """Check the address of a service: http or https, and no slash at its end."""
    text = _of_text(value, LONGEST_NAME)
    if not _is_web_address(text) or text.endswith("/"):
        raise ValueError("is not an http or https address without a slash at its end")
    return text


def origins(value: Any) -> tuple[str, ...]:
    """Check origins with commas between, as a browser names them (RFC 6454)."""
    if isinstance(value, tuple):
        return value
    found = tuple(one.strip() for one in _of_text(value).split(","))
    for origin in found:
        if not _is_web_address(origin) or urlsplit(origin).path or origin != origin.lower():
            raise ValueError("is not a list of origins, such as https://ehr.example: no path, no *")
    return found


def _is_web_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        named = bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return False
    plain = not (url.query or url.fragment or url.username or " " in text or "*" in text)
    return url.scheme in SERVERS and named and plain


def port(value: Any) -> int:
    """Check a TCP port."""
    return _whole_number(value, 65_535)


def workers(value: Any) -> int:
    """Check a number of processes."""
    return _whole_number(value, MOST_WORKERS)


def hours(value: Any) -> int:
    """Check how often something is done, in hours: at least once in four weeks."""
    return _whole_number(value, MOST_HOURS)


def name(value: Any) -> str:
    """Check a name, as the ledger keeps it."""
    return _of_text(value, LONGEST_NAME)


def models(value: Any) -> tuple[str, ...]:
    """Check names of models with commas between, each once."""
    if isinstance(value, tuple):
        return value
    found = tuple(name(one.strip()) for one in _of_text(value).split(","))
    if len({comparable(one) for one in found}) < len(found):
        raise ValueError("names a model twice")
    return found


def text(value: Any) -> str:
    """Check a text of a report."""
    return _of_text(value, LONGEST_TEXT)


def token(value: Any) -> str:
    """Check what can be sent as a bearer token."""
    given = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    if not BEARER.fullmatch(_of_text(given, LONGEST_TOKEN)):
        raise ValueError("has characters that a bearer token cannot have")
    return str(given)


def long_token(value: Any) -> str:
    """Check a bearer token that is long enough not to be guessed."""
    given = token(value)
    if len(given) < SHORTEST_TOKEN:
        raise ValueError(f"is shorter than {SHORTEST_TOKEN} characters, so it could be guessed")
    return given


def _of_text(value: Any, most: int = LONGEST_TEXT) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text")
    if fault := blank(value):
        raise ValueError(fault)
    if len(value) > most:
        raise ValueError(f"is longer than {most} characters")
    return value


def _whole_number(value: Any, most: int) -> int:
    written = str(value)
    if not re.fullmatch(r"[1-9][0-9]{0,6}", written, re.ASCII) or int(written) > most:
        raise ValueError(f"is not a whole number from 1 to {most}")
    return int(written)


def version(value: Any) -> str:
    """Check a model version, `NAME/N`."""
    try:
        name_of, number = split_version(_of_text(value))
    except ContractError:
        raise ValueError("is no model version, such as arm/2") from None
    return f"{name_of}/{number}"
