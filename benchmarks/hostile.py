"""Forecasts and probes beside 1,000 connections that only keep the service waiting.

    make bench NAME=hostile

Prints one line of JSON. REHABCAST_BENCH_SECONDS sets how long each half lasts, 20 s by default.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import msgspec
from service import BENTO, SUBJECTS, TASK, TOKEN, make_bundle, serving

from features.sequences import training_sequences
from features.simulate import simulate
from inference.bundle import verify_bundle
from serving.http.examples import RECORD
from support.load import request_of
from support.under_attack import measured
from training.task import read_task

HOSTILE, CALLERS = 1_000, 16
SECONDS = float(os.environ.get("REHABCAST_BENCH_SECONDS", "20"))


def main() -> None:
    """Measure once without and once with them."""
    events, _ = simulate(subjects=SUBJECTS, seed=0)
    task = read_task(TASK)
    batch = training_sequences(events, task)
    request = request_of("/v1/forecast", TOKEN, msgspec.json.encode({**RECORD, "explain": False}))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle_folder = make_bundle("hybrid", batch, folder, task)
        program = BENTO.format(
            folder=str(bundle_folder), digest=verify_bundle(bundle_folder),
            store=str(folder / "service.db"), token=TOKEN,
        )  # fmt: skip
        with serving(folder / "server", program, "rehabcast") as port:
            figures = measured(
                port, request, TOKEN, hostile=HOSTILE, callers=CALLERS, seconds=SECONDS
            )
    figures["ratio"] = {"p99": figures["attacked"]["p99_ms"] / figures["alone"]["p99_ms"]}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
