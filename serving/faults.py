"""What an operator of the service has to look at."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import RehabcastError, in_words


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with the service now, and what an operator can do about it.

    Reason and advice stay apart until they are shown: `/readyz` gives a sentence, the answer to a
    clinician only the reason.
    """

    reason: str
    what_to_do: str

    @classmethod
    def of(cls, error: RehabcastError) -> Fault:
        """Return what an error says."""
        return cls(error.reason, error.what_to_do)

    def __str__(self) -> str:
        return in_words(self.reason, self.what_to_do)


def place_of(error: BaseException) -> str:
    """Return type and place of an error, for the log.

    Its own words, and so its traceback, may hold an address with a password, a path or a patient's
    value.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
