"""The vocabulary of this process: what rehabcast ships, and what was added.

Codes are added by the site's vocabulary, by cohorts and by bundles, each with all that it means.
A process only learns: an entry that it knows already is nothing new, and one that gives a known
code another meaning is refused, so that whatever was read before keeps its meaning.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from contracts.errors import CohortInvalid, Problem
from contracts.naming.parsing import parsed_toml
from contracts.vocabulary.code import Code, Domain, Kind

SHIPPED = "the vocabulary of rehabcast"
"""How messages call it."""

INSTRUMENT = {"kind": "assessment", "modality": "assessments", "unit": "{score}"}
"""What an entry of `instruments.toml` is unless it says otherwise."""

Codes = Mapping[str, Code]


@dataclass(frozen=True, slots=True)
class Additions:
    """Codes that rehabcast does not ship, as a file defines them; made by `read_additions`.

    Parameters
    ----------
    file
        How messages call where they are from.
    codes
        By code.
    """

    file: str = ""
    codes: tuple[Code, ...] = ()


NOTHING = Additions()
"""No code is added."""


@cache
def shipped() -> Codes:
    """Return the codes of `shipped.toml` and then those of `instruments.toml`, by code."""
    general, instruments = map(_entries, ("shipped.toml", "instruments.toml"))
    entries = [*general, *({**INSTRUMENT, **entry} for entry in instruments)]
    return MappingProxyType({entry["code"]: _shipped(entry) for entry in entries})


def _entries(file: str) -> list[dict[str, Any]]:
    text = Path(__file__).with_name(file).read_text("utf-8")
    entries: list[dict[str, Any]] = parsed_toml(text)["code"]
    return entries


def _shipped(entry: dict[str, Any]) -> Code:
    lists = {name: tuple(entry.get(name, ())) for name in ("labels", "fhir", "confirm")}
    enums = {"kind": Kind(entry["kind"]), "domain": Domain(entry["domain"])}
    return Code(**{**entry, **lists, **enums})


@dataclass(frozen=True, slots=True)
class _Learned:
    """All that a process knows; replaced as a whole, so that no reader sees a half of it.

    Parameters
    ----------
    codes, site
        Everything by code, and what the site's vocabulary adds.
    origin
        The file that each added code is from.
    tokens
        The code of each `system|code` of FHIR.
    """

    codes: Codes
    site: Codes = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def nothing(cls) -> _Learned:
        """Return what is known before anything was added."""
        return cls(codes=shipped(), tokens=_tokens(shipped().values()))


def _tokens(codes: Iterable[Code]) -> dict[str, str]:
    return {token: entry.code for entry in codes for token in entry.tokens}


_lock = threading.Lock()
_learned = _Learned.nothing()


def vocabulary() -> Codes:
    """Return every code that this process knows: shipped, of the site, of cohorts and bundles.

    They are sorted: the shipped ones as they are shipped, then the added ones by their code, in
    whatever order they came.
    """
    return _learned.codes


def code_of_token(token: str) -> Code | None:
    """Return the entry that a `system|code` of FHIR means; None where it is not known."""
    known = _learned
    code = known.tokens.get(token)
    return None if code is None else known.codes[code]


def codes_with(own: Additions) -> Codes:
    """Return the codes that a cohort with these may hold: also shipped and the site's ones.

    What other cohorts or bundles taught this process is not among them.
    """
    return {**shipped(), **_learned.site, **{entry.code: entry for entry in own.codes}}


def added_among(codes: Iterable[str], file: str = "") -> Additions:
    """Return those of some codes that rehabcast does not ship, as this process knows them."""
    known = _learned.codes
    own = sorted(code for code in set(codes) if code in known and code not in shipped())
    return Additions(file, tuple(known[code] for code in own))


def learn(additions: Additions, *, of_site: bool = False) -> None:
    """Add codes to what this process knows.

    Parameters
    ----------
    of_site
        Whether they are of the site, and so may stand in every cohort.

    Raises
    ------
    CohortInvalid
        A code, or a code of FHIR, is known already and means something else: each with both
        meanings. Nothing was added.
    """
    global _learned
    with _lock:
        known = _learned
        if problems := [*_other_meanings(known, additions), *_other_tokens(known, additions)]:
            raise CohortInvalid(problems)
        new = {entry.code: entry for entry in additions.codes}
        site = {**known.site, **new} if of_site else known.site
        if not new.keys() - known.codes.keys():
            _learned = replace(known, site=site)
            return
        ours = {code: entry for code, entry in known.codes.items() if code not in shipped()}
        _learned = _Learned(
            codes=MappingProxyType({**shipped(), **dict(sorted({**ours, **new}.items()))}),
            site=site,
            origin={**dict.fromkeys(new, additions.file), **known.origin},
            tokens={**known.tokens, **_tokens(additions.codes)},
        )


@contextmanager
def learning(additions: Additions) -> Iterator[None]:
    """Learn codes for a block; where it fails, what it taught is forgotten, and can be corrected.

    Raises
    ------
    CohortInvalid
        As `learn`.
    """
    global _learned
    before = _learned
    learn(additions)
    after = _learned
    try:
        yield
    except BaseException:
        with _lock:
            if _learned is after:
                _learned = before
        raise


def _other_meanings(known: _Learned, additions: Additions) -> list[Problem]:
    return [
        Problem(
            file=additions.file, row=None, field=entry.code,
            found=f"its {name} is {_shown(theirs)} here, and {_shown(ours)} in"
            f" {known.origin.get(entry.code, SHIPPED)}",
            advice="a code has one meaning: correct the entry, or give it a code of its own",
        )
        for entry in additions.codes
        if entry.code in known.codes
        for name, ours, theirs in known.codes[entry.code].differences(entry)
    ]  # fmt: skip


def _other_tokens(known: _Learned, additions: Additions) -> list[Problem]:
    return [
        Problem(
            file=additions.file, row=None, field=entry.code,
            found=f"its FHIR code {token} means {known.tokens[token]} in"
            f" {known.origin.get(known.tokens[token], SHIPPED)}",
            advice="leave the FHIR code out, or use the code that has it",
        )
        for entry in additions.codes
        for token in entry.tokens
        if known.tokens.get(token, entry.code) != entry.code
    ]  # fmt: skip


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(repr, value)) or "empty"
    return f"{value:g}" if isinstance(value, int | float) else repr(str(value))
