"""Benchmark: exact reasons against the usual alternatives, and the service under load.

Everything runs on one machine, one after the other, on a SIMULATED cohort and a network trained
for one epoch: the figures are times, not accuracy. Prints lines for people and, as its last line,
one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import shap

from contracts.cohort import Cohort
from contracts.forecast import MEDIAN
from contracts.sequences import SequenceBatch
from contracts.task import Task
from features.sequences import present_modalities, training_sequences
from features.simulate import simulate
from inference.bundle import Bundle, embed, load_bundle, run_head, verify_bundle
from rehabcast.commands.service.serve import forecast_request
from serving.forecast.explain import explain, game_of
from serving.forecast.shapley import coalitions
from support.load import flood, hammer, request_of
from training.fitting.config import TrainingConfig
from training.fitting.crossfit import crossfit
from training.fitting.joining import averaged
from training.models.architectures import Architecture
from training.models.layers.network import Ensemble
from training.registry.bundle import TrainingProvenance, write_bundle
from training.task import read_task

ROOT = Path(__file__).resolve().parent.parent
TASK = ROOT / "tasks" / "stroke-upper-limb.toml"
SUBJECTS, REPEATS, SECONDS = 200, 5, float(os.environ.get("REHABCAST_BENCH_SECONDS", "6"))
ARCHITECTURES: tuple[Architecture, ...] = ("hybrid", "GRU-D")
OVERLOAD = 5
"""Requests per second, as a multiple of those answered to 64 connections."""
NAIVE = 128
"""Coalitions that the full network is timed on; the time for all is extrapolated."""

TOKEN = "a-token-of-the-benchmark"  # noqa: S105

OURS = """
from datetime import UTC, datetime
from pathlib import Path
from contracts.verdict import Outcome
from serving.access.authentication import Access
from inference.bundle import load_bundle
from serving.state.champion import ChampionInService
from serving.state.champions import Champions
from serving.state.following import Terms, Verified
from serving.http.runtime import Runtime
from serving.state.consent import Consents
from serving.state.forecast_log import ForecastLog
from serving.http.service import build_service
from serving.forecast.audit_status import ServedModel, AuditStatus
from serving.state.store import Store

class FolderSource:
    def read(self):
        terms = Terms(sequence=1, epoch=1, model="bench", model_version="bench/1",
            valid_until=datetime(2100, 1, 1, tzinfo=UTC))
        return Verified(hashes=("bench",), latest=None, champion=terms)

    def registry(self):
        return None

    def load(self, terms):
        audit_status = AuditStatus(model_version="bench/1", report_digest="r", outcome=Outcome.PASS,
            valid_until=datetime(2100, 1, 1, tzinfo=UTC), approver=None, reason=None)
        return ServedModel(bundle=load_bundle(Path({folder!r}), expected_digest={digest!r}),
            audit_status=audit_status)

def open_runtime():
    store = Store("sqlite:///" + {store!r})
    return Runtime(champions=Champions({{"bench": ChampionInService(FolderSource())}}), store=store,
        forecast_log=ForecastLog(store, Path({store!r} + "-spool")),
        consents=Consents(store.engine), access=Access(development_token={token!r}))
"""
BENTO = OURS + "\nservice = build_service(open_runtime)\n"
FASTAPI = (
    OURS
    + """
from fastapi import FastAPI
from pydantic import BaseModel
import msgspec
from serving.forecast.question import Question
from contracts.observation import Observation
from serving.forecast.respond import respond

class One(BaseModel):
    code: str
    day_since_onset: int | None = None
    value: float | None = None
    label: str | None = None

class Record(BaseModel):
    subject: str
    enrolment_day: int
    observations: list[One]
    explain: bool = True
    explain_horizon_weeks: int | None = None

served = FolderSource().load(None)
app = FastAPI()

@app.post("/v1/forecast")
def forecast(record: Record) -> dict:
    observations = [Observation(**dict(item)) for item in record.observations]
    question = Question(subject=record.subject, enrolment_day=record.enrolment_day,
        observations=observations, explain=record.explain)
    return msgspec.to_builtins(respond(question, served, now=datetime.now(UTC)))

@app.get("/readyz")
def ready() -> dict:
    return {{}}
"""
)


def milliseconds(action: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the median time of an action."""
    action()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def processor_milliseconds(action: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the mean processor time of an action, all threads: other processes hardly matter."""
    action()
    started = time.process_time()
    for _ in range(repeats):
        action()
    return 1000 * (time.process_time() - started) / repeats


def make_bundle(
    architecture: Architecture, batch: SequenceBatch, folder: Path, task: Task, folds: int = 5
) -> Path:
    """Train networks for one epoch and write their bundle.

    Those of a hybrid are made one, as they are where they have learned. After one epoch the mean of
    their forecasts is more than 1 % better, and ten would be timed.
    """
    config = TrainingConfig(architecture=architecture, max_epochs=1, folds=folds)
    fitted = crossfit(batch, task, config, folder=folder / "folds")
    lineage = TrainingProvenance(
        family=architecture, cohort_name="SIMULATED", simulated=True, seed=0, subjects=SUBJECTS,
        data_digest="-", task_digest="-", config_digest="-", code_digest="-",
        predictions_digest="-",
    )  # fmt: skip
    is_one = architecture == "hybrid"
    members = Ensemble([averaged(fitted.served)] if is_one else fitted.served)
    write_bundle(folder / "bundle", members, fitted.calibration, batch, task, lineage, card="-")
    return folder / "bundle"


def explanations(bundle: Bundle, pair: SequenceBatch) -> dict[str, float]:
    """Time exact reasons and the alternatives on one subject, all horizons."""
    game = game_of(bundle, pair)
    players = len(game.players)
    present_1M = present_modalities(pair, bundle.manifest.modalities)
    order = [player.modality for player in game.players]

    def full(member_KP: np.ndarray) -> np.ndarray:
        """Return the median at week 12, the whole network run for each coalition."""
        medians = []
        for member_P in member_KP:
            mask_1M = present_1M.copy()
            mask_1M[0, order] = member_P
            medians.append(run_head(bundle, embed(bundle, pair), mask_1M)[0, 3, MEDIAN])
        return np.array(medians)

    members = coalitions(players).astype(float)
    sample = members[:: max(1, len(members) // NAIVE)]
    naive = processor_milliseconds(lambda: full(sample), 1) * len(members) / len(sample)
    exact = processor_milliseconds(lambda: explain(game_of(bundle, pair), 3), 3)
    values = explain(game, 3).values
    background, ones = np.zeros((1, players)), np.ones((1, players))

    def relative_error(other: np.ndarray) -> float:
        return float(np.abs(other - values).sum() / np.abs(values).sum())

    def permutation() -> np.ndarray:
        # Each permutation costs 2 * players + 1 evaluations.
        masker = shap.maskers.Independent(background)
        explainer = shap.explainers.Permutation(full, masker, seed=0)
        return np.asarray(explainer(ones, max_evals=2000, silent=True).values[0])

    def kernel() -> np.ndarray:
        explainer = shap.KernelExplainer(full, background, seed=0)
        return np.asarray(explainer.shap_values(ones, nsamples=2000, silent=True)[0])

    figures: dict[str, float] = {
        "players": players, "exact_processor_ms": exact, "full_network_processor_ms": naive,
        "exact_wall_ms": milliseconds(lambda: explain(game_of(bundle, pair), 3), 3),
    }  # fmt: skip
    for name, alternative in (("permutation", permutation), ("kernel", kernel)):
        started = time.process_time()
        figures[f"{name}_off"] = relative_error(alternative())
        figures[f"{name}_processor_ms"] = 1000 * (time.process_time() - started)
    return {**figures, "full_network_over_exact": naive / exact}


@contextmanager
def serving(folder: Path, program: str, kind: str) -> Iterator[int]:
    """Run one server in a process of its own, and yield its port."""
    folder.mkdir()
    (folder / "application.py").write_text(program)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    address = ["--host", "127.0.0.1", "--port", str(port)]
    command = {
        "rehabcast": ["serving.server", "application:service", *address],
        "fastapi": ["uvicorn", "application:app", "--log-level", "warning", *address],
    }[kind]
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603  (our own command line)
            [sys.executable, "-m", *command], cwd=folder, env=environment, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield port
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


def under_load(bundle_folder: Path, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Load our service and FastAPI with pydantic, the same model behind both."""
    figures: dict[str, Any] = {}
    for kind, program in (("rehabcast", BENTO), ("fastapi", FASTAPI)):
        filled = program.format(
            folder=str(bundle_folder), digest=verify_bundle(bundle_folder),
            store=str(folder / f"{kind}.db"),
            token=TOKEN,
        )  # fmt: skip
        alone, explained = (
            request_of("/v1/forecast", TOKEN, json.dumps(body).encode())
            for body in ({**request, "explain": False}, request)
        )
        with serving(folder / kind, filled, kind) as port:
            asyncio.run(hammer(port, alone, 1, 2))
            figures[kind] = {
                "forecast_1": asyncio.run(hammer(port, alone, 1, SECONDS)),
                "forecast_16": asyncio.run(hammer(port, alone, 16, SECONDS)),
                "forecast_64": asyncio.run(hammer(port, alone, 64, SECONDS)),
                "explained_1": asyncio.run(hammer(port, explained, 1, SECONDS)),
            }
            if kind == "rehabcast":
                rate = OVERLOAD * figures[kind]["forecast_64"]["per_s"]
                figures[kind]["overload"] = asyncio.run(flood(port, alone, rate, SECONDS))
        for name, row in figures[kind].items():
            print(f"{kind} {name}: " + ", ".join(f"{k} {v:.1f}" for k, v in row.items()))
    return figures


def main() -> None:
    """Run all benchmarks."""
    events, provenance = simulate(subjects=SUBJECTS, seed=0)
    task = read_task(TASK)
    batch = training_sequences(events, task)
    cohort = Cohort(events=events, provenance=provenance, digest="-")
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for architecture in ARCHITECTURES:
            folder = Path(name) / architecture
            folder.mkdir()
            bundle_folder = make_bundle(architecture, batch, folder, task)
            digest = verify_bundle(bundle_folder)
            bundle = load_bundle(bundle_folder, expected_digest=digest)
            count_B = present_modalities(batch, bundle.manifest.modalities).sum(axis=1)
            fullest = batch.take(np.array([count_B.argmax()]))
            row = explanations(bundle, fullest)
            figures[architecture] = row
            print(f"{architecture}: " + ", ".join(f"{k} {v:.2f}" for k, v in row.items()))
            subject = int(fullest.subject_B[0])
            request = msgspec.to_builtins(
                forecast_request(cohort, cohort.label(subject), as_of_day=21, weeks=None)
            )
            figures[f"{architecture}_service"] = under_load(bundle_folder, request, folder)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
