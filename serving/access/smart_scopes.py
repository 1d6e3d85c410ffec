"""Scopes of SMART App Launch beside our own, at the token endpoint.

Source: HL7 SMART App Launch 2.2, Scopes for requesting FHIR resources: `(patient|user|system)/
(Type|*).[c][r][u][d][s]`, where `.read` is `.rs`, `.write` is `.cud` and `.*` is `.cruds` (version
1). A backend service has neither a user nor a patient in context, so only `system/` is granted. An
answer may grant less than was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.errors import RehabcastError
from serving.access.trust import SCOPES

PATTERN = re.compile(r"(patient|user|system)/([A-Z][A-Za-z]{1,63}|\*)\.(read|write|\*|c?r?u?d?s?)")
LETTERS_OF_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one permission on one type of resource is here.

    Parameters
    ----------
    needs
        Own scopes, one of which a client must be registered for.
    gives
        Own scopes that a token with it has, as far as its client is registered for them.
    """

    needs: frozenset[str]
    gives: frozenset[str]


# A course shows measured scores beside the forecast: whoever may see it sees a forecast.
# What another plan would change is answered as RiskAssessments too.
_FORECASTS = frozenset({"forecast", "course", "whatif"})
_FORECAST = Meaning(needs=_FORECASTS, gives=_FORECASTS)
_PUTS = frozenset({"observe", "push"})
_PUT_ON_RECORD = Meaning(needs=_PUTS, gives=_PUTS)
# A request for a forecast may hold these; alone they open no route: who may read what was measured
# may not for that reason read what a model makes of it.
_SENT_ALONG = Meaning(needs=_FORECASTS, gives=frozenset())

MEANINGS: Mapping[str, Mapping[str, Meaning]] = {
    "CarePlan": {"r": _SENT_ALONG, "s": _SENT_ALONG},
    "Condition": {"r": _SENT_ALONG, "s": _SENT_ALONG},
    "Observation": {"c": _PUT_ON_RECORD, "r": _SENT_ALONG, "s": _SENT_ALONG},
    "Patient": {"r": _SENT_ALONG, "s": _SENT_ALONG},
    "Procedure": {"r": _SENT_ALONG, "s": _SENT_ALONG},
    "RiskAssessment": {"r": _FORECAST, "s": _FORECAST},
}
"""What each permission is here, by type and letter.

Corrections, erasures and alerts (which are also decided about) have no equivalent that gives no
more than it says: they need our own scopes.
"""


class ScopeRefused(RehabcastError):
    """A scope that is not known, or that the client may not have."""


def granted(asked: Iterable[str], registered: frozenset[str]) -> frozenset[str]:
    """Return what of the asked scopes a client gets, as its token names it.

    Parameters
    ----------
    registered
        Our own scopes that the client is registered for.

    Raises
    ------
    ScopeRefused
        One is not known, or the client may have nothing of it.
    """
    return frozenset(scope for each in asked for scope in _granted(each, registered))


def own_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """Return our own scopes of a token's scopes; what is not known gives none."""
    given: set[str] = set()
    for scope in scopes:
        if scope in SCOPES:
            given.add(scope)
        elif (found := PATTERN.fullmatch(scope)) is not None and found[1] == "system":
            meanings = MEANINGS.get(found[2], {})
            for letter in _letters(found[3]):
                if letter in meanings:
                    given |= meanings[letter].gives
    return frozenset(given)


def supported(registered: frozenset[str]) -> frozenset[str]:
    """Return all scopes that somebody with these of our own may ask for."""
    return registered | {
        f"system/{kind}.{letters}"
        for kind in MEANINGS
        if (letters := _allowed(kind, "cruds", registered))
    }


def _granted(scope: str, registered: frozenset[str]) -> list[str]:
    if scope in SCOPES:
        if scope not in registered:
            raise _not_registered()
        return [scope]
    found = PATTERN.fullmatch(scope)
    if found is None:
        raise ScopeRefused(
            "a scope is not known here",
            "ask for scopes of scopes_supported in /.well-known/smart-configuration",
        )
    context, kind, permissions = found.groups()
    if context != "system":
        raise ScopeRefused(
            f"scopes of {context}/ are of somebody who is signed in, and here nobody is",
            "ask for the same scope of system/",
        )
    letters = _letters(permissions)
    kinds = MEANINGS if kind == "*" else [kind]
    allowed = {each: _allowed(each, letters, registered) for each in kinds}
    if allowed.get(kind) == letters != "":
        return [scope]
    narrower = [f"system/{each}.{some}" for each, some in allowed.items() if some]
    if not narrower:
        raise _not_registered()
    return narrower


def _letters(permissions: str) -> str:
    return LETTERS_OF_VERSION_1.get(permissions, permissions)


def _allowed(kind: str, letters: str, registered: frozenset[str]) -> str:
    meanings = MEANINGS.get(kind, {})
    return "".join(
        letter for letter in letters if letter in meanings and meanings[letter].needs & registered
    )


def _not_registered() -> ScopeRefused:
    return ScopeRefused(
        "the client may not have all of these scopes", "ask for scopes it is registered for"
    )
