"""The simulated stroke cohort: no real person is in it, and everything made from it says so.

Its truth is known, so a model can be compared with the best that any model could do. What is
simulated from which source, and what must not be concluded from it, is in docs/simulated-cohort.md.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from contracts.cohort import CODE, TEXT, Provenance
from features.simulate.events import shard_events
from features.simulate.scenario import Scenario
from features.simulate.subjects import SHARD, draw_subjects


def simulate(
    *, subjects: int, seed: int, scenario: Scenario | None = None
) -> tuple[pd.DataFrame, Provenance]:
    """Simulate a cohort in memory; `features.simulate.write` is for large cohorts.

    Parameters
    ----------
    subjects
        Number of subjects, at least 1; ids start at 1.
    seed
        Seed of every random number; subject i of a seed is the same in a cohort of any size.
    scenario
        What is simulated; by default the plain stroke cohort.

    Returns
    -------
    Events with `contracts.cohort.COLUMNS`, and a provenance marked as simulated.
    """
    scenario = scenario or Scenario()
    tables = [
        shard_events(draw_subjects(shard, seed, scenario), 1 + first, min(SHARD, subjects - first))
        for shard, first in enumerate(range(0, subjects, SHARD))
    ]
    events: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    return events.astype({CODE: object, TEXT: object}), provenance(subjects, seed, scenario)


def provenance(subjects: int, seed: int, scenario: Scenario) -> Provenance:
    """Return where a simulated cohort comes from, with every parameter."""
    return Provenance(
        name=f"simulated {scenario.name} cohort",
        source=f"rehabcast simulator, scenario {scenario.name!r}, seed {seed}",
        simulated=True,
        details={"subjects": subjects, "seed": seed, "scenario": scenario.as_record()},
        dates_shifted=True,
    )
