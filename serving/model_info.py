"""What an answer says of the model that gave it, and of the audit that it rests on."""

from __future__ import annotations

from msgspec import Struct


class GroupCoverage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often the 80 % range held, out of sample, for a group that the subject belongs to."""

    attribute: str
    group: str
    coverage: float | None
    low: float | None
    high: float | None
    people: int | None
    statement: str


class Override(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who allowed the model without a passed audit, why, until when and for which use."""

    approver: str
    reason: str
    until: str
    restricted_use: str


class ScopeInfo(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """For whom the model passed its audit; nobody else gets a forecast.

    `everyone` is true where nobody of the audit is outside. `inside` and `outside` list groups by
    attribute; a group in neither list is outside, because nobody in the audit belonged to it.
    `pairs_outside` lists people of two groups at once.
    """

    everyone: bool
    inside: dict[str, list[str]]
    outside: dict[str, list[str]]
    pairs_outside: list[list[str]]


class ModelInfo(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which model answered, and the audit that it rests on."""

    model_version: str
    bundle_digest: str
    report_digest: str
    audit_outcome: str
    valid_until: str
    simulated: bool
    cohort_name: str
    override: Override | None
    scope: ScopeInfo | None = None
    task: str = ""
    """Name of the task: what is forecast, of whom."""
