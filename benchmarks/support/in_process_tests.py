"""A plugin of pytest that leaves the tests which need no process, browser or server of their own.

`benchmarks/mutants.py` runs thousands of short test runs, so it selects with this what it counts.
"""

from __future__ import annotations

import pytest

FIXTURES = {"serve", "server", "page", "browser"}
"""Fixtures that start server processes or a browser."""

SKIPPED_FILES = {
    "tests/audits/ledger/test_crashes.py": "kills promoting processes",
    "tests/serving/test_faults.py": "stops databases and servers",
    "tests/serving/test_soak.py": "minutes of load",
    "tests/serving/forecast/test_explain_null_channels.py": "trains a network",
}
"""Test files that are left out whole, and why."""

SECOND_DATABASE = "postgresql"
"""Of tests that run on both databases, the one on SQLite is enough to notice a mutant."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs a process of its own."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        parameters = getattr(item, "callspec", None)
        twice = parameters is not None and SECOND_DATABASE in parameters.params.values()
        apart = bool(FIXTURES & set(getattr(item, "fixturenames", ())))
        whole_file = any(item.nodeid.startswith(file) for file in SKIPPED_FILES)
        (left_out if twice or apart or whole_file else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
