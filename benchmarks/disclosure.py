"""What a reader works out of a report, with and without the pattern: `make bench NAME=disclosure`.

SIMULATED people, one forecast each, in attributes of two to five groups and their intersections.
"Small cells hidden" is the rule without the pattern: cells of fewer than 11 people are hidden and
nothing else. Both are attacked by `audits.disclosure.attack`, which finds what an insider is told.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from audits.disclosure.attack import leaks
from audits.disclosure.cells import Cells, small
from audits.disclosure.layout import cells_of
from audits.disclosure.pattern import hidden_sets
from audits.measure.groups import by_attribute, everyone, intersections

GROUPS = (2, 3, 3, 4, 4, 3, 3, 2, 4, 5, 4, 3)
SETTINGS = ((9, 150), (9, 800), (12, 150), (12, 300), (12, 800), (12, 2_000))


def cohort(attributes: int, people: int, *, seed: int = 1) -> Cells:
    """Return the cells of people with random labels, some of them rare."""
    rng = np.random.default_rng(seed)
    labels = {
        f"group:{number}": rng.choice(
            [f"{number}{letter}" for letter in "abcde"[:groups]],
            people,
            p=rng.dirichlet(np.full(groups, 1.5)),
        )
        for number, groups in enumerate(GROUPS[:attributes])
    }
    table = pd.DataFrame(labels)
    by_one = by_attribute(table)
    groupings = [everyone(table), *by_one, *intersections(by_one)]
    slices = [(None, [grouping.axis for grouping in groupings])]
    counted_DN = np.ones((1, people), dtype=np.bool_)
    return cells_of(groupings, np.arange(people), np.zeros(people), slices, counted_DN)


def main() -> None:
    """Print the table of docs/audit.md."""
    print(
        "| attributes/groups/intersections, people | small | told if only those are hidden |"
        " hidden by the pattern | told then | time |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for attributes, people in SETTINGS:
        cells = cohort(attributes, people)
        small_S = small(cells.people_SD)
        nobody_S = np.zeros(cells.sets, dtype=np.bool_)
        start = time.process_time()
        hidden_S = hidden_sets(cells, nobody_S)
        seconds = time.process_time() - start
        widths = [cells.attributes_of[cell.axis] for cell in cells.set_of]
        size = f"{attributes}/{widths.count(1)}/{widths.count(2)}, {people}"
        print(
            f"| {size} | {small_S.mean():.0%} | {len(leaks(cells, ~small_S))} |"
            f" {hidden_S.mean():.0%} | {len(leaks(cells, ~hidden_S))} | {seconds:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
