"""Groups of a prediction table's rows, by sensitive attribute and by intersection of two.

Letters: N rows of a table, G groups of a grouping.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from contracts.errors import ContractError
from contracts.groups import EVERYONE as EVERYONE
from contracts.predictions import GROUP, PATTERN
from contracts.vocabulary import NOT_RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One way to divide a table's rows into groups.

    A subject may be in two groups where the attribute changes with the forecast's origin.

    Parameters
    ----------
    axis
        Name of the attribute, `x & y` for an intersection, `everyone` for all rows.
    attributes
        The attributes themselves: none, one or two.
    labels_G
        Names of the groups, `a & b` for an intersection.
    group_N
        Group of each row, as an index into `labels_G`.
    parts_G
        The labels that make a group: of each of its attributes.
    """

    axis: str
    attributes: tuple[str, ...]
    labels_G: tuple[str, ...]
    group_N: NDArray[np.intp]
    parts_G: tuple[tuple[str, ...], ...] = ()

    @property
    def is_constant(self) -> bool:
        """True where all rows are in one group, so that there is nothing to compare."""
        return len(self.labels_G) == 1


def everyone(table: pd.DataFrame) -> Grouping:
    """Return the grouping with everyone in one group."""
    group_N = np.zeros(len(table), dtype=np.intp)
    return Grouping(
        axis=EVERYONE, attributes=(), labels_G=(EVERYONE,), group_N=group_N, parts_G=((),)
    )


def by_attribute(table: pd.DataFrame) -> list[Grouping]:
    """Return one grouping per sensitive attribute; "not recorded" is a group like any other.

    Raises
    ------
    ContractError
        A row has no label: it would drop out of every group unnoticed.
    """
    names = [str(name) for name in table.columns if str(name).startswith(GROUP)]
    return [_attribute(name.removeprefix(GROUP), table[name]) for name in names]


def by_pattern(table: pd.DataFrame) -> list[Grouping]:
    """Return one grouping per kind of pattern of the course (`contracts.predictions`).

    Patterns are no attributes of people: they are compared with nobody, crossed with nothing, and
    nobody is held back because of one. Their axes have a name that no attribute has.

    Raises
    ------
    ContractError
        A row has no label.
    """
    names = [str(name) for name in table.columns if str(name).startswith(PATTERN)]
    return [_attribute(name, table[name]) for name in names]


def is_pattern(axis: str) -> bool:
    """Return whether an axis is a kind of pattern and not an attribute of people."""
    return axis.startswith(PATTERN)


def intersections(attributes: list[Grouping]) -> list[Grouping]:
    """Return the intersections of every two groupings, without empty groups.

    An attribute with everyone in one group is left out: its intersections would repeat the other.
    """
    varied = [grouping for grouping in attributes if not grouping.is_constant]
    return [_intersection(first, second) for first, second in itertools.combinations(varied, 2)]


def _attribute(name: str, label_N: pd.Series[str]) -> Grouping:
    if label_N.isna().any():
        missing = int(label_N.isna().sum())
        raise ContractError(
            f"{label_N.name}: {missing} row(s) have no label", f'label them "{NOT_RECORDED}"'
        )
    labels_G, group_N = np.unique(label_N.to_numpy(dtype=str), return_inverse=True)
    rank = _ranks(label_N)
    order_G = np.array(sorted(range(len(labels_G)), key=lambda group: rank[str(labels_G[group])]))
    ordered = tuple(labels_G[order_G].tolist())
    return Grouping(
        axis=name,
        attributes=(name,),
        labels_G=ordered,
        group_N=np.argsort(order_G)[group_N],
        parts_G=tuple((label,) for label in ordered),
    )


def _ranks(label_N: pd.Series[str]) -> dict[str, int]:
    """Return each label's rank: in the column's own order where it has one, else alphabetical.

    "not recorded" comes last.
    """
    labels = list(
        label_N.cat.categories if _has_order(label_N) else sorted(label_N.astype(str).unique())
    )
    known = [label for label in labels if label != NOT_RECORDED]
    return {label: rank for rank, label in enumerate([*known, NOT_RECORDED])}


def _has_order(label_N: pd.Series[str]) -> bool:
    return isinstance(label_N.dtype, pd.CategoricalDtype) and bool(label_N.dtype.ordered)


def _intersection(first: Grouping, second: Grouping) -> Grouping:
    width = len(second.labels_G)
    present_G, group_N = np.unique(first.group_N * width + second.group_N, return_inverse=True)
    parts_G = tuple(
        (first.labels_G[g // width], second.labels_G[g % width]) for g in present_G.tolist()
    )
    return Grouping(
        axis=f"{first.axis} & {second.axis}",
        attributes=(*first.attributes, *second.attributes),
        labels_G=tuple(" & ".join(parts) for parts in parts_G),
        group_N=group_N,
        parts_G=parts_G,
    )
