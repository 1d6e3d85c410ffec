"""Refuses what no forecast would read, and says what is wrong with a record."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import CohortInvalid, ForecastRefused, Problem
from contracts.observation import Observation
from contracts.vocabulary.nearest import nearest_codes
from features.checks import UNKNOWN_CODES
from inference.record import check_observations, place_of

MAX_PROBLEMS = 5
"""Problems of a record that a refusal names; more would hide the first ones."""

NOT_A_CODE = "its code is not in the vocabulary"
OTHER_CODES = "send a code of the vocabulary (docs/vocabulary.md), or leave the value out"


def require_possible(observations: Sequence[Observation]) -> None:
    """Refuse what no forecast would read: on record it would hide what alerts should say.

    Raises
    ------
    ForecastRefused
        An observation breaks the cohort contract: says which, and what to do.
    """
    try:
        check_observations(observations)
    except CohortInvalid as invalid:
        raise refusal_of_record(invalid.problems, observations) from None


def refusal_of_record(
    problems: Sequence[Problem], observations: Sequence[Observation]
) -> ForecastRefused:
    """Combine what is wrong with a record: the first findings, then what to do about each."""
    said = [_in_words(problem, observations) for problem in problems[:MAX_PROBLEMS]]
    # Two values with the same fault need the same advice only once.
    advice = list(dict.fromkeys(f"{field}: {do}" for field, _, do in said if do))
    return ForecastRefused(
        "; ".join(f"{field}: {found}" for field, found, _ in said),
        "; ".join(advice) or "correct the record at its source and send it again",
    )


def _in_words(problem: Problem, observations: Sequence[Observation]) -> tuple[str, str, str]:
    """Return what is meant, what is wrong with it and what to do.

    A code that is not known may be anything that somebody wrote: it is told by its place.
    """
    place = place_of(problem)
    if problem.cause != UNKNOWN_CODES or place is None:
        return problem.field, problem.found, problem.advice
    meant = " or ".join(nearest_codes(observations[place].code))
    return (
        f"observation {place + 1}", NOT_A_CODE, f"did you mean {meant}?" if meant else OTHER_CODES
    )  # fmt: skip
