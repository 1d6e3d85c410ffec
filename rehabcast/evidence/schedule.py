"""Looks at outcomes every so many hours beside a service, in a process of its own.

It runs the command that cron would run, at the lowest priority, so that no answer waits for it. It
ends with the service: its standard input closes then. Two services on one record may both look:
weeks are counted in one transaction, and only one of them changes a champion.
"""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence

from contracts.naming.model_version import split_version
from rehabcast.identity import read_trail
from rehabcast.settings import Settings

FIRST_WAIT_SECONDS = 60.0
"""The service starts first."""

LOWEST = 19
"""Priority."""

Look = Callable[[str], int]
"""Looks at a model's outcomes; returns the command's exit code."""

log = logging.getLogger("rehabcast.evidence")


def begin(settings: Settings) -> subprocess.Popen[bytes] | None:
    """Start looking every so often; None where the setting asks for nothing."""
    if settings.monitoring_hours is None:
        return None
    return subprocess.Popen(  # noqa: S603  (our own module)
        [sys.executable, "-m", __spec__.name], stdin=subprocess.PIPE, start_new_session=True
    )


def keep_looking(
    models: Callable[[], Sequence[str]],
    look: Look,
    stop: int,
    *,
    seconds: float,
    first_wait: float = FIRST_WAIT_SECONDS,
) -> None:
    """Look at each model's outcomes again and again, until a pipe closes.

    Parameters
    ----------
    models
        Whose champions: asked each time, as another may have been promoted.
    stop
        File descriptor that can be read once the service has ended.
    """
    wait = first_wait
    while not select.select([stop], [], [], wait)[0]:
        for model in models():
            if (code := look(model)) != 0:
                log.error("monitoring of %s ended with %d; it is tried again later", model, code)
        wait = seconds


def served_models(settings: Settings) -> Sequence[str]:
    """Return the models whose champions are served."""
    if settings.model:
        return settings.model
    changed = [entry.about for entry in read_trail(settings) if entry.is_champion_change]
    return [split_version(version)[0] for version in changed[-1:]]


def _look(model: str) -> int:
    command = [sys.executable, "-m", "rehabcast", "monitor", "run", model]
    nothing = subprocess.DEVNULL
    # What it found is in MLflow and in the ledger; a log is for what went wrong.
    done = subprocess.run(command, check=False, stdin=nothing, stdout=nothing)  # noqa: S603
    return done.returncode


def _main() -> None:
    settings = Settings()
    os.nice(LOWEST)
    logging.basicConfig(level=logging.INFO)
    hours = settings.monitoring_hours
    assert hours is not None  # noqa: S101  (`begin` has checked)
    keep_looking(lambda: served_models(settings), _look, sys.stdin.fileno(), seconds=3600 * hours)


if __name__ == "__main__":
    _main()
