"""A user who is in no list of users, and has no HOME, can run everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

PROGRAM = """
import pwd, sys
def unknown(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = unknown
from pathlib import Path
from rehabcast.main import run
from rehabcast.settings import Settings
home = Path.home()
assert home.stat().st_mode & 0o777 == 0o700, home
assert Settings().actor.startswith("user "), Settings().actor
print(home)
sys.argv = ["rehabcast", "cohort", "simulate", "made", "--subjects", "2"]
run()
"""


def test_a_user_without_a_name_or_a_home_simulates_a_cohort(tmp_path: Path) -> None:
    hidden = {"HOME", "USER", "LOGNAME", "LNAME", "USERNAME"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], cwd=tmp_path, check=False, text=True,
        capture_output=True, env={**environment, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path.name for path in tmp_path.iterdir()} == {"made", "made-truth"}
    assert not Path(done.stdout.splitlines()[0]).exists()
