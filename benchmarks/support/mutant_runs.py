"""A plugin of pytest that runs the tests once for each mutant, each time in a fork.

`benchmarks/mutants.py` starts it in a copy of the checkout, where each function has its mutants
beside it. Tests are collected once. A first round without a mutant notes which functions each test
reaches, how long it takes and whether it passes at all; a mutant is then judged by tests that reach
its function. Each result is written as soon as it is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mutmut.mutation import trampoline

from support.forks import Task, in_forks

SKIPPED_FILES = {
    "tests/audits/ledger/test_crashes.py": "kills promoting processes",
    "tests/serving/test_faults.py": "stops databases and servers",
    "tests/serving/test_losses.py": "stops databases and servers",
    "tests/serving/test_soak.py": "minutes of load",
    "tests/serving/forecast/test_explain_null_channels.py": "trains a network",
}
"""Files that are left out whole, and why. A mutant that only they notice counts as survived."""

SECOND_DATABASE = "postgresql"
"""Of tests that run on both databases, the one on SQLite is enough to notice a mutant."""

SECONDS_OF_TESTS = 15.0
"""Tests of about so many seconds judge a mutant; what only the others notice has survived."""
SECONDS_OF_SERVERS = 90.0
"""The same of tests that start a server."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what takes long."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        parameters = getattr(item, "callspec", None)
        twice = parameters is not None and SECOND_DATABASE in parameters.params.values()
        whole_file = any(item.nodeid.startswith(file) for file in SKIPPED_FILES)
        (left_out if twice or whole_file else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Run every mutant of the list instead of every test."""
    folder = Path(os.environ["MUTANT_RUNS"])
    if session.testsfailed:
        raise session.Interrupted("tests could not be collected")
    mutants: list[dict[str, Any]] = json.loads((folder / "mutants.json").read_text("utf-8"))
    by_node = {item.nodeid: item for item in session.items}
    reached = reach(session, folder)
    failing = sorted(node for node, test in reached.items() if not test["passed"])
    print(f"{len(reached)} tests, {len(failing)} fail without a mutant and are left out: {failing}")
    tests_of: dict[str, list[str]] = defaultdict(list)
    for node, test in reached.items():
        for function in test["functions"] if test["passed"] and node in by_node else ():
            tests_of[function].append(node)

    def tasks() -> Iterator[Task]:
        for mutant in mutants:
            name = mutant["name"]
            nodes = chosen(name, tests_of[name.partition("__mutmut_")[0]], reached)
            if nodes:
                seconds = sum(reached[node]["seconds"] for node in nodes)
                yield name, partial(judge, name, [by_node[node] for node in nodes]), seconds
            else:
                write(folder, {**mutant, "status": "no tests"})

    by_name = {mutant["name"]: mutant for mutant in mutants}
    for name, status, said in in_forks(session, tasks()):
        write(folder, {**by_name[name], "status": status, **said})
    return True


def write(folder: Path, result: dict[str, Any]) -> None:
    """Append a result."""
    with (folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def chosen(name: str, nodes: Sequence[str], reached: dict[str, Any]) -> list[str]:
    """Return the tests that judge a mutant.

    Those of its module's own file are first, then the quickest. Those that start a server judge
    only what no other test reaches, and `serving.server`.
    """
    of_server = name.startswith("serving.server.")
    nodes = [n for n in nodes if of_server or not reached[n]["server"]] or nodes
    budget = SECONDS_OF_TESTS if not of_server else SECONDS_OF_SERVERS
    module = name.partition(".x")[0].rpartition(".")[2]

    def order(node: str) -> tuple[bool, float]:
        return f"test_{module}.py" not in node, reached[node]["seconds"]

    taken: list[str] = []
    seconds = 0.0
    for node in sorted(nodes, key=order):
        if taken and seconds + reached[node]["seconds"] > budget:
            continue
        taken.append(node)
        seconds += reached[node]["seconds"]
    return taken


class Failures:
    """Notes which tests fail."""

    def __init__(self) -> None:
        self.nodes: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure in any phase."""
        if report.failed:
            self.nodes.append(report.nodeid)


def judge(name: str, items: Sequence[pytest.Item]) -> dict[str, Any]:
    """Run tests against a mutant, up to the first that fails."""
    trampoline.set_mutant_under_test(name)
    failures = Failures()
    start = time.monotonic()
    items[0].config.pluginmanager.register(failures)
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failures.nodes:
            break
    return {
        "status": "killed" if failures.nodes else "survived",
        "test": failures.nodes[0] if failures.nodes else f"{len(items)} tests",
        "seconds": round(time.monotonic() - start, 2),
    }


class Reach:
    """Notes which functions each test reaches, itself or through a fixture that it shares."""

    def __init__(self, folder: Path) -> None:
        self.hits: list[set[str]] = [set()]
        self.shared: dict[str, set[str]] = defaultdict(set)
        self._processes = folder / "processes"
        self._processes.touch()
        self._read = 0
        os.environ["MUTANT_REACH"] = str(self._processes)

    def hit(self, function: str, caller: str | None = None) -> None:
        """Note a call."""
        self.hits[-1].add(function)

    def collect(self) -> None:
        """Note what processes that a test started have called since (`mutant_site`)."""
        text = self._processes.read_text("utf-8")
        self.hits[-1] |= set(text[self._read :].split("\n")) - {""}
        self._read = len(text)
        (self._processes.with_suffix(".round")).write_text(str(time.monotonic_ns()), "utf-8")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        """Note what a shared fixture calls for every test that uses it, not for the first alone."""
        self.collect()
        self.hits.append(set())
        try:
            return (yield)
        finally:
            self.collect()
            inside = self.hits.pop()
            self.hits[-1] |= inside
            if fixturedef.scope != "function":
                self.shared[fixturedef.argname] |= inside


def reach_of_file(items: Sequence[pytest.Item]) -> dict[str, Any]:
    """Run the tests of one file without a mutant; return what each reaches."""
    noted, failures = Reach(items[0].config._tmp_path_factory.getbasetemp()), Failures()  # type: ignore[attr-defined]
    vars(trampoline)["record_trampoline_hit"] = noted.hit
    trampoline.set_mutant_under_test("stats")
    items[0].config.pluginmanager.register(noted)
    items[0].config.pluginmanager.register(failures)
    reached: dict[str, Any] = {}
    for item, following in zip(items, [*items[1:], None], strict=True):
        noted.hits[:] = [set()]
        start = time.monotonic()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        noted.collect()
        reached[item.nodeid] = {
            "functions": set(noted.hits[0]),
            "seconds": round(time.monotonic() - start, 3),
            "passed": item.nodeid not in failures.nodes,
            "server": "serve" in getattr(item, "fixturenames", ()),
        }
    for item in items:
        names = getattr(item, "fixturenames", ())
        functions = reached[item.nodeid]["functions"].union(*(noted.shared[name] for name in names))
        reached[item.nodeid]["functions"] = sorted(functions)
    return {"tests": reached, "status": "done"}


def reach(session: pytest.Session, folder: Path) -> dict[str, Any]:
    """Return what each test reaches; only files that changed are run again."""
    kept_file = folder / "reach.json"
    kept: dict[str, Any] = json.loads(kept_file.read_text("utf-8")) if kept_file.exists() else {}
    by_file: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in session.items:
        by_file[item.path].append(item)
    digests = {
        str(file): hashlib.sha256(
            file.read_bytes() + json.dumps([item.nodeid for item in items]).encode()
        ).hexdigest()
        for file, items in by_file.items()
    }

    def tasks() -> Iterator[Task]:
        for file, items in by_file.items():
            if kept.get(str(file), {}).get("digest") != digests[str(file)]:
                yield str(file), partial(reach_of_file, items), 240.0

    for file, status, said in in_forks(session, tasks()):
        print(f"{file}: {status}", flush=True)
        kept[file] = {"digest": digests[file], "tests": said.get("tests", {})}
        kept_file.write_text(json.dumps(kept), "utf-8")
    return {node: test for file in digests for node, test in kept[file]["tests"].items()}
