"""How often groups pass whose outcomes are lost, and what tracing gives back; all SIMULATED."""

from __future__ import annotations

from audits.judging.policy import load_policy
from support.loss_trials import small_losses, table, traced_rows

COHORTS = 1000


def main() -> None:
    """Print the tables."""
    terms = load_policy().lost
    if terms is None:
        print("the shipped policy does not ask what was lost")
        return
    tables = (
        table(terms, cohorts=COHORTS), small_losses(terms, cohorts=COHORTS),
        traced_rows(trials=COHORTS),
    )  # fmt: skip
    for line in (line for lines in tables for line in (*lines, "")):
        print(line, flush=True)


if __name__ == "__main__":
    main()
