"""How certain a pass must be when it is not the first attempt.

Whoever audits one version after another until one passes will find one: a group exactly at its
limit passes in 2.5 % of audits, and in 10 % of ten in a row on growing data.
"""

from __future__ import annotations

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
        1 for the first audit of a line of versions.
    confidence
        Of the two-sided interval at the first look.
    """
    if look == 1:
        return confidence
    return 1 - (1 - confidence) * LATER / (look * (look - 1))
