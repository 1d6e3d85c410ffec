"""HL7 CDS Hooks 2.0: what a record system sends when a hook fires, and what becomes of the cards.

Section numbers are those of the specification, https://cds-hooks.hl7.org/2.0/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from contracts.errors import ForecastRefused
from serving.formats.cds.cards import OVERRIDE_REASONS, OVERRIDE_SYSTEM, forecast_of_card
from serving.schemas import CLOCKS, FeedbackRequest

SERVICE = "recovery-forecast"

LONGEST_AGO = timedelta(days=365)
"""Feedback comes at once or in batches, and never years later."""


class Context(Struct, kw_only=True):
    """Section 6, patient-view: the patient, and the user who opened the record."""

    patientId: Annotated[str, Meta(min_length=1, max_length=64)]
    userId: Annotated[str, Meta(max_length=200)] = ""


class HookRequest(Struct, kw_only=True):
    """Section 4: a call of the hook. Fields that we do not use are allowed, as required.

    `hookInstance` is a UUID, of whatever version: some record systems write one without.
    """

    hook: Literal["patient-view"]
    hookInstance: Annotated[str, Meta(min_length=1, max_length=64)]
    context: Context
    prefetch: dict[str, Any] | None = None


class Chosen(Struct, kw_only=True):
    """The override reason that was chosen, of those of the card; some send no display."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]
    system: Annotated[str, Meta(max_length=200)] = OVERRIDE_SYSTEM
    display: Annotated[str, Meta(max_length=200)] = ""


class OverrideReason(Struct, kw_only=True):
    """Section 8: why a card was overridden."""

    reason: Chosen | None = None
    userComment: Annotated[str, Meta(max_length=500)] = ""


class CardFeedback(Struct, kw_only=True):
    """Section 8: what became of a card."""

    card: Annotated[
        str, Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", max_length=36)
    ]
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: Annotated[datetime, Meta(tz=True)]
    overrideReason: OverrideReason | None = None


class HookFeedback(Struct, kw_only=True):
    """Section 8: feedback on several cards."""

    feedback: Annotated[list[CardFeedback], Meta(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a card: feedback on its forecast, and when it was given."""

    feedback: FeedbackRequest
    time: datetime


def outcomes(hook: HookFeedback, now: datetime) -> Sequence[Outcome]:
    """Return what became of the cards.

    Raises
    ------
    ForecastRefused
        A time is to come or long past, or an override reason is none of the card's.
    """
    return [_outcome(card, now) for card in hook.feedback]


def _outcome(card: CardFeedback, now: datetime) -> Outcome:
    # Compared as it was sent: the first hours of year 1 and the last of 9999 have no UTC.
    if not now - LONGEST_AGO <= card.outcomeTimestamp <= now + CLOCKS:
        raise ForecastRefused(
            "the outcomeTimestamp is to come, or more than a year ago",
            "send the time of the feedback, and check the clock",
        )
    override = card.overrideReason
    if override is not None and card.outcome == "accepted":
        raise ForecastRefused(
            "a card was accepted, and has an overrideReason", "send it with the outcome overridden"
        )
    chosen = None if override is None else override.reason
    if chosen is not None and (
        chosen.code not in OVERRIDE_REASONS or chosen.system != OVERRIDE_SYSTEM
    ):
        raise ForecastRefused(
            "the overrideReason is none of the card's",
            "send code and system of one of the card's overrideReasons, or a userComment alone",
        )
    code = "" if chosen is None else chosen.code
    comment = "" if override is None else override.userComment
    feedback = FeedbackRequest(
        forecast_id=forecast_of_card(card.card),
        outcome=card.outcome,
        reason=" ".join(filter(None, (code, comment))),
    )
    return Outcome(feedback=feedback, time=card.outcomeTimestamp.astimezone(UTC))
