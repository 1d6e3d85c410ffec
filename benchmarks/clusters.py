"""Benchmark: whether intervals hold where people of one hospital are alike.

`make bench NAME=clusters` prints, of SIMULATED cohorts, how often a 95 % interval holds the true
value: if everybody is taken to be independent, and with the hospitals as clusters; of the bounds
that decide and of the bootstrap that is reported. `--trials N` draws other than 1,000 cohorts.
"""

from __future__ import annotations

import argparse

from support.clustered_trials import (
    Coverage,
    Setting,
    coverage_of_bootstrap,
    coverage_of_bounds,
)

BOOTSTRAPPED_PART = 5
"""One in so many trials is also drawn by bootstrap, which takes longer."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    print("| SIMULATED hospitals | sizes | correlation | group | bounds: independent, clustered,"
          " width | bootstrap: independent, clustered, width |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for hospitals in (8, 20, 60):
        for group in ("everyone", "hospitals", "mixed"):
            for is_even, correlation in ((True, 0.1), (True, 0.0), (False, 0.1)):
                setting = Setting(
                    hospitals=hospitals, group=group, is_even=is_even, correlation=correlation
                )
                bounds = coverage_of_bounds(setting, trials)
                drawn = coverage_of_bootstrap(setting, max(1, trials // BOOTSTRAPPED_PART))
                sizes = "even" if is_even else "uneven"
                print(
                    f"| {hospitals} | {sizes} | {correlation:g} | {group} | {_cells(bounds)} |"
                    f" {_cells(drawn)} |",
                    flush=True,
                )


def _cells(found: Coverage) -> str:
    return f"{found.of_people:.1%}, {found.of_clusters:.1%}, x {found.wider:.2f}"


if __name__ == "__main__":
    main()
