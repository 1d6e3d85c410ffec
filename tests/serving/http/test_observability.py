"""What a caller sends reaches no log, metric or error."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from serving.http.examples import RECORD


@pytest.mark.parametrize("count", [60, pytest.param(5_000, marks=pytest.mark.soak)])
def test_planted_strings_reach_no_log_metric_or_error(server: Any, count: int) -> None:
    """Canaries in every field, path, query, header and name that a caller can fill."""
    canaries = [f"CANARY{n:04d}" for n in range(count)]
    errors = []
    for n, canary in enumerate(canaries):
        score = {"code": "REHABCAST//FUGL_MEYER_UE", "day_since_onset": 10, "value": 20.0}
        tries: list[httpx.Response] = []
        ask = [
            {**RECORD, "subject": canary},
            {**RECORD, "subject": f"{canary} with spaces"},
            {**RECORD, canary: canary},
            {**RECORD, "observations": [{**score, canary: 1}]},
            {**RECORD, "observations": [{**score, "value": canary}]},
            {
                "subject": "P",
                "bundle": {"resourceType": canary, "entry": [{"resource": {canary: canary}}]},
            },
        ]
        tries.append(server.http.post("/v1/forecast", json=ask[n % len(ask)]))
        if n % 10 == 0:
            tries.append(server.http.get(f"/v1/subjects/{canary}/course"))
            tries.append(server.http.get(f"/{canary}", params={canary: canary}))
            tries.append(
                server.http.post("/v1/feedback", json={"forecast_id": canary, "outcome": canary})
            )
            bad = {"Authorization": f"Bearer {canary}", "X-Name": canary}
            tries.append(server.http.get("/v1/model", headers=bad))
            tries.append(server.http.request(canary, "/v1/model"))
        errors += [answer.text for answer in tries if answer.status_code >= 400]
    everything = server.log + server.http.get("/metrics").text + "".join(errors)
    assert [canary for canary in canaries if canary in everything] == []
