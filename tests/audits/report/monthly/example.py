"""An edition of SIMULATED people, made up by hand."""

from __future__ import annotations

from typing import Any

from audits.report.monthly.content import (
    Clinicians,
    EarlyOutcomes,
    Edition,
    GroupLeftOut,
    GroupOfPeople,
    LedgerEntry,
    PointShown,
    ReasonGiven,
    TestShown,
)

POINTS = (
    PointShown(week_ends="2027-05-01", e_value=0.9, largest=0.9),
    PointShown(week_ends="2027-06-05", e_value=42.0, largest=42.0),
)


def edition(**changed: Any) -> Edition:
    """Return it, with other values of some fields."""
    counts = dict.fromkeys(GroupOfPeople.model_fields)
    everyone = {**counts, "attribute": "everyone", "label": "everyone", "forecast": 120, "due": 90}
    female = {**counts, "attribute": "sex", "label": "female", "forecast": 60}
    values: dict[str, Any] = {
        "model_version": "arm/1", "month": "2027-06", "simulated": True, "in_service": True,
        "since": "2026-12-01T00:00:00+00:00", "made_at": "2027-07-01T05:00:00+00:00",
        "condition": "upper-limb paresis after stroke", "target": "Fugl-Meyer upper extremity",
        "weeks": 12, "people": [everyone, female], "refused": None,
        "reasons": (ReasonGiven(reason="Not useful for this decision", people=20),),
        "alerts": Clinicians(clinicians=None, median_decisions=None), "act": "warn",
        "mean": POINTS, "warns_at": 5.0, "suspends_at": 20.0,
        "tests": (
            TestShown(
                rule="honest intervals in every group", attribute="sex", group="female",
                side="too low", milestone=None, needed=3660.0, warns_only=False, points=POINTS,
            ),
            TestShown(
                rule="outcomes lost", attribute="sex", group="female", side="too high",
                milestone=None, needed=150.0, warns_only=True, points=(),
            ),
        ),
        "not_tested": ("no group worse off than with the champion",), "restricted": (),
        "left_out": (
            GroupLeftOut(
                attribute="sex", label="other", e_value=31.0, needed=20.0,
                slowest="honest intervals in every group", proposed=True,
            ),
        ),
        "early": EarlyOutcomes(
            weeks=3, why_not=None,
            tests=(
                TestShown(
                    rule="honest intervals", attribute="everyone", group="everyone",
                    side="too low", milestone=None, needed=290.0, warns_only=True, points=POINTS,
                ),
            ),
        ),
        "warnings": ("2027-06-02: of who comes; age, everyone: higher",),
        "done": (
            LedgerEntry(
                sequence=7, time="2027-06-03T10:00:00+00:00", kind="approval", about="arm/2",
                by="mia", said="as governance: read",
            ),
        ),
        "plan_version": "1", "plan_digest": "a" * 64, "policy_version": "6",
        "policy_digest": "b" * 64, "change_plan": None,
    }  # fmt: skip
    return Edition.model_validate({**values, **changed})
