"""HL7 CDS Hooks 2.0: a forecast as cards, one for the team and one for patient and family.

Section numbers are those of the specification, https://cds-hooks.hl7.org/2.0/.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from contracts.errors import RehabcastError
from serving.formats.formatting import (
    formatted_change,
    formatted_horizon,
    formatted_range,
    formatted_score,
    scope_sentence,
    start_sentence,
)
from serving.schemas import ForecastAnswer, HorizonForecast, Strict

SERVICE = "recovery-forecast"
MAX_SUMMARY_LENGTH = 139

SERVICES: dict[str, Any] = {
    "services": [
        {
            "hook": "patient-view",
            "id": SERVICE,
            "title": "Forecast of functional recovery",
            "description": (
                "Where the patient's score will probably be in the next weeks and months, with a"
                " range and reasons. Decision support, not a diagnosis."
            ),
            "prefetch": {
                "patient": "Patient/{{context.patientId}}",
                "conditions": "Condition?patient={{context.patientId}}&_count=1000",
                "observations": "Observation?patient={{context.patientId}}&_count=1000",
                "procedures": "Procedure?patient={{context.patientId}}&_count=1000",
            },
            "usageRequirements": (
                "Observations need codes of LOINC or urn:rehabcast:vocabulary, Conditions codes of"
                " SNOMED CT or ICD-10."
            ),
        }
    ]
}
"""Section 3, discovery. All conditions are asked for: a search can't name ICD-10 codes by prefix,
and the task says which of them counts."""

NEEDED = ("conditions", "observations")
"""The prefetch keys that a forecast needs. The service fetches nothing itself."""


class PrefetchMissing(RehabcastError):
    """Section 4: what is needed was not prefetched (412)."""

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(
            f"the prefetch lacks {', '.join(missing)}",
            "send the prefetch that /cds-services asks for",
        )


OVERRIDE_REASONS = (
    ("knows-better", "I know something that the record does not say"),
    ("data-wrong", "The record behind it is wrong"),
    ("not-useful", "Not useful for this decision"),
)


class Context(Struct, kw_only=True):
    """Section 6, patient-view: the patient, and the user who opened the record."""

    patientId: Annotated[str, Meta(min_length=1, max_length=64)]
    userId: Annotated[str, Meta(max_length=200)] = ""


class HookRequest(Struct, kw_only=True):
    """Section 4: a call of the hook. Fields that we do not use are allowed, as required."""

    hook: Literal["patient-view"]
    hookInstance: Annotated[str, Meta(min_length=1, max_length=64)]
    context: Context
    prefetch: dict[str, Any] | None = None


class OverrideReason(Struct, kw_only=True):
    """Section 8: why a card was overridden."""

    reason: dict[str, Any] | None = None
    userComment: Annotated[str, Meta(max_length=500)] = ""


class CardFeedback(Struct, kw_only=True):
    """Section 8: what became of a card."""

    card: Annotated[
        str, Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", max_length=36)
    ]
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: Annotated[str, Meta(max_length=40)]
    overrideReason: OverrideReason | None = None


class HookFeedback(Strict, frozen=True, kw_only=True):
    """Section 8: feedback on several cards."""

    feedback: Annotated[list[CardFeedback], Meta(min_length=1, max_length=100)]


def documents_in(request: HookRequest) -> Iterator[dict[str, Any]]:
    """Yield the prefetched Bundles and resources.

    Raises
    ------
    PrefetchMissing
        What a forecast needs was not prefetched, or could not be: null or an OperationOutcome. A
        Bundle without entries is data: there are none.
    """
    prefetch = request.prefetch or {}
    missing = [
        key
        for key in NEEDED
        if not isinstance(value := prefetch.get(key), dict)
        or value.get("resourceType") == "OperationOutcome"
    ]
    if missing:
        raise PrefetchMissing(missing)
    yield from (value for value in prefetch.values() if isinstance(value, dict))


def cards(answer: ForecastAnswer, address: str) -> dict[str, Any]:
    """Write an answer as cards: for the team, and for the patient and family.

    Section 5. A refusal is one card. Its summary may be cut, so the detail has the whole reason.
    """
    if answer.status == "no forecast":
        summary = f"No forecast of recovery: {answer.reason}"
        detail = (
            f"**Reason:** {answer.reason}\n\n**What to do:** {answer.what_to_do}\n\n"
            + "\n\n".join([*_notes(answer), _model_and_limits(answer)])
        )
        return {"cards": [_card(answer, address, summary, detail, "info", answer.forecast_id)]}
    team = _card(answer, address, _summary(answer), _for_team(answer), "info", answer.forecast_id)
    family = _card(
        answer,
        address,
        "For the patient and family: what recovery usually looks like from here",
        _for_family(answer),
        "info",
        family_card(answer.forecast_id),
    )
    return {"cards": [team, family]}


def family_card(forecast_id: str) -> str:
    """Return the id of the second card: forecasts' ids are even, this is the next one."""
    return f"{int(forecast_id, 16) | 1:032x}"


def forecast_of_card(card: str) -> str:
    """Return the id of the forecast that a card shows."""
    return f"{UUID(card).int & ~1:032x}"


def _card(
    answer: ForecastAnswer, address: str, summary: str, detail: str, indicator: str, card_id: str
) -> dict[str, Any]:
    if answer.banner:
        detail = f"**{answer.banner}**\n\n{detail}"
    if len(summary) > MAX_SUMMARY_LENGTH:
        summary = summary[: MAX_SUMMARY_LENGTH - 1] + "…"
    return {
        "uuid": str(UUID(hex=card_id)),
        "summary": summary,
        "indicator": "warning" if answer.banner else indicator,
        "detail": detail,
        "source": {
            "label": f"rehabcast {answer.model.model_version}",
            "url": f"{address}/v1/model",
            "topic": {"system": "urn:rehabcast:topic", "code": "recovery-forecast"},
        },
        "links": [
            {"label": "Model card and audit", "url": f"{address}/v1/model", "type": "absolute"}
        ],
        "overrideReasons": [
            {"code": code, "system": "urn:rehabcast:override", "display": display}
            for code, display in OVERRIDE_REASONS
        ],
    }


def _summary(answer: ForecastAnswer) -> str:
    horizon = _main_horizon(answer)
    return (
        f"Week {formatted_horizon(horizon)}: {answer.instrument} probably"
        f" {formatted_range(answer, horizon)}"
        f" (most likely {formatted_score(answer, horizon.median)})"
    )


def _main_horizon(answer: ForecastAnswer) -> HorizonForecast:
    weeks = answer.reasons.horizon_weeks if answer.reasons is not None else None
    return next((h for h in answer.horizons if h.weeks == weeks), answer.horizons[0])


def _for_team(answer: ForecastAnswer) -> str:
    rows = [
        f"| {formatted_horizon(h)} | {formatted_score(answer, h.median)} |"
        f" {formatted_range(answer, h)} |"
        f" {formatted_score(answer, h.last_observation)} |"
        f" {formatted_score(answer, h.proportional_recovery)} |"
        for h in answer.horizons
    ]
    table = (
        "| week | most likely | 8 in 10 | if nothing changed | 70 % rule |\n|---|---|---|---|---|\n"
    )
    parts = [start_sentence(answer), table + "\n".join(rows), *answer.in_words]
    if answer.reasons is not None:
        base = formatted_score(answer, answer.reasons.base, extra_decimals=1)
        contributions = [
            f"- {contribution.modality}, {contribution.window}:"
            f" {formatted_change(answer, contribution.points)}"
            for contribution in answer.reasons.contributions
            if contribution.observed
        ]
        parts.append(
            f"Why, at week {answer.reasons.horizon_weeks}: if nothing were known it would be"
            f" {base}.\n" + "\n".join(contributions)
        )
    if answer.rests_on is not None:
        missing = ", ".join(answer.rests_on.missing_modalities) or "nothing"
        parts.append(
            f"It rests on {answer.rests_on.assessments} score(s) and"
            f" {answer.rests_on.days_with_wearable} wearable day(s). Missing: {missing}."
        )
    parts += [group.statement for group in answer.groups if group.coverage is not None]
    return "\n\n".join([*parts, *_notes(answer), _model_and_limits(answer)])


def _notes(answer: ForecastAnswer) -> list[str]:
    """Return what was left out of the record, for the team: a family can't change it."""
    notes = "\n".join(f"- {note}" for note in answer.notes)
    return [f"About the record:\n{notes}"] if notes else []


def _for_family(answer: ForecastAnswer) -> str:
    horizon = _main_horizon(answer)
    return (
        f"Of ten people whose recovery looked like this at the same point, about eight reached a"
        f" score of {formatted_range(answer, horizon)} on a scale up to {answer.scale[1]:.0f}"
        f" after {horizon.weeks} weeks; one did better and one less well. Nobody can say which of"
        " the ten a person will be, and this is neither a promise nor a limit. It says nothing"
        " about how much therapy is right.\n\n" + "\n".join(f"- {limit}" for limit in answer.limits)
    )


def _model_and_limits(answer: ForecastAnswer) -> str:
    model = answer.model
    line = (
        f"Model {model.model_version} ({model.bundle_digest[:12]}), audit {model.audit_outcome},"
        f" valid until {model.valid_until[:10]}.{scope_sentence(model)}"
    )
    return line + "\n\n" + "\n".join(f"- {limit}" for limit in answer.limits)
