"""The access file and the files of keys beside it, for the commands of `rehabcast access`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from contracts.errors import ContractError
from contracts.naming.parsing import parsed_json
from rehabcast.settings import Settings
from serving.access.access_file import AccessFile, CdsClientEntry, IssuerEntry, check_keys
from serving.access.keys import usable_keys
from stores.private_files import write_private

AccessPath = Annotated[
    Path | None,
    typer.Option("--access", help="The access file; by default that of REHABCAST_ACCESS."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedAccess:
    """An access file that was written, and the files of keys that were made with it."""

    access: str
    made: tuple[str, ...]


def copy_public_keys(
    given: Path, public: Path, access: Path, changed: AccessFile
) -> tuple[str, ...]:
    """Copy public keys beside the access file, and return the copy's path.

    Raises
    ------
    ContractError
        They cannot be used, another entry has one of them, or another file is there already.
    """
    try:
        content = given.read_text("utf-8")
        usable = usable_keys(parsed_json(content))
    except OSError as error:
        raise ContractError(
            f"{given} cannot be read ({error.strerror})", "give a JWKS file"
        ) from None
    except ValueError:
        raise ContractError(f"{given} is no JSON, as a JWKS is", "give a JWKS file") from None
    if not usable:
        raise ContractError(
            f"{given} has no public key that can be used",
            "it needs a kid, and RSA of 2048 bits or more, or the curve P-256 or P-384",
        )
    if public.exists() and public.resolve() != given.resolve():
        raise ContractError(f"{public} exists already", "move it away")
    check_keys(access, changed, {public.name: content})
    write_private(public, content)
    return (str(public),)


def free_file(access: Path, stem: str, entries: Sequence[IssuerEntry | CdsClientEntry]) -> Path:
    """Return where the next entry's keys can be copied to: its name is of no file and no entry."""
    taken = {entry.jwks for entry in entries}
    names = (access.parent / f"{stem}-{number}.json" for number in count(1))
    return next(path for path in names if path.name not in taken and not path.exists())


def source_of(jwks: str | None, public: Path) -> str:
    """Return where an entry's keys are, as the access file says it: an address or a file."""
    return jwks if jwks is not None and "://" in jwks else public.name


def access_path(access: Path | None) -> Path:
    """Return the access file that is meant.

    Raises
    ------
    ContractError
        None is named.
    """
    path = Settings().access if access is None else access
    if path is None:
        raise ContractError(
            "no access file is named", "set REHABCAST_ACCESS, or give one by --access"
        )
    return path
