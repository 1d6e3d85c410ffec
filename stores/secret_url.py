"""Addresses of databases and servers that may hold a password: shown by their scheme only.

`str`, `repr`, `format`, JSON, a log record and a validation error of a `SecretUrl` all show the
scheme and nothing else; who opens a connection asks for the text with `revealed`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError


class SecretUrl:
    """A URL that shows its scheme, never its user, password, host, path or query."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """Return the whole URL, to open a connection with."""
        return self._text

    @property
    def scheme(self) -> str:
        """What the URL begins with, such as `postgresql`."""
        return self._text.partition(":")[0]

    def without_credentials(self) -> str:
        """Return scheme, host, port and path: for the terminal of whoever set it, never an answer.

        A query is left out too: PostgreSQL's may hold a password, an HTTP one a token.
        """
        scheme, separator, rest = self._text.partition("://")
        # After the last @, as a password may hold any of the characters that end a host or path.
        place = rest.rpartition("@")[2].partition("?")[0].partition("#")[0]
        return f"{scheme}{separator}{place}"

    def secrets(self) -> frozenset[str]:
        """Return what no output may hold: the URL, its password, query, host, and path of a file.

        Each as written and as read. A user's name alone is none, nor is a database's on a server.
        """
        parts = [self._text]
        with suppress(ArgumentError, ValueError):
            parts.append(str(make_url(self._text).password or ""))
        try:
            split = urlsplit(self._text)
        except ValueError:
            return frozenset(parts)
        parts.append(split.password or "")
        parts += [pair.partition("=")[2] for pair in split.query.split("&")]
        parts += [] if split.hostname in {"localhost", "127.0.0.1"} else [split.hostname or ""]
        if "/" in split.path[1:]:
            parts.append(split.path[1:])
        return frozenset(part for each in parts if each for part in (each, unquote(each)))

    def __str__(self) -> str:
        return f"{self.scheme}:***"

    def __repr__(self) -> str:
        return f"SecretUrl('{self}')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretUrl) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> SecretUrl:
        return self

    def __deepcopy__(self, _: object) -> SecretUrl:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("an address that may hold a password is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from_text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), from_text]
            ),
            serialization=core_schema.to_string_ser_schema(),
        )


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite database, whatever characters the path of its file has."""
    # Only what would be read otherwise is quoted: MLflow takes the address for a path as it is.
    return "sqlite:///" + str(file).replace("%", "%25").replace("?", "%3F")


def revealed(url: str | SecretUrl) -> str:
    """Return a URL's whole text, for the one who opens it."""
    return url.get_secret_value() if isinstance(url, SecretUrl) else url
