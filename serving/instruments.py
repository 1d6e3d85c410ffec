"""One question about a subject that every model in service answers, each for its own instrument."""

from __future__ import annotations

from serving.schemas import ForecastAnswer, RecordRequest, Strict

EACH_BY_ITSELF = (
    "Each of these forecasts is of one instrument, by a model and an audit of its own. They were"
    " not made together: their chances must not be multiplied, and they may disagree."
)


class InstrumentsRequest(RecordRequest, frozen=True, kw_only=True):
    """As for a forecast, without a task: the record is given once, and every model reads it.

    What is asked beside the forecast, such as a horizon, is asked of each.
    """


class NotInService(Strict, frozen=True, kw_only=True):
    """A model that this service was told to follow and cannot answer with."""

    model: str
    reason: str
    what_to_do: str


class InstrumentsAnswer(Strict, frozen=True, kw_only=True):
    """The answer of each model in service: what `/v1/forecast` gives for its task alone.

    A model that gives no forecast says why in its place, and the others answer all the same.
    """

    subject: str
    answers: list[ForecastAnswer]
    not_in_service: list[NotInService]
    limits: list[str]
    """Of the answers taken together; each has its own as well."""
