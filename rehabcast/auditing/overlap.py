"""The key that seals whom a model has seen, and who of a cohort it has seen."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from contracts.cohort import SUBJECT, Cohort
from contracts.errors import ContractError
from contracts.predictions import Overlap, Relation
from features.same_people import people_of, relations_of
from inference.bundle import Bundle
from inference.people import KEY_BYTES, token_key, unseal
from rehabcast.settings import Settings
from stores.private_files import require_private, write_private

KEY_FILE = "people.key"

MOST_LINES = 20
"""Lines of a list of people that an error names."""


def people_key_file(settings: Settings) -> Path:
    """Return where this home's key is, or would be."""
    return settings.home / "keys" / KEY_FILE


def people_key(settings: Settings, *, make: bool = False) -> bytes | None:
    """Return this home's key; None where it has none and none is made.

    Raises
    ------
    ContractError
        Others can read it, or it is no key.
    """
    file = people_key_file(settings)
    if not file.exists():
        if not make:
            return None
        write_private(file, secrets.token_hex(KEY_BYTES))
    require_private(file)
    try:
        key = bytes.fromhex(file.read_text("utf-8").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ContractError(
            f"{KEY_FILE} is not a key of {2 * KEY_BYTES} hexadecimal digits",
            "restore it from a backup: without it nobody can tell whom earlier models were"
            " trained on",
        )
    return key


def overlap_of(
    settings: Settings, bundle: Bundle, cohort: Cohort, subjects: Iterable[int]
) -> tuple[dict[int, Relation], Overlap]:
    """Return what people of a cohort are to a model, and how many of each there are."""
    wanted = dict.fromkeys(map(int, subjects), Relation.NOT_KNOWN)
    key = people_key(settings)
    seen = None if key is None or bundle.people is None else unseal(bundle.people, key)
    if key is None or seen is None:
        return wanted, Overlap(known=False, people=len(wanted), not_known=len(wanted))
    return relations_of(seen, people_of(cohort, wanted, token_key(key), sample=False))


BETWEEN = ',;\t"|{}[]'
"""What separates cells of tables and parts of JSON, unless identifiers of the cohort have it."""

ONE_A_LINE = "write one identifier a line, as `rehabcast record withdrawn` does without --json"


def require_without(cohorts: Iterable[Cohort], file: Path) -> None:
    """Check that nobody of a list, such as those who have withdrawn consent, is in a cohort.

    Raises
    ------
    ContractError
        Somebody is: says in which lines of the list, and names nobody; or it cannot be read, or is
        a table or JSON, in which nobody would be found.
    """
    try:
        written = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(
            f"{file.name} cannot be read as a list of people ({type(error).__name__})",
            ONE_A_LINE,
        ) from None
    for cohort in cohorts:
        labels = {cohort.label(subject) for subject in cohort.events[SUBJECT].unique().tolist()}
        found = [n for n, line in enumerate(written, start=1) if line.strip() in labels]
        if found:
            lines = ", ".join(map(str, found[:MOST_LINES]))
            raise ContractError(
                f"{len(found)} people who must not be in it are in cohort"
                f" {cohort.provenance.name!r} (line {lines}"
                f"{', ...' if len(found) > MOST_LINES else ''} of {file.name})",
                "leave them out of its source, import it again, and train on that",
            )
        between = set(BETWEEN) - set().union(*labels)
        odd = next((n for n, line in enumerate(written, start=1) if between & set(line)), None)
        if odd is not None:
            raise ContractError(
                f"line {odd} of {file.name} is no identifier alone: nobody of it would be found",
                ONE_A_LINE,
            )
