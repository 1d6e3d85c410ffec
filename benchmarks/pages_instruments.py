"""What a patient's page costs with one, two and three models, and what a score of each is worth.

The baseline in the same run is the same as JSON: `/v1/instruments` of the same service. The three
services and what is asked of them take turns, so that other load on the machine falls on all.
Networks of one epoch, SIMULATED people who have scores of all three instruments: the figures are
times, not accuracy. `--serve` leaves the service of three models running, to be looked at.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from instruments import SERVICE, TASKS
from service import TOKEN, make_bundle, serving

from contracts.cohort import Cohort
from contracts.task import Task
from contracts.verdict import Outcome
from features.sequences import training_sequences
from features.simulate import simulate
from inference.bundle import load_bundle, verify_bundle
from rehabcast.commands.service.serve import forecast_request
from serving.access.trust import DEVELOPMENT
from serving.forecast.audit_status import AuditStatus, ServedModel
from serving.forecast.question import Question
from serving.forecast.respond import respond
from serving.state.store import Store
from training.task import read_task

SUBJECTS, FOLDS, MODELS = 40, 3, (1, 2, 3)
TURNS = int(os.environ.get("REHABCAST_BENCH_TURNS", "60"))
PAGES = "service = build_service(open_runtime, 1, Pages(PAGES))"
WITH_PAGES = (
    "from serving.pages.mounted import Pages\nfrom serving.pages.table import PAGES\n"
    + SERVICE.replace("service = build_service(open_runtime)", PAGES)
)
PATIENT = "/pages/patients/P-1"


def main() -> None:
    """Print the milliseconds of each page and of its baseline; or serve all models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true")
    look = parser.parse_args().serve
    events, provenance = simulate(subjects=SUBJECTS, seed=0)
    cohort = Cohort(events=events, provenance=provenance, digest="-")
    record = forecast_request(cohort, cohort.label(1), as_of_day=21, weeks=None)
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        models: dict[str, tuple[str, str]] = {}
        for task in tasks():
            folder = Path(name) / task.name
            folder.mkdir()
            made = make_bundle("hybrid", training_sequences(events, task), folder, task, FOLDS)
            models[task.name] = (str(made), verify_bundle(made))
        for place in models.values():
            worth_alone(*place, record)
        asked: dict[str, Callable[[], httpx.Response]] = {}
        for count in MODELS[-1:] if look else MODELS:
            database = f"{name}/{count}.db"
            fill(database, record)
            some = dict(list(models.items())[:count])
            program = WITH_PAGES.format(models=some, store=database, token=TOKEN)
            served = Path(name) / f"served-{count}"
            port = opened.enter_context(serving(served, program, "rehabcast"))
            if look:
                print(f"http://127.0.0.1:{port}/pages/sign-in?token={TOKEN}", flush=True)
                time.sleep(3600)
            print(f"{count}: http://127.0.0.1:{port}", flush=True)
            asked |= rows(opened, port, count)
        report(asked)


def worth_alone(folder: str, digest: str, record: Any) -> None:
    """Print what the worth of one more score adds to a forecast: processor time, by turns."""
    status = AuditStatus(
        model_version="bench/1", report_digest="-", outcome=Outcome.PASS,
        valid_until=datetime(2100, 1, 1, tzinfo=UTC), approver=None, reason=None,
    )  # fmt: skip
    bundle = load_bundle(Path(folder), expected_digest=digest)
    added = []
    for turn in range(-3, TURNS):
        times = [time.process_time()]
        for worth in (False, True):
            question = Question(
                subject="P-1", enrolment_day=record.enrolment_day, explain=False,
                observations=record.observations, next_measurement=worth,
            )  # fmt: skip
            served = ServedModel(bundle=bundle, audit_status=status)
            answer = respond(question, served, now=datetime.now(UTC))
            times.append(time.process_time())
        if turn >= 0:
            added.append(1000 * (times[2] - 2 * times[1] + times[0]))
    p50, p95 = statistics.median(added), float(np.quantile(added, 0.95))
    print(
        f"{bundle.task.name}: the worth adds {p50:.1f} ms, p95 {p95:.1f} ms ({answer.status})",
        flush=True,
    )  # fmt: skip


def tasks() -> list[Task]:
    """Return the tasks whose instruments one SIMULATED cohort has."""
    return [read_task(Path(__file__).parents[1] / "tasks" / f"{each}.toml") for each in TASKS]


def fill(database: str, record: Any) -> None:
    """Put one patient of SIMULATED values on record, as of three weeks after enrolment."""
    store = Store(f"sqlite:///{database}")
    store.add(
        DEVELOPMENT, "P-1", record.enrolment_day, record.observations, actor="bench",
        now=datetime.now(UTC),
    )  # fmt: skip
    store.close()


def rows(opened: ExitStack, port: int, count: int) -> dict[str, Callable[[], httpx.Response]]:
    """Return what is asked of one service, by name."""
    browser = opened.enter_context(
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, follow_redirects=True)
    )
    browser.post("/pages/sign-in/trial", data={"person": "Bench", "password": TOKEN})
    token = {"Authorization": f"Bearer {TOKEN}"}

    def programs(**more: bool) -> httpx.Response:
        return browser.post("/v1/instruments", json={"subject": "P-1", **more}, headers=token)

    return {
        f"{count} baseline": lambda: programs(explain=True),
        f"{count} page": lambda: browser.get(PATIENT),
        f"{count} baseline, with the worth": lambda: programs(next_measurement=True),
        f"{count} page, with the worth": lambda: browser.get(f"{PATIENT}?worth=1"),
    }


def report(asked: dict[str, Callable[[], httpx.Response]]) -> None:
    """Ask all by turns, and print the median and the 95th percentile of each."""
    taken: dict[str, list[float]] = {name: [] for name in asked}
    size = {}
    for turn in range(-3, TURNS):
        for name, request in asked.items():
            began = time.perf_counter()
            answer = request()
            ended = time.perf_counter()
            if answer.is_error:
                raise AssertionError(f"{name}: {answer.text}")
            size[name] = len(answer.content)
            if turn >= 0:
                taken[name].append(1000 * (ended - began))
    for name, each in taken.items():
        p50, p95 = statistics.median(each), float(np.quantile(each, 0.95))
        print(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, {size[name]:,} bytes")


if __name__ == "__main__":
    main()
