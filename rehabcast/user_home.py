"""A home for a user who has none, as in a container whose user's number is in no list of users."""

from __future__ import annotations

import atexit
import shutil
from pathlib import Path
from tempfile import mkdtemp


def home_if_unknown() -> dict[str, str]:
    """Return HOME, a private temporary folder, where nobody knows one: libraries end without it."""
    try:
        Path.home()
    except RuntimeError:
        folder = mkdtemp(prefix="rehabcast-")
        # Not run where this process becomes the service, which then keeps it.
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return {"HOME": folder}
    return {}
