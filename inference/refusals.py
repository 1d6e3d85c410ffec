"""Why the service gives somebody no forecast: one rule for the service and for what is judged.

Letters: B pairs of subject and origin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.groups import attributes_of_person
from contracts.task import Task
from contracts.vocabulary import NOT_RECORDED


class Refusal(StrEnum):
    """Why there is no forecast; the first that holds is the one that is told."""

    NOTHING_MEASURED = "nothing measured since enrolment"
    NO_SCORE = "no score in the days before"
    GROUP = "nobody of the group in the audit"
    FEW_ALIKE = "too few people alike were trained on"
    UNLIKE = "unlike the people trained on"


def unaudited_attribute(
    audited: Iterable[tuple[str, str]], groups: Mapping[str, str], task: Task
) -> str | None:
    """Return the first attribute whose group of a subject was not in the audit; None if none.

    A subject whose attribute is not recorded, or who wore a device more or less than anybody in the
    audit, is not refused: that is a state of the record, not a population. The answer still says
    that the audit had too few people like them.
    """
    known = set(audited)
    attributes = attributes_of_person(task) & {attribute for attribute, _ in known}
    for attribute, label in groups.items():
        recorded = label != NOT_RECORDED
        if attribute in attributes and recorded and (attribute, label) not in known:
            return attribute
    return None


def groups_in(groups_B: pd.DataFrame) -> frozenset[tuple[str, str]]:
    """Return every group that somebody belongs to, as attribute and label."""
    return frozenset(
        (str(name), str(label)) for name in groups_B for label in groups_B[name].unique()
    )


def refusals(
    groups_B: pd.DataFrame,
    task: Task,
    audited: Iterable[tuple[str, str]],
    unlike_B: NDArray[np.bool_],
    *,
    few_alike_B: NDArray[np.bool_],
    nothing_measured_B: NDArray[np.bool_] | None = None,
    no_score_B: NDArray[np.bool_] | None = None,
) -> NDArray[np.object_]:
    """Return why the service would refuse each pair, (B,); empty where it would answer.

    Parameters
    ----------
    audited
        The groups of the audit; none where there was no audit.
    unlike_B
        Which pairs are out of distribution (`inference.out_of_distribution`).
    few_alike_B
        Which pairs have no horizon with enough people behind it (`inference.similar`).
    """
    nobody_B = np.zeros(len(groups_B), dtype=np.bool_)
    known = frozenset(audited)
    unaudited_B = np.array(
        [unaudited_attribute(known, row, task) is not None for row in _rows(groups_B)],
        dtype=np.bool_,
    )
    conditions = {
        Refusal.NOTHING_MEASURED: nobody_B if nothing_measured_B is None else nothing_measured_B,
        Refusal.NO_SCORE: nobody_B if no_score_B is None else no_score_B,
        Refusal.GROUP: unaudited_B,
        Refusal.FEW_ALIKE: few_alike_B,
        Refusal.UNLIKE: unlike_B,
    }
    reasons = [str(refusal) for refusal in conditions]
    chosen = np.select(list(conditions.values()), reasons, default="")
    return np.asarray(chosen, dtype=object)


def _rows(groups_B: pd.DataFrame) -> Iterable[dict[str, str]]:
    names = [str(name) for name in groups_B]
    columns = [groups_B[name].astype(str) for name in groups_B]
    return (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
