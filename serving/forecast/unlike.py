"""Refuses a record that is unlike those that the model was trained on, and says in what."""

from __future__ import annotations

from contracts.errors import ForecastRefused
from contracts.sequences import SequenceBatch
from contracts.vocabulary import Kind, vocabulary
from inference.bundle import Bundle
from inference.out_of_distribution import (
    TIME_SINCE_ONSET,
    Strangeness,
    is_out_of_distribution,
    strangeness,
)

WITHOUT = "if it is right, decide without the forecast"


def refuse_unlike(bundle: Bundle, batch: SequenceBatch) -> None:
    """Refuse a record unlike those trained on.

    Raises
    ------
    ForecastRefused
        It is.
    """
    if not is_out_of_distribution(bundle.reference, batch)[0]:
        return
    found = strangeness(bundle.reference, batch)
    raise ForecastRefused(
        f"the record is unlike those that the model was trained on, most of all in {_words(found)}",
        _advice(found),
    )


def _words(found: Strangeness) -> str:
    name, unit = _name(found.feature), " days" if found.feature == TIME_SINCE_ONSET else ""
    if found.beside:
        return f"{name!r}, which at {found.value:.4g}{unit} does not fit {_name(found.beside)!r}"
    least = vocabulary()[found.feature].low if found.feature in vocabulary() else None
    low = max(found.usual_low, 0.0 if least is None else least)
    return f"{name!r}: {found.value:.4g}{unit}, where {low:.3g} to {found.usual_high:.3g} was usual"


def _advice(found: Strangeness) -> str:
    if found.beside:
        names = f"{_name(found.feature)!r} and {_name(found.beside)!r}"
        return f"check {names} and their units; if both are right, decide without the forecast"
    if found.feature == TIME_SINCE_ONSET:
        return f"check the date of the onset; {WITHOUT}: the model saw few people at such a time"
    kind = vocabulary()[found.feature].kind
    what = {Kind.DAILY: "device, its side and the unit", Kind.PERSON: "entry"}
    return f"check the {what.get(kind, 'score and its scale')}; {WITHOUT}"


def _name(feature: str) -> str:
    return vocabulary()[feature].name if feature in vocabulary() else feature
