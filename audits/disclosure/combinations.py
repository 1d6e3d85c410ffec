"""Which sums are combinations of other sums, and of which few: linear algebra for `attack`.

Letters: N rows, A kinds of row that the sums can tell apart, S sets, K shown sums, Q sums asked
about.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]

EXACT = 1e-7
"""Share of a sum that may remain unexplained in a combination that yields it."""


def per_row(sum_KN: sparse.csr_array, kind_N: NDArray[np.intp]) -> sparse.csr_array:
    """Return what each kind of row weighs in sums, on average over its rows, (K, A)."""
    of_kind_KA = sparse.csr_array(sparse.csr_array(sum_KN, dtype=np.float64) @ by_kind(kind_N))
    of_kind_KA.data /= np.bincount(kind_N)[of_kind_KA.indices]
    return of_kind_KA


def determined(shown_KA: sparse.csr_array, asked_QA: sparse.csr_array) -> NDArray[np.intp]:
    """Return which asked sums are combinations of shown sums, by least squares."""
    gram_KK = (shown_KA @ shown_KA.T).toarray().astype(np.float64)
    value_K, vector_KK = np.linalg.eigh(gram_KK)
    kept_K = value_K > value_K[-1] * len(value_K) * np.finfo(np.float64).eps * 10
    seen_QK = (asked_QA @ shown_KA.T).toarray() @ vector_KK[:, kept_K]
    size_Q = np.asarray((asked_QA**2).sum(axis=1), dtype=np.float64)
    explained_Q = (seen_QK**2 / value_K[kept_K]).sum(axis=1)
    return np.flatnonzero(size_Q - explained_Q <= EXACT * size_Q)


def fewest_used(shown_KA: sparse.csr_array, asked_A: Array) -> NDArray[np.intp]:
    """Return shown sums of which few make up the asked one: the least sum of coefficients."""
    equations = sparse.vstack([shown_KA, asked_A[None, :]]).toarray()
    first = np.unique(equations, axis=1, return_index=True)[1]
    shown = shown_KA.toarray()[:, first].T
    sums = shown.shape[1]
    # Here: whoever only reads reports, as the service does, needs none of it.
    from scipy.optimize import linprog

    solved = linprog(
        np.ones(2 * sums), A_eq=np.hstack([shown, -shown]), b_eq=asked_A[first], method="highs"
    )
    if solved.x is None:
        return np.arange(sums)
    coefficient_K = solved.x[:sums] - solved.x[sums:]
    return np.flatnonzero(abs(coefficient_K) > 1e-9)


def kinds(weight_SN: sparse.csr_array) -> tuple[NDArray[np.intp], sparse.csr_array]:
    """Return the kind of each row, by its weight in each set, and the kinds of each set."""
    held = sparse.csc_array(weight_SN)
    held.sort_indices()
    ends = [slice(*held.indptr[n : n + 2]) for n in range(held.shape[1])]
    signature = [(held.indices[of].tobytes(), held.data[of].tobytes()) for of in ends]
    number: dict[tuple[bytes, bytes], int] = {}
    kind_N = np.array([number.setdefault(each, len(number)) for each in signature], dtype=np.intp)
    _, first = np.unique(kind_N, return_index=True)
    return kind_N, sparse.csr_array(held[:, first])


def by_kind(kind_N: NDArray[np.intp]) -> sparse.csr_array:
    """Return which rows are of each kind, (N, A)."""
    ones = np.ones(len(kind_N))
    return sparse.csr_array(
        (ones, (np.arange(len(kind_N)), kind_N)), shape=(len(kind_N), kind_N.max() + 1)
    )
