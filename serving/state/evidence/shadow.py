"""A version that forecasts silently beside the champion: for the record, and for nobody else.

What it computes, it computes in a thread of its own from a queue that is never waited for: neither
its time nor its faults reach an answer. It forecasts for those too whom the champion is not shown
to serve well, so that their outcomes can show it.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from serving.faults import Fault, place_of
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question, input_digest
from serving.forecast.respond import respond
from serving.state.evidence.reading import SHADOW
from serving.state.forecast_log import ForecastEntry, ForecastLog

MOST_WAITING = 200
"""Questions that wait for the shadow; further ones it is not asked."""

LONGEST_WAIT_SECONDS = 1.0
"""A question that is older is dropped: whoever erases a person waits as long for all of them."""

log = logging.getLogger("rehabcast.shadow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that was answered by the champion, of whose patient, and when.

    Parameters
    ----------
    champion
        The version that answered.
    was_given
        Whether it gave a forecast.
    """

    question: Question
    task: str
    champion: str
    was_given: bool
    subject: str
    tenant: str
    actor: str
    now: datetime
    asked_at: float = field(default_factory=time.monotonic)


class Shadow:
    """Puts a version's forecasts on record, marked as shadow.

    Parameters
    ----------
    served
        The version, without an audit: nobody is shown what it says.
    """

    def __init__(self, served: ServedModel, forecast_log: ForecastLog) -> None:
        self._served, self._log = served, forecast_log
        self._waiting: queue.Queue[Asked | None] = queue.Queue(MOST_WAITING)
        self._missed, self._failed = 0, 0
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    @property
    def problem(self) -> Fault | None:
        """What an operator should look at; None when all is well."""
        if not (self._missed or self._failed):
            return None
        return Fault(
            f"the shadow {self._served.audit_status.model_version} was too busy to forecast"
            f" {self._missed} times, and failed {self._failed} times",
            "look at the service's log; its evidence lacks these people unless they are asked about"
            " again",
        )

    def ask(self, asked: Asked) -> None:
        """Let it forecast too, if it is of this task; never waits.

        A shadow that is the champion itself forecasts for those alone to whom the champion gave no
        forecast: of all others its forecast is on record.
        """
        if asked.task != self._served.bundle.task.name:
            return
        if asked.was_given and asked.champion == self._served.audit_status.model_version:
            return
        try:
            self._waiting.put_nowait(asked)
        except queue.Full:
            self._missed += 1

    def close(self, seconds: float = 10.0) -> None:
        """Answer what waits, and stop."""
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        while (asked := self._waiting.get()) is not None:
            if time.monotonic() - asked.asked_at > LONGEST_WAIT_SECONDS / 2:
                self._missed += 1
                continue
            try:
                self._forecast(asked)
            # Whatever it was, it is no matter of those who are served.
            except Exception as error:
                self._failed += 1
                log.error("the shadow failed: %s", place_of(error))

    def _forecast(self, asked: Asked) -> None:
        # The forecast alone: nobody reads its reasons, or what is asked beside it.
        question = replace(
            asked.question, explain=False, next_measurement=False, plans=(), search=None,
            last_weeks=None,
        )  # fmt: skip
        answer = respond(question, self._served, now=asked.now)
        number = f"{secrets.randbits(128) & ~1:032x}"
        # By the name that the record knows, which documents do not repeat in the question.
        answer = msgspec.structs.replace(answer, forecast_id=number, subject=asked.subject)
        self._log.add(
            ForecastEntry(
                id=number,
                time=asked.now.isoformat(timespec="seconds"),
                route=SHADOW,
                actor=asked.actor,
                tenant=asked.tenant,
                subject=asked.subject,
                model_version=self._served.audit_status.model_version,
                bundle_digest=self._served.bundle.digest,
                input_digest=input_digest(question),
                output=msgspec.json.encode(answer).decode(),
            )
        )
