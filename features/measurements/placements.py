"""Where a device is worn: one way of writing it, whoever writes it.

Arm use, gait and posture look for a placement by its words, so that `Right Wrist`, `RIGHT_WRIST`
and `wrist right` must be one. What a person declares has to be known; what a device's header names
is only brought into the same form.
"""

from __future__ import annotations

import re

SIDES = ("left", "right")
PAIRED = (
    "wrist", "ankle", "thigh", "hip", "upper arm", "forearm", "hand", "finger", "elbow",
    "shoulder", "knee", "shank", "calf", "foot",
)  # fmt: skip
SINGLE = ("lower back", "lumbar", "sacrum", "upper back", "back", "chest", "sternum", "trunk",
          "waist", "neck", "head", "forehead")  # fmt: skip
NO_SITE = frozenset({"", "unknown", "undefined", "none", "null", "na", "n a", "not specified"})
_WORD = re.compile(r"[^\W_]+")
_NEXT_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def placement_in(*written: str | None) -> str:
    """Return the placement that a device's own header names, empty where it names none.

    In small letters, the side first: `Wrist-Left` and (`Left`, `Wrist`) are `left wrist`.
    """
    parts = (" ".join(_WORD.findall(_NEXT_WORD.sub(" ", part or ""))).lower() for part in written)
    words = " ".join(part for part in parts if part not in NO_SITE).split()
    return " ".join(sorted(words, key=lambda word: word not in SIDES))


def declared_placement(written: str) -> str:
    """Return a placement that a map declares, in the form of `placement_in`.

    Raises
    ------
    ValueError
        It is none of the known ones.
    """
    placement = placement_in(written)
    side, _, site = placement.partition(" ")
    if placement in (*PAIRED, *SINGLE) or (side in SIDES and site in PAIRED):
        return placement
    raise ValueError(
        f"{written!r} is not a known placement: use {', '.join(SINGLE)}, or, with left or right"
        f" before it, {', '.join(PAIRED)}"
    )
