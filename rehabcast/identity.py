"""Who acts in this installation, and how its ledger knows: the one way to open the ledger."""

from __future__ import annotations

from contextlib import closing
from functools import cache
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from audits.ledger.identity import TRIAL, Identities
from audits.ledger.ledger import Ledger
from audits.ledger.people import People, read_people, read_person_key, same_person
from audits.ledger.trail import Entry
from contracts.errors import ContractError, EvidenceMissing
from rehabcast.output import stderr_console
from rehabcast.settings import Settings

ONE_PERSON_TRIAL = (
    "Names are not verified: this is a one-person trial, and the ledger says so. For a ledger that"
    " several people share, give each a key (`rehabcast people add`, docs/governance.md)."
)


def is_shared(settings: Settings) -> bool:
    """Return whether others may write to the ledger: it is no SQLite file of this home's own."""
    if "ledger_url" not in settings.model_fields_set:
        return False
    try:
        url = make_url(settings.ledger_url.get_secret_value())
    except ArgumentError:
        return True
    if url.get_backend_name() != "sqlite" or not url.database:
        return True
    return not Path(url.database).resolve().is_relative_to(settings.home.resolve())


def people_of(settings: Settings) -> People | None:
    """Return everyone's public keys; None in a one-person trial.

    Raises
    ------
    EvidenceMissing
        The ledger is shared, and there are no keys.
    ContractError
        As `audits.ledger.people.read_people`.
    """
    if settings.people is not None:
        return read_people(settings.people)
    if is_shared(settings):
        raise EvidenceMissing(
            "the ledger is shared, so a name alone does not show who acts",
            "set REHABCAST_PEOPLE to a folder with the public key of each person (`rehabcast"
            " people add NAME`, docs/governance.md)",
        )
    return None


def identities_of(settings: Settings) -> Identities:
    """Return how the ledger knows who acts.

    Raises
    ------
    EvidenceMissing, ContractError
        As `people_of`; or the person's key is nobody's, or there are no people that it could be of.
    """
    people = people_of(settings)
    if settings.person_key is None:
        return TRIAL if people is None else Identities(people=people)
    if people is None:
        raise EvidenceMissing(
            "a key to sign with is given, but no public keys of people",
            "set REHABCAST_PEOPLE to the folder of people's public keys",
        )
    return Identities(people=people, own_key=read_person_key(settings.person_key, people))


def open_ledger(settings: Settings, copy: str | None = None, *, make: bool = False) -> Ledger:
    """Open the ledger.

    Parameters
    ----------
    copy
        URL of a copy of it, as a backup tries one.
    make
        Whether it is made where there is none, as only an audit does.

    Raises
    ------
    EvidenceMissing
        There is none, and none is made.
    ServiceUnavailable
        As `audits.ledger.ledger.Ledger`.
    EvidenceMissing, ContractError
        As `identities_of`.
    """
    url = settings.ledger_url if copy is None else copy
    return Ledger(url, identities_of(settings), make=make)


def read_trail(settings: Settings) -> list[Entry]:
    """Return the ledger's trail, its chain verified but nobody's signature: that needs no keys.

    Raises
    ------
    EvidenceMissing, IntegrityError
        There is no ledger, or its chain is broken.
    """
    with closing(Ledger(settings.ledger_url, make=False)) as ledger:
        return ledger.trail()


def actor_of(settings: Settings, ledger: Ledger) -> str:
    """Return the name of who acts: the owner of the key where there is one.

    Raises
    ------
    ContractError
        REHABCAST_ACTOR names another person than the owner of the key.
    """
    key = ledger.identities.own_key
    if key is None:
        return settings.actor
    if "actor" in settings.model_fields_set and not same_person(settings.actor, key.name):
        raise ContractError(
            f"REHABCAST_ACTOR is {settings.actor}, but the key is that of {key.name}",
            "leave REHABCAST_ACTOR out, or sign with your own key",
        )
    return key.name


def say_if_trial(ledger: Ledger) -> None:
    """Say on the terminal that nobody verifies names, where that is so: once a command."""
    if ledger.identities.people is None:
        _say_trial()


@cache  # A process is one command, and `demo` approves twice and promotes.
def _say_trial() -> None:
    stderr_console.print(ONE_PERSON_TRIAL)
