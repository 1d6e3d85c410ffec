"""Reason and advice of a refusal, through the middleware and every format, in one process."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from contracts.errors import CohortInvalid, ForecastRefused, Problem
from serving.access.authentication import Access
from serving.forecast import respond as respond_module
from serving.forecast.audit_status import ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.formats.cds.hooks import SERVICE
from serving.formats.plain_text import as_plain_text
from serving.http.middleware import RequestMiddleware
from serving.http.shutdown import Shutdown
from serving.http.standards import documents
from serving.schemas import ForecastAnswer
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from tests.serving.dates import BUNDLE, HOOK

TOKEN = "a-token-of-this-test"  # noqa: S105

# Control characters and blanks at the ends are left to those who print: a terminal drops them.
TEXT = (
    st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" :;.,\"'"), max_size=60)
    .map(str.strip)
    .filter(bool)
)
WITH_COLONS = TEXT | st.lists(TEXT, min_size=2, max_size=4).map(": ".join)


def send(served: ServedModel, error: Exception, method: str, path: str, body: Any) -> Any:
    """Send a request to the middleware; looking for a record raises the error."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    runtime: Any = SimpleNamespace(
        shadow=None,
        proxies=(),
        public_address="https://here",
        champions=Champions({"arm": SimpleNamespace(current=Snapshot(served))}),
        store=SimpleNamespace(record=refuse, use_once=None),
        consents=SimpleNamespace(require=lambda *_: None),
        forecast_log=SimpleNamespace(add=lambda _: None),
        access=Access(audience="https://here", development_token=TOKEN),
    )

    async def exchange() -> httpx.Response:
        app: Any = RequestMiddleware(None, lambda: runtime, Shutdown())  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=headers
        ) as client:
            return await client.request(method, path, json=body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "record_of", refuse)
        return asyncio.run(exchange()).json()


@settings(max_examples=60, deadline=None)
@given(reason=WITH_COLONS, advice=WITH_COLONS)
def test_reason_and_advice_arrive_unchanged_and_apart(
    served: ServedModel, reason: str, advice: str
) -> None:
    refusal = ForecastRefused(reason, advice)
    answer = send(served, refusal, "POST", "/v1/forecast", {"subject": "P-1"})
    assert (answer["reason"], answer["what_to_do"]) == (reason, advice)
    error = send(served, refusal, "GET", "/v1/subjects/P-1/course", None)
    assert error == {"error": f"{reason}: {advice}", "reason": reason, "what_to_do": advice}

    (issue,) = send(served, refusal, "POST", "/v1/fhir/forecast", BUNDLE)["issue"]
    assert issue["details"] == {"text": reason}
    assert issue["diagnostics"] == f"{reason}: {advice}"
    assert issue["code"] == "business-rule"

    (card,) = send(served, refusal, "POST", f"/cds-services/{SERVICE}", HOOK)["cards"]
    assert card["detail"] == f"**Reason:** {reason}\n\n**What to do:** {advice}"
    assert card["summary"] == "No forecast of recovery"

    console = Console(width=2_000, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(as_plain_text(msgspec.convert(answer, ForecastAnswer)))
    lines = [line.rstrip() for line in captured.get().split("\n")]
    assert f"No forecast for subject P-1: {reason}" in lines
    assert f"What to do: {advice}" in lines


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(st.tuples(WITH_COLONS, WITH_COLONS), min_size=1, max_size=5))
def test_problems_of_a_record_give_their_findings_and_their_advice(
    served: ServedModel, parts: list[tuple[str, str]]
) -> None:
    problems = [
        Problem(file="request", row=n, field=f"CODE{n}", found=found, advice=advice)
        for n, (found, advice) in enumerate(parts)
    ]

    def fail(*_: Any) -> Any:
        raise CohortInvalid(problems)

    question = Question(subject="P-1", enrolment_day=10, observations=[])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(respond_module, "record_batch", fail)
        answer = respond(question, served, now=served.audit_status.valid_until.replace(year=2026))
    assert answer.reason == "; ".join(f"CODE{n}: {found}" for n, (found, _) in enumerate(parts))
    advice = "; ".join(f"CODE{n}: {advice}" for n, (_, advice) in enumerate(parts))
    assert answer.what_to_do == advice


@pytest.mark.parametrize("path", ["/v1/forecast", "/v1/fhir/forecast"])
def test_an_unexpected_error_says_nothing_about_itself(
    served: ServedModel, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = BUNDLE if "fhir" in path else {"subject": "P-1"}
    answer = send(served, KeyError("CANARY"), "POST", path, body)
    assert "an internal error occurred" in str(answer)
    assert "KeyError" in caplog.text
    assert "CANARY" not in str(answer) + caplog.text
