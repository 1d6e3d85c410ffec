"""Makes a golden home: `python -m tests.rehabcast.golden_home NAME.tar.xz`, or with `--own-codes`.

All of it is SIMULATED. It is made where no machine has anything, so that what is kept names no
place of ours; what nothing reads back, such as pictures and pages, is left out. A released archive
is never made again: it shows that what was written then can still be read.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from serving.state.forecast_log import ForecastEntry, append
from serving.state.store import Store
from tests.command_line import CommandLine
from tests.end_to_end.test_own_instrument import write_source

PLACE = Path("/srv/rehabcast")
FOLDER = Path(__file__).with_name("golden_homes")
TASK = Path(__file__).resolve().parents[2] / "tasks" / "stroke-upper-limb.toml"
KEPT = ("*.db", "keys/trusted/*.pem", "artifacts/*/artifacts/*.sig", "artifacts/*/artifacts/bundle/*",
        "artifacts/*/artifacts/audit/report.json*")  # fmt: skip
WHY = "A golden home of SIMULATED people."
OVERRIDE = ("--approver", "A. Tester", "--reason", WHY, "--until", "2999-01-01",
            "--restricted-use", "tests of rehabcast")  # fmt: skip


def make(archive: Path, *, own_codes: bool) -> None:
    """Train, audit, approve and promote a small model, and keep what is read back."""
    PLACE.mkdir(mode=0o700)
    try:
        with closing(CommandLine()) as command_line:
            _fill(command_line, own_codes=own_codes)
        home = PLACE / "home"
        with tarfile.open(archive, "w:xz", preset=9) as written:
            for file in sorted({file for kept in KEPT for file in home.glob(kept)}):
                written.add(file, Path("home") / file.relative_to(home))
    finally:
        shutil.rmtree(PLACE)


def _fill(command_line: CommandLine, *, own_codes: bool) -> None:
    def run(*words: str, actor: str = "ann") -> None:
        settings = {"REHABCAST_HOME": str(PLACE / "home"), "REHABCAST_ACTOR": actor}
        environment = {**os.environ, **settings, "OMP_NUM_THREADS": "1"}
        done = command_line.run(list(words), cwd=PLACE, env=environment, umask=0o077)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: {done.stderr}")

    if own_codes:
        write_source(PLACE)
        run("cohort", "import", "auto", "map.toml", "cohort")
    else:
        run("cohort", "simulate", "cohort", "--subjects", "90", "--seed", "3")
    (PLACE / "quick.toml").write_text("folds = 3\nhidden = 8\n", "utf-8")
    task = "task.toml" if own_codes else str(TASK)
    run("train", "--cohort", "cohort", "--task", task, "--model", "arm", "--config", "quick.toml")
    run("audit", "arm/1")
    for role, person in (("ml-owner", "mia"), ("governance", "gus")):
        run("approve", "arm/1", "--role", role, "--reason", WHY, actor=person)
    run("promote", "arm/1", *OVERRIDE)
    with closing(Store(f"sqlite:///{PLACE / 'home' / 'service.db'}")) as store:
        append(store, [_entry(number) for number in range(3)])


def _entry(number: int) -> ForecastEntry:
    return ForecastEntry(
        id=f"{number:032x}", time=datetime.now(UTC).isoformat(timespec="seconds"), route="forecast",
        actor="dr", tenant="ward", subject=f"SIMULATED-{number}", model_version="arm/1",
        bundle_digest="b" * 64, input_digest="i" * 64, output='{"status": "no forecast"}',
    )  # fmt: skip


if __name__ == "__main__":
    make(FOLDER / sys.argv[1], own_codes="--own-codes" in sys.argv[2:])
