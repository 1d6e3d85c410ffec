"""Requests with fixed dates, brought forward: the service forecasts from today."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from typing import Any

from serving.http import examples


def as_of_today(body: Any, written: str = examples.WRITTEN) -> Any:
    """Return a request as if it had been written today."""
    later = datetime.now(UTC).date() - date.fromisoformat(written)

    def moved(found: re.Match[str]) -> str:
        return (date.fromisoformat(found[0]) + later).isoformat()

    # The year keeps dates of birth, and a condition of years ago, where they are.
    return json.loads(re.sub(rf"{written[:4]}-\d\d-\d\d", moved, json.dumps(body)))


BUNDLE, HOOK = as_of_today(examples.BUNDLE), as_of_today(examples.HOOK)
CONDITION, OBSERVATION = as_of_today(examples.CONDITION), as_of_today(examples.OBSERVATION)
