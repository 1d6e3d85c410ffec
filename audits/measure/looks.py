"""How certain a pass must be when it is not the first attempt.

Whoever audits one version after another until one passes will find one: a group exactly at its
limit passes in 2.5 % of audits, and in 10 % of ten in a row on growing data. Only attempts that did
not pass are tries at chance: a version after one that passed is no second attempt.
"""

from __future__ import annotations

from collections.abc import Sequence

from audits.measure.groups import EVERYONE
from contracts.scope import Scope

Earlier = Sequence[Sequence[Scope | None]]
"""Of every other bundle that was audited before under the model name: the scope of each of its
audits, None of one that did not pass."""

LATER = 0.2
"""Part of the first look's error that all later looks share."""


def confidence_at(look: int, confidence: float) -> float:
    """Return the confidence of the interval that lets a finding pass at a look.

    The first look has all of its error. Look k of the later ones has a part LATER / (k (k - 1)) of
    it, and these parts sum up to LATER however many looks follow. By Bonferroni's inequality, and
    however the looks depend on each other, a group at its limit passes at any look in at most
    1.2 x 2.5 % = 3 % of model lines. Equal parts would need the number of looks in advance, and
    parts of 1 / k sum up without end.

    Parameters
    ----------
    look
        1 for the first attempt (`look_at`).
    confidence
        Of the two-sided interval at the first look.
    """
    if look == 1:
        return confidence
    return 1 - (1 - confidence) * LATER / (look * (look - 1))


def look_at(earlier: Earlier, axis: str, group: str) -> int:
    """Return the number of the attempt to show the rules for a group, this one included.

    An earlier bundle was an attempt unless each of its audits had the group inside its scope. A
    group at its limit in some of the versions, whatever it is in the others, then passes in any of
    them no more often than `confidence_at` says: before its k-th attempt, k - 1 had failed.

    Parameters
    ----------
    axis, group
        An attribute and its label, or everyone; anything else was never inside a scope.
    """
    failed = (any(not _is_inside(scope, axis, group) for scope in audits) for audits in earlier)
    return 1 + sum(failed)


def _is_inside(scope: Scope | None, axis: str, group: str) -> bool:
    if scope is None or axis == EVERYONE:
        return scope is not None
    return any(a.attribute == axis and group in a.inside for a in scope.attributes)
