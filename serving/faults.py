"""What an operator of the service has to look at."""

from __future__ import annotations

from dataclasses import dataclass

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
