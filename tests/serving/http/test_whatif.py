"""Other plans asked about over HTTP: answered, put on the chain, and decided about."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from contracts.bundle import DOSES_SEEN, MANIFEST_FILE, PEOPLE_SEEN, TENSORS_FILE
from contracts.digests import file_digest
from contracts.therapy import THERAPY
from serving.http.examples import EXAMPLES, RECORD
from serving.state.entries import entries
from serving.state.store import Store
from serving.state.verification import verify_chain

ROUTE = "/v1/whatif"
MINUTES = [{"code": THERAPY, "day_since_onset": day, "value": 60} for day in range(1, 11)]


def seen_by_many(folder: Path, copy: Path) -> Path:
    """Seal a bundle anew that has seen hundreds of people alike, with every dose."""
    shutil.copytree(folder, copy)
    tensors = load_file(copy / TENSORS_FILE)
    for name in (DOSES_SEEN, PEOPLE_SEEN):
        tensors[name] = np.full_like(tensors[name], 500)
    save_file(tensors, copy / TENSORS_FILE)
    manifest = json.loads((copy / MANIFEST_FILE).read_bytes())
    manifest["files"][TENSORS_FILE] = file_digest(copy / TENSORS_FILE)
    (copy / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")
    return copy


def test_an_answer_is_on_the_chain_and_can_be_accepted_changed_or_rejected(
    serve: Any, until_ready: Any, treated_folder: Path, tmp_path: Path
) -> None:
    bundle = seen_by_many(treated_folder, tmp_path / "bundle")
    asked = EXAMPLES[ROUTE] | {"observations": [*RECORD["observations"], *MINUTES]}
    with serve(tmp_path, bundle) as server:
        assert until_ready(server), server.log
        plain = server.http.post("/v1/forecast", json=asked | {"plans": None}).status_code
        assert plain == 400, "a forecast takes no plans"
        answer = server.http.post(ROUTE, json=asked).json()
        assert answer["status"] == "forecast", answer["reason"]
        found = answer["what_if"]
        assert found["status"] == "answer", found["reason"]
        assert [plan["name"] for plan in found["plans"]] == ["as now", "four weeks of more"]
        assert "prior of trials" in found["standing"][1]
        assert found["next_week"]["status"] == "no advice", "no rating of exertion was sent"
        told = {"forecast_id": answer["forecast_id"], "outcome": "overridden", "reason": "5 hours"}
        assert server.http.post("/v1/feedback", json=told).status_code == 200
        nothing = server.http.post(ROUTE, json=RECORD)
        assert (nothing.status_code, "nothing is asked" in nothing.text) == (400, True)
    store = Store(server.store_url)
    assert verify_chain(store) == 1
    with store.engine.connect() as connection:
        stored = list(entries(connection))
    (given,) = [entry for entry in stored if entry.kind == "forecast"]
    assert json.loads(given.details)["route"] == "whatif"
    assert json.loads(json.loads(given.content or "")["output"])["what_if"] == found
    (said,) = [json.loads(entry.details) for entry in stored if entry.kind == "feedback"]
    assert said["about"] == answer["forecast_id"]


def test_a_model_that_reads_no_therapy_says_so_and_forecasts(server: Any) -> None:
    answer = server.http.post(ROUTE, json=EXAMPLES[ROUTE]).json()
    assert answer["status"] == "forecast"
    assert answer["what_if"]["status"] == "no answer"
    assert "reads no therapy" in answer["what_if"]["reason"]
