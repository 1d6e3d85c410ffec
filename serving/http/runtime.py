"""What answers: the champion in service, the store, the chain of forecasts, and whom to trust."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from contracts.digests import record_digest
from contracts.errors import ForecastRefused
from serving.forecast.question import Question
from serving.forecast.respond import refused, respond
from serving.formats.fhir import record_of, resources_of
from serving.http.access import Access, Caller
from serving.schemas import ExplainRequest, ForecastAnswer, ForecastRequest
from serving.state.champion import ChampionInService, Now
from serving.state.forecast_log import Made, Recorder
from serving.state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that a worker answers with."""

    champion: ChampionInService
    store: Store
    recorder: Recorder
    access: Access

    def close(self) -> None:
        """Write what waits, and stop the threads."""
        self.champion.close()
        self.recorder.close()
        self.store.close()

    def problems(self) -> list[str]:
        """Say what an operator should look at; empty when all is well."""
        told = [self.champion.problem, self.recorder.problem]
        if self.recorder.lost:
            told.append(f"{self.recorder.lost} forecasts are missing in the chain")
        if not self.store.takes_writes():
            told.append(
                "the service's store takes no entries: observations and feedback are refused"
            )
        return [each for each in told if each]


def forecast(
    desk: Desk, now_served: Now, request: ForecastRequest, *, kind: str, caller: Caller
) -> ForecastAnswer:
    """Answer one request with the champion of one moment, and note it in the chain."""
    now = datetime.now(UTC)
    try:
        question = question_of(desk, now_served, request)
        answer = respond(question, now_served.served, now=now, withdrawn=now_served.withdrawn)
    except ForecastRefused as refusal:
        answer = refused(request.subject, now_served.served, str(refusal))
    return noted(desk, answer, msgspec.json.encode(request), kind=kind, caller=caller, now=now)


def question_of(desk: Desk, now_served: Now, request: ForecastRequest) -> Question:
    """Find the record that a request speaks of.

    Raises
    ------
    ForecastRefused
        It is said twice, in part, or not on record.
    """
    inline = request.observations is not None or request.enrolment_day is not None
    if inline and request.bundle is not None:
        raise ForecastRefused("the record is given twice: send observations or a bundle, not both")
    if request.bundle is not None:
        task = now_served.served.bundle.task
        enrolment_day, observations = record_of(resources_of(request.bundle), task)
    elif inline:
        if request.observations is None or request.enrolment_day is None:
            raise ForecastRefused("half a record: send enrolment_day and observations together")
        enrolment_day, observations = request.enrolment_day, request.observations
    else:
        enrolment_day, observations = desk.store.record(request.subject)
    question = Question(
        subject=request.subject,
        enrolment_day=enrolment_day,
        observations=observations,
        explain=request.explain,
        weeks=request.explain_horizon_weeks,
    )
    if isinstance(request, ExplainRequest):
        return replace(question, explain=True, output=request.output, days_of=request.days_of)
    return question


def noted(
    desk: Desk, answer: ForecastAnswer, asked: bytes, *, kind: str, caller: Caller, now: datetime
) -> ForecastAnswer:
    """Give an answer its id, and note it in the chain."""
    # Even, so that the second card of a forecast can have the number after it.
    number = f"{secrets.randbits(128) & ~1:032x}"
    answer = msgspec.structs.replace(answer, forecast_id=number)
    output = msgspec.json.encode(answer).decode()
    desk.recorder.note(
        Made(
            id=number,
            time=now.isoformat(timespec="seconds"),
            kind=kind,
            actor=caller.name,
            model_version=answer.model.model_version,
            bundle_digest=answer.model.bundle_digest,
            input_digest=hashlib.sha256(asked).hexdigest(),
            output_digest=record_digest({"output": output}),
            output=output,
        )
    )
    return answer
