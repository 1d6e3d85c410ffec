"""Requests with fixed dates, brought forward: the service forecasts from today."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from serving.http import examples


def as_of_today(body: Any, written: str = examples.WRITTEN) -> Any:
    """Return a request as if it had been written today."""
    return examples.brought_forward(body, written, datetime.now(UTC).date())


# Of the day on which the tests were collected, which may be yesterday: where an answer depends on the day,
# a test asks `as_of_today` itself.
BUNDLE, HOOK = as_of_today(examples.BUNDLE), as_of_today(examples.HOOK)
CONDITION, OBSERVATION = as_of_today(examples.CONDITION), as_of_today(examples.OBSERVATION)
