"""`rehabcast people`: who signs what in the ledger, each with a key of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from contracts.errors import ContractError, EvidenceMissing
from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings
from stores.private_files import write_private

if TYPE_CHECKING:
    from audits.ledger.people import People, Person

app = typer.Typer(
    no_args_is_help=True, help="Who approves and promotes, each with a key of their own."
)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the person, as the ledger records it.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedPerson:
    """A person's public key among those of the ledger's people.

    `private_key` is where the new private key was written; None where the person brought theirs.
    """

    name: str
    public_key: Path
    private_key: Path | None
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A public key, and the last entry that it may have signed; None while it is in use."""

    fingerprint: str
    last_entry: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPerson:
    """A person, with their keys."""

    name: str
    keys: tuple[ListedKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPeople:
    """Everyone whose signature counts."""

    people: tuple[ListedPerson, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiredPerson:
    """A person whose keys sign nothing after an entry of the ledger."""

    name: str
    last_entry: int


@app.command()
def add(
    name: NameArgument,
    key: Annotated[
        Path | None,
        typer.Option(
            help="Make a key pair, and write the private key to this file, for NAME only."
        ),
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="Or: the public key (PEM) that the person gave you.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a person: with a key pair made here (--key), or with a public key of theirs."""
    from audits.ledger.people import fingerprint, person_name, read_people

    if (key is None) == (public_key is None):
        raise ContractError(
            "a person needs one key", "give either --key FILE (made here) or --public-key FILE"
        )
    folder, spelled = _folder(), person_name(name)
    if "/" in spelled:
        raise ContractError(f"{spelled!r} cannot be the name of a file", "leave the / out")
    public = folder / f"{spelled}.pem"
    if public.exists():
        raise ContractError(
            f"{spelled} is among the people already",
            "a new key goes into the same file, after the old one was retired (`rehabcast people"
            " retire NAME`)",
        )
    _write_keys(public, key, public_key)
    try:
        people = read_people(folder)
    except (ContractError, EvidenceMissing):
        # Not among the people unless all of them can still be told apart.
        public.unlink()
        if key is not None:
            key.unlink()
        raise
    person = next(person for person in people.persons if person.name == spelled)
    result = AddedPerson(
        name=spelled,
        public_key=public,
        private_key=key,
        fingerprint=fingerprint(person.keys[0].key),
    )
    hint = "" if key is None else f" Give {key} to them alone, then remove it here."
    emit(result, escape(f"{spelled} can sign now.{hint}"), as_json=as_json)


@app.command("list")
def list_people(as_json: AsJson = False) -> None:
    """List the people whose signatures count, with their keys."""
    from audits.ledger.people import fingerprint, read_people

    people = read_people(_folder())
    listed = ListedPeople(
        people=tuple(
            ListedPerson(
                name=person.name,
                keys=tuple(
                    ListedKey(fingerprint=fingerprint(public.key), last_entry=public.last_entry)
                    for public in person.keys
                ),
            )
            for person in people.persons
        )
    )
    table = Table("name", "key", "in use")
    for person in listed.people:
        for key in person.keys:
            until = "yes" if key.last_entry is None else f"until entry {key.last_entry}"
            table.add_row(escape(person.name), key.fingerprint[:12], until)
    emit(listed, table, as_json=as_json)


@app.command()
def retire(name: NameArgument, as_json: AsJson = False) -> None:
    """End a person's keys at the ledger's last entry; what they signed before stays valid."""
    from audits.ledger.people import LAST_ENTRY, PUBLIC_KEY, read_people
    from rehabcast.identity import read_trail

    folder = _folder()
    person = _known(read_people(folder), name)
    last = len(read_trail(Settings()))
    path = next(p for p in folder.glob("*.pem") if _known(read_people(folder), p.stem) == person)
    blocks = [
        f"{LAST_ENTRY}: {ended or last}\n{pem}\n"
        for ended, pem in PUBLIC_KEY.findall(path.read_text("ascii"))
    ]
    write_private(path, "".join(blocks))
    result = RetiredPerson(name=person.name, last_entry=last)
    message = f"{person.name} signs nothing after entry {last}."
    emit(result, escape(message), as_json=as_json)


def _folder() -> Path:
    folder = Settings().people
    if folder is None:
        raise EvidenceMissing(
            "it is not known where people's public keys are",
            "set REHABCAST_PEOPLE to their folder, which only those who decide about it can write",
        )
    return folder


def _write_keys(public: Path, key: Path | None, public_key: Path | None) -> None:
    from audits.ledger.signing import make_key

    public.parent.mkdir(parents=True, exist_ok=True)
    if key is not None:
        make_key(key, public)
    elif public_key is not None:
        try:
            write_private(public, public_key.read_bytes())
        except OSError as error:
            raise EvidenceMissing(
                f"{public_key} cannot be read ({error.strerror})", "check the path of the key"
            ) from error


def _known(people: People, name: str) -> Person:
    person = people.find(name)
    if person is None:
        raise EvidenceMissing(f"{name} is not among the people", "see `rehabcast people list`")
    return person
