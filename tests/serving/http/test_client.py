from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serving.http.client import Client, NotAnswered
from serving.http.examples import RECORD
from serving.schemas import (
    ExplainRequest,
    FeedbackRequest,
    ForecastRequest,
    ForecastsRequest,
    ObservationsRequest,
)

REQUEST = msgspec.convert(RECORD, ForecastRequest)


def test_the_client_speaks_in_types(server: Any) -> None:
    token = server.http.headers["authorization"].removeprefix("Bearer ")
    with Client(server.address, token) as client:
        answer = client.forecast(REQUEST)
        assert answer.status == "forecast"
        assert client.forecasts(ForecastsRequest(requests=[REQUEST])).answers[0].horizons == (
            answer.horizons
        )
        explained = client.explain(msgspec.convert(RECORD, ExplainRequest))
        assert explained.reasons is not None
        sent = msgspec.convert({**RECORD, "subject": "of-client"}, ObservationsRequest)
        assert client.observe(sent).on_record == 3
        assert client.course("of-client").points == []
        sent_feedback = FeedbackRequest(forecast_id=answer.forecast_id, outcome="unclear")
        assert "thank you" in client.feedback(sent_feedback).message
        assert client.model().model.model_version == "arm/1"
        with pytest.raises(NotAnswered, match="404") as refused:
            client.course("nobody")
        assert (refused.value.status, refused.value.retry_after) == (404, None)
        assert refused.value.reason == "nothing is on record for this subject"
        assert refused.value.what_to_do.startswith("send observations")
