"""What one question for three instruments costs, beside three questions, of the same patient.

The baseline in the same run are three requests to `/v1/forecast`, one a task; the two take turns,
so that other load on the machine falls on both. Networks of one epoch, a SIMULATED cohort that has
scores of the arm, of walking speed and of walking independence of the same people.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
from service import TOKEN, make_bundle, serving

from contracts.cohort import Cohort
from features.sequences import training_sequences
from features.simulate import simulate
from inference.bundle import verify_bundle
from rehabcast.commands.service.serve import forecast_request
from training.task import read_task

TASKS = ("stroke-upper-limb", "stroke-gait-speed", "stroke-walking-independence")
SUBJECTS = 80
TURNS = int(os.environ.get("REHABCAST_BENCH_TURNS", "60"))
SERVICE = """
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from contracts.verdict import Outcome
from inference.bundle import load_bundle
from serving.access.authentication import Access
from serving.forecast.audit_status import AuditStatus, ServedModel
from serving.http.runtime import Runtime
from serving.http.service import build_service
from serving.state.champion import Snapshot
from serving.state.champions import Champions
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.state.store import Store

def followed(name, folder, digest):
    status = AuditStatus(model_version=name + "/1", report_digest="r", outcome=Outcome.PASS,
        valid_until=datetime(2100, 1, 1, tzinfo=UTC), approver=None, reason=None)
    bundle = load_bundle(Path(folder), expected_digest=digest)
    return SimpleNamespace(current=Snapshot(ServedModel(bundle=bundle, audit_status=status)),
        problem=None, close=lambda: None)

def open_runtime():
    store = Store("sqlite:///" + {store!r})
    champions = Champions({{name: followed(name, *place) for name, place in {models!r}.items()}})
    return Runtime(champions=champions, store=store, consents=Consents(store.engine),
        forecast_log=ForecastLog(store, Path({store!r} + "-spool")),
        access=Access(development_token={token!r}))

service = build_service(open_runtime)
"""


def main() -> None:
    """Print the milliseconds of both, with and without reasons, and where a score is missing."""
    events, provenance = simulate(subjects=SUBJECTS, seed=0)
    cohort = Cohort(events=events, provenance=provenance, digest="-")
    with tempfile.TemporaryDirectory() as name:
        models: dict[str, tuple[str, str]] = {}
        for each in TASKS:
            task = read_task(Path(__file__).parents[1] / "tasks" / f"{each}.toml")
            folder = Path(name) / each
            folder.mkdir()
            made = make_bundle("hybrid", training_sequences(events, task), folder, task)
            models[each] = (str(made), verify_bundle(made))
        program = SERVICE.format(models=models, store=f"{name}/bench.db", token=TOKEN)
        asked = forecast_request(cohort, cohort.label(1), as_of_day=21, weeks=None)
        whole: dict[str, Any] = msgspec.to_builtins(asked)
        del whole["task"]
        without = [o for o in whole["observations"] if "WALK" not in o["code"]]
        with (
            serving(Path(name) / "served", program, "rehabcast") as port,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=60,
            ) as http,
        ):  # fmt: skip
            for label, body in (
                ("without reasons", {**whole, "explain": False}),
                ("with reasons", whole),
                ("with reasons, walking never measured", {**whole, "observations": without}),
            ):
                print(f"{label}: {compared(http, body)}")


def compared(http: httpx.Client, body: dict[str, Any]) -> str:
    """Ask by turns in both ways, and say what each took."""
    one: list[float] = []
    three: list[float] = []
    for turn in range(-5, TURNS):
        started = time.perf_counter()
        together = posted(http, "/v1/instruments", body)["answers"]
        between = time.perf_counter()
        apart = [posted(http, "/v1/forecast", {**body, "task": task}) for task in TASKS]
        ended = time.perf_counter()
        if [each["horizons"] for each in together] != [each["horizons"] for each in apart]:
            raise AssertionError("the answers of the two ways differ")
        if turn >= 0:
            one.append(1000 * (between - started))
            three.append(1000 * (ended - between))
    statuses = ", ".join(each["status"] for each in together)
    ratio = statistics.median(a / b for a, b in zip(one, three, strict=True))
    return (
        f"one request {statistics.median(one):.1f} ms, three {statistics.median(three):.1f} ms,"
        f" median of the ratios {ratio:.2f} ({statuses})"
    )


def posted(http: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    """Return what a route answers."""
    answer = http.post(path, json=body)
    answer.raise_for_status()
    return answer.json()


if __name__ == "__main__":
    main()
