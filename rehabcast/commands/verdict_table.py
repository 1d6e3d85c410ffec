"""A verdict, as `rehabcast audit` prints it."""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from contracts.verdict import Outcome, Verdict


def verdict_table(verdict: Verdict) -> Table:
    """Return what holds the verdict back; or, when it passes, each binding rule and its groups."""
    binding = [f for f in verdict.findings if f.binding]
    not_passed = [f for f in binding if f.outcome is not Outcome.PASS]
    label = " (SIMULATED cohort)" if verdict.simulated else ""
    title = f"Audit of {verdict.model_version}: {verdict.outcome}{label}"
    caption = f"{len(binding)} of {len(verdict.findings)} findings bind; the report lists all"
    if not_passed:
        table = Table("outcome", "what holds it back", title=title, caption=caption)
        for finding in not_passed:
            table.add_row(str(finding.outcome), finding.reason)
        return table
    table = Table("binding rule", "findings that pass", title=title, caption=caption)
    for rule, count in Counter(finding.rule for finding in binding).items():
        table.add_row(rule, str(count))
    return table
