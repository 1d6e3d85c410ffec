"""The codes of its own that a bundle seals, read from the bytes that were verified."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contracts.errors import CohortInvalid, IntegrityError, as_lines
from contracts.vocabulary.additions import VOCABULARY_FILE, parse_additions
from contracts.vocabulary.known import NOTHING, Additions, learn

MOST_LISTED = 5
"""Codes that a refusal names; more would hide the first ones."""


def sealed_codes(folder: Path, contents: Mapping[str, bytes]) -> Additions:
    """Return what those codes of a bundle mean that rehabcast does not ship.

    Raises
    ------
    IntegrityError
        Its file is not what a training writes.
    """
    written = contents.get(VOCABULARY_FILE)
    if written is None:
        return NOTHING
    try:
        return parse_additions(written, f"the bundle's {VOCABULARY_FILE}")
    except CohortInvalid as error:
        raise IntegrityError(
            f"{folder}: {_listed(error)}", "restore the bundle from a backup, or train again"
        ) from error


def learn_sealed(folder: Path, codes: Additions) -> None:
    """Let this process know the codes of a bundle.

    Raises
    ------
    IntegrityError
        It knows one of them with another meaning.
    """
    try:
        learn(codes)
    except CohortInvalid as error:
        raise IntegrityError(
            f"{folder}: its codes mean something else here: {_listed(error)}",
            "a code has one meaning: correct the site's vocabulary, or give the new meaning a code"
            " of its own and train again; what a model that was served before taught a service is"
            " forgotten when it starts again",
        ) from error


def _listed(error: CohortInvalid) -> str:
    return "; ".join(as_lines(error.problems, MOST_LISTED, "see its file"))
