"""Which cluster each person is in: the hospital, the assessor, whatever the task declares.

Letters: N rows, S people, K clusterings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.predictions import CLUSTER

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Which cluster each person is in.

    Parameters
    ----------
    names
        Of the clusterings, as the task declares them.
    number_KS
        Number of each person's cluster, by its first person: so the numbers depend on no label and
        on no order of rows, and where each person is a cluster they are those of the people.
    """

    names: tuple[str, ...]
    number_KS: Index

    @staticmethod
    def of(rows: pd.DataFrame, subject_N: Index) -> Clusters | None:
        """Return the clusters that a table's columns give; None where it has none.

        Parameters
        ----------
        subject_N
            Number of each row's person, from 0, each with a row. A person's rows agree.
        """
        names = cluster_names(rows)
        if not names:
            return None
        _, first_S = np.unique(subject_N, return_index=True)
        labels = (rows[CLUSTER + name].to_numpy(dtype=object)[first_S] for name in names)
        numbers = [
            np.asarray(pd.factorize(label_S, use_na_sentinel=False)[0], dtype=np.intp)
            for label_S in labels
        ]
        return Clusters(names=names, number_KS=np.stack(numbers))


def cluster_names(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the clusterings that a table has columns of."""
    names = (str(name) for name in rows.columns)
    return tuple(name.removeprefix(CLUSTER) for name in names if name.startswith(CLUSTER))
