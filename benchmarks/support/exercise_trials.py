"""SIMULATED sets whose repetitions are known, and days of them: errors, time and memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from features.exercise.measures import measured
from features.exercise.motion import motions
from features.exercise.repetitions import repetitions
from features.exercise.sets import sets
from features.exercise.simulated import simulated_set
from features.recording import Signal
from support import shoulder


def simulated(number: int = 60) -> dict[str, float]:
    """Return how far measures are from what is known of SIMULATED sets."""
    ranges, times, tempo, right = [], [], [], 0
    for seed in range(number):
        generator = np.random.default_rng(seed)
        made = simulated_set(
            int(generator.integers(3, 15)), generator, range_deg=generator.uniform(30, 160),
            seconds=generator.uniform(1.4, 4.0), up_share=generator.uniform(0.35, 0.65),
            pause_s=0.6 * (seed % 2),
        )  # fmt: skip
        spans = sets(made.values_T6)
        values_T6 = made.values_T6[slice(*spans[0])]
        done = measured(values_T6, repetitions(values_T6))
        if len(spans) != 1 or len(done) != len(made.seconds):
            continue
        right += 1
        ranges += list(
            np.abs(np.array([each.range_deg for each in done], dtype=float) - made.range_deg)
        )
        times += list(np.abs(np.array([each.duration_s for each in done]) / made.seconds - 1))
        tempo += list(np.abs(np.array([each.tempo for each in done]) - made.up_share))
    return {
        "sets counted right": right / number, "range, mean error deg": float(np.mean(ranges)),
        "range, 95 % within deg": float(np.quantile(ranges, 0.95)),
        "time of a repetition, mean error %": 100 * float(np.mean(times)),
        "share on the way up, mean error %": 100 * float(np.mean(tempo)),
    }  # fmt: skip


def days(*hours: int) -> list[dict[str, float]]:
    """Return time and memory of recordings of so many hours, each in a process of its own."""
    program = "import sys; from support.exercise_trials import one_day; one_day(int(sys.argv[1]))"
    return [
        json.loads(
            subprocess.run(  # noqa: S603
                [sys.executable, "-c", program, str(each)], capture_output=True, check=True
            ).stdout
        )
        for each in hours
    ]


def one_day(hours: int) -> None:
    """Find the sets of some hours of 50 Hz, two an hour, and print time and memory."""
    begun = time.process_time()
    spent = 0.0
    made = simulated_set(15, np.random.default_rng(0)).values_T6.repeat(2, axis=0)

    def parts() -> Iterator[tuple[Signal, Signal]]:
        nonlocal spent
        for hour in range(hours):
            first = time.process_time()
            values = np.random.default_rng(hour).normal(0, 0.004, (180_000, 6)).astype(np.float32)
            values[:, 0] -= 1
            values[:, 3:] *= 100
            for place in (20_000, 110_000):
                values[place : place + len(made)] = made
            pair = shoulder.signals(values, 50.0, start=shoulder.START + np.timedelta64(hour, "h"))
            spent += time.process_time() - first
            yield pair

    (whole,) = motions(parts())
    found = [repetitions(whole.values_T6[a:b]) for a, b in sets(whole.values_T6)]
    seconds = time.process_time() - begun - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        json.dumps({"hours": hours, "sets": len(found), "seconds": seconds, "MiB": peak})
    )
