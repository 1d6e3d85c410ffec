"""Which numbers of a report may be shown: one pattern for all of it, decided on the table of rows.

A quantity is what numbers add up over: forecasts given, forecasts of one milestone, forecasts
asked for, forecasts explained, forecasts that a comparator made too. The pattern of the forecasts
given comes first. What it hides is hidden in every quantity, so that counts of people, which all of
them show, cannot be compared; a quantity may hide more, where its own denominators are smaller.

A finding on other cells than these, such as one among the people in scope only, gets no number: how
it differs from the shown cells was not considered. Letters: N rows, D denominators.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audits.disclosure.cells import Cell, Cells
from audits.disclosure.earlier import EarlierReport, beside, shown_cells
from audits.disclosure.layout import cells_of
from audits.disclosure.pattern import hidden_sets
from audits.disclosure.quantities import (
    Counted,
    Quantity,
    ShownCells,
    quantity_of,
    recorded_denominators,
)
from audits.judging.policy import Policy, Rule
from audits.judging.rules import rows_of
from audits.measure.disparity import Scope
from audits.measure.groups import (
    EVERYONE,
    Grouping,
    by_attribute,
    by_pattern,
    everyone,
    intersections,
    is_pattern,
)
from audits.measure.metrics import horizons, milestones
from audits.measure.prediction_table import KEY, has_forecast
from contracts.predictions import (
    CANDIDATE,
    CHANCE,
    EXPLANATION_GAP,
    EXPLANATION_INSTABILITY,
    HORIZON,
    SUBJECT,
)

Bools = NDArray[np.bool_]
Slice = tuple[int | None, tuple[str, ...]]
"""A horizon, None for all, and the axes that are shown at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Which cells of which quantities may be shown.

    Parameters
    ----------
    shown
        Cells by quantity; what is not among them is hidden.
    groups
        The groups of each axis.
    """

    shown: ShownCells
    groups: dict[str, tuple[str, ...]]

    def shows(self, quantity: Quantity, cell: Cell) -> bool:
        """Return whether a number of one cell may be shown."""
        return cell in self.shown.get(quantity, frozenset())

    def shows_beside_rest(self, quantity: Quantity, cell: Cell) -> bool:
        """Return whether a number that compares a cell with everyone else may be shown.

        With the cell's own number it tells everyone's, so that must be shown too.
        """
        whole = Cell(axis=EVERYONE, group=EVERYONE, horizon_day=cell.horizon_day)
        return self.shows(quantity, cell) and self.shows(quantity, whole)

    def shows_all(self, quantity: Quantity, axis: str, horizon_day: int | None) -> bool:
        """Return whether a number of all groups of an axis together may be shown.

        Some compare the groups with everyone.
        """
        return all(
            self.shows_beside_rest(quantity, Cell(axis=axis, group=group, horizon_day=horizon_day))
            for group in self.groups.get(axis, ("",))
        )


def pattern_of(
    predictions: pd.DataFrame, policy: Policy, earlier: Sequence[EarlierReport] = ()
) -> Pattern:
    """Decide what a report on a prediction table may show.

    Parameters
    ----------
    predictions
        A sound prediction table (`contracts.predictions`), candidate and comparators.
    policy
        Whose rules say which intersections, horizons and comparators are reported on.
    earlier
        Reports that readers may have beside this one.
    """
    table = rows_of(predictions, CANDIDATE)
    attributes = by_attribute(table)
    groupings = [everyone(table), *attributes, *by_pattern(table), *intersections(attributes)]
    axes = _Axes.of_table(table, groupings)
    given_N = has_forecast(table).to_numpy(dtype=np.bool_)
    slices = axes.of_all(policy.rules)
    given = _laid_out(table, groupings, given_N, Quantity(), policy, slices)
    known = _beside(table, groupings, Quantity(), slices, earlier)
    first = _may_show(given, frozenset(), known)
    hidden = frozenset(given.set_of) - first
    shown = {Quantity(): first}
    decided: dict[tuple[Counted, str | None, str | None, bytes], frozenset[Cell]] = {}
    for quantity, counted_N in _counted(predictions, table, given_N, policy.rules):
        own = quantity.comparator if earlier else None
        rows = (quantity.counted, quantity.milestone, own, counted_N.tobytes())
        if rows not in decided:
            slices = axes.of_quantity(quantity, policy.rules)
            cells = _laid_out(table, groupings, counted_N, quantity, policy, slices)
            known = _beside(table, groupings, quantity, slices, earlier)
            decided[rows] = _may_show(cells, hidden, known)
        shown[quantity] = decided[rows]
    return Pattern(shown=shown, groups={g.axis: g.labels_G for g in groupings})


def _may_show(
    cells: Cells, hidden: frozenset[Cell], beside_earlier: Cells | None
) -> frozenset[Cell]:
    """Return the cells that may be shown, if some are hidden already."""
    if not cells.sets:
        return frozenset()
    hidden_already_S = np.zeros(cells.sets, dtype=np.bool_)
    hidden_already_S[[number for cell, number in cells.set_of.items() if cell in hidden]] = True
    hidden_S = hidden_sets(cells, hidden_already_S, beside_earlier)
    return frozenset(cell for cell, number in cells.set_of.items() if not hidden_S[number])


def _laid_out(
    table: pd.DataFrame,
    groupings: Sequence[Grouping],
    counted_N: Bools,
    quantity: Quantity,
    policy: Policy,
    slices: Sequence[Slice],
) -> Cells:
    rows = table[counted_N]
    return cells_of(
        [replace(grouping, group_N=grouping.group_N[counted_N]) for grouping in groupings],
        rows[SUBJECT].to_numpy(),
        rows[HORIZON].to_numpy(),
        slices,
        _denominators(rows, quantity, policy),
    )


def _denominators(rows: pd.DataFrame, quantity: Quantity, policy: Policy) -> Bools:
    recorded_DN = recorded_denominators(rows, quantity)
    if quantity.milestone is None:
        return recorded_DN
    chance_N = rows[CHANCE + quantity.milestone].to_numpy(dtype=np.float64)
    return np.concatenate([recorded_DN, [chance_N >= policy.decision_threshold]])


def _beside(
    table: pd.DataFrame,
    groupings: Sequence[Grouping],
    quantity: Quantity,
    slices: Sequence[Slice],
    earlier: Sequence[EarlierReport],
) -> Cells | None:
    """Return a quantity's cells beside those that earlier reports have shown, if any did.

    Of all rows, refused ones too: whom a model refuses is its own, and reports share what is
    recorded of people. Explanations are of models altogether. A comparison tells the comparator's
    errors, and those of a rule are the same in every report.
    """
    if quantity.counted is Counted.EXPLAINED:
        return None
    shown = [each for report in earlier for each in shown_cells(report, quantity)]
    if not shown:
        return None
    person_N, day_N = table[SUBJECT].to_numpy(), table[HORIZON].to_numpy()
    denominator_DN = recorded_denominators(table, quantity)
    cells = cells_of(groupings, person_N, day_N, slices, denominator_DN)
    return beside(cells, table, shown, of_a_model=quantity == Quantity())


def _counted(
    predictions: pd.DataFrame, table: pd.DataFrame, given_N: Bools, rules: Sequence[Rule]
) -> Iterator[tuple[Quantity, Bools]]:
    """Yield every quantity beyond the forecasts given, with its rows."""
    yield Quantity(counted=Counted.REQUESTED), np.ones(len(table), dtype=np.bool_)
    explained = [c for c in (EXPLANATION_GAP, EXPLANATION_INSTABILITY) if c in table.columns]
    if explained:
        yield Quantity(counted=Counted.EXPLAINED), table[explained].notna().any(axis=1).to_numpy()
    for milestone in milestones(table):
        yield Quantity(counted=Counted.OF_MILESTONE, milestone=milestone), given_N
    for comparator in {rule.comparator for rule in rules if rule.comparator is not None}:
        other = rows_of(predictions, comparator)
        other = table[KEY].merge(
            other[KEY].assign(forecast=has_forecast(other)), on=KEY, how="left"
        )
        both_N = given_N & (other["forecast"] == True).to_numpy(dtype=np.bool_)  # noqa: E712
        for metric in {rule.metric for rule in rules if rule.comparator == comparator}:
            of_milestones = milestones(table) if metric.of_milestone else (None,)
            for name in of_milestones:
                yield quantity_of(metric, name, comparator), both_N


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axes:
    """The axes of a table, and its horizons."""

    everyone: tuple[str, ...]
    attributes: tuple[str, ...]
    pairs: tuple[str, ...]
    patterns: tuple[str, ...]
    days: tuple[int, ...]

    @staticmethod
    def of_table(table: pd.DataFrame, groupings: Sequence[Grouping]) -> _Axes:
        patterns = tuple(g.axis for g in groupings if is_pattern(g.axis))
        whole, attributes, pairs = (
            tuple(
                g.axis for g in groupings if len(g.attributes) == count and g.axis not in patterns
            )
            for count in range(3)
        )
        return _Axes(
            everyone=whole, attributes=attributes, pairs=pairs, patterns=patterns,
            days=horizons(table),
        )  # fmt: skip

    def of_all(self, rules: Iterable[Rule]) -> list[Slice]:
        """Return all cells that any quantity shows: what hides them hides them everywhere."""
        return self._slices(rules, each_day=True)

    def of_quantity(self, quantity: Quantity, rules: Iterable[Rule]) -> list[Slice]:
        """Return the cells that are shown of a quantity."""
        own = [
            rule
            for rule in rules
            if quantity_of(rule.metric, quantity.milestone, rule.comparator) == quantity
        ]
        measured_each_day = quantity.counted in {Counted.GIVEN, Counted.OF_MILESTONE}
        each_day = measured_each_day and quantity.comparator is None
        return self._slices(own, each_day=each_day or any(rule.each_horizon for rule in own))

    def _slices(self, rules: Iterable[Rule], *, each_day: bool) -> list[Slice]:
        of_all = [(rule.scope, rule.each_horizon) for rule in rules]
        groups = (*self.everyone, *self.attributes)
        beside = {Scope.PAIRS: self.pairs, Scope.PATTERNS: self.patterns}
        asked = {scope for scope, _ in of_all}
        asked_each_day = {scope for scope, each_horizon in of_all if each_horizon}
        whole = (None, (*groups, *(a for s, axes in beside.items() if s in asked for a in axes)))
        at_day = (
            *groups, *(a for s, axes in beside.items() if s in asked_each_day for a in axes),
        )  # fmt: skip
        return [whole, *((day, at_day) for day in self.days if each_day)]
