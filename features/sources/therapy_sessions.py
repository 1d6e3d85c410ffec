"""As what a session of therapy counts, by what it is coded as: the same for every source."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from contracts.therapy import KINDS, THERAPY
from contracts.vocabulary.code import REHABCAST_SYSTEM

SNOMED = "http://snomed.info/sct"
_THERAPIES = {
    "52052004": THERAPY,
    "91251008": "REHABCAST//THERAPY_PHYSIO",
    "84478008": "REHABCAST//THERAPY_OCCUPATIONAL",
    "311555007": "REHABCAST//THERAPY_SPEECH",
}
"""SNOMED CT: rehabilitation therapy, physical, occupational, speech and language therapy."""

KINDS_BY_TOKEN = MappingProxyType(
    {
        **{f"{SNOMED}|{code}": kind for code, kind in _THERAPIES.items()},
        **{f"{REHABCAST_SYSTEM}|{kind.partition('//')[2]}": kind for kind in (THERAPY, *KINDS)},
    }
)
"""The kind of therapy by `system|code`. No code of SNOMED CT was verified for the others."""

WITHOUT_DURATION = "therapy without the times of its start and end: how long it took is not known"


def counted_as(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the codes that a session's minutes count for; none where it is no therapy.

    It counts as therapy, and as each kind that it is coded as.

    Parameters
    ----------
    codes
        What it is coded as, in codes of the vocabulary; what is no therapy among them says nothing.
    """
    kinds = [code for code in codes if code in {THERAPY, *KINDS}]
    return tuple(dict.fromkeys((THERAPY, *kinds))) if kinds else ()
