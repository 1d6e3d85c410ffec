"""The environment that libraries find when they are imported: a home, and no telemetry.

In a container the user's number may be in no list of users; then there is no home.
"""

from __future__ import annotations

import atexit
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp


def library_environment() -> dict[str, str]:
    """Return what libraries must find in the environment before they are imported."""
    # No dependency may report to its makers from a hospital's network.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "BENTOML_DO_NOT_TRACK": "True"}
    return home_if_unknown() | {n: quiet[n] for n in quiet if n not in os.environ}


def home_if_unknown() -> dict[str, str]:
    """Return HOME, a private temporary folder, where nobody knows one: libraries end without it."""
    try:
        Path.home()
    except RuntimeError:
        folder = mkdtemp(prefix="rehabcast-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return {"HOME": folder}
    return {}
