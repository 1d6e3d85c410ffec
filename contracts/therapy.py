"""Codes of therapy: a day's minutes in all, and of which kind they were."""

from __future__ import annotations

THERAPY = "REHABCAST//THERAPY"
"""A day's minutes of therapy in all: each minute once, whatever its kinds."""

ADHERENCE = "REHABCAST//ADHERENCE"

DISCIPLINES = tuple(
    f"REHABCAST//THERAPY_{name}" for name in ("PHYSIO", "OCCUPATIONAL", "SPEECH", "OTHER")
)
"""Minutes by who gave it: a session is of one, so that they add up to the day's therapy."""

WAYS = tuple(
    f"REHABCAST//THERAPY_{name}"
    for name in (
        "GROUP", "SELF", "TELE", "ROBOT", "VIRTUAL_REALITY", "TREADMILL", "STIMULATION",
    )
)  # fmt: skip
"""Minutes by how it was given: a session may be of several and is of some discipline besides, so
that they add up to nothing."""

KINDS = (*DISCIPLINES, *WAYS)
