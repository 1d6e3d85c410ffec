"""Look every installed package up in the advisories of PyPI or OSV (`make audit-dependencies`).

Where a package cannot be looked up it was not checked, and that is a failure of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 2
OURS = "rehabcast"


def main() -> None:
    """Run pip-audit; end with 1 for a known vulnerability, with 2 where one was not looked up."""
    program = Path(sys.executable).with_name("pip-audit")
    pins = installed()
    with TemporaryDirectory() as folder:
        listed = Path(folder) / "installed.txt"
        listed.write_text("\n".join(pins), "utf-8")
        as_pinned = ["--requirement", listed, "--no-deps", "--disable-pip"]
        done = subprocess.run(  # noqa: S603  (a program of our own environment)
            [program, *as_pinned, "--format=json", "--progress-spinner=off", *sys.argv[1:]],
            capture_output=True,
            text=True,
            check=False,
        )
    code, message = conclusion(done.stdout, done.stderr, len(pins))
    sys.stdout.write(message + "\n")
    sys.exit(code)


def installed() -> list[str]:
    """Return every installed package but ours, by the version that advisories know.

    A build of torch is named after its machine (`2.13.0+cpu`), and advisories name `2.13.0`.
    """
    found = {one.metadata["Name"]: one.version.partition("+")[0] for one in distributions()}
    return [f"{name}=={found[name]}" for name in sorted(found) if normal(name) != OURS]


def normal(name: str) -> str:
    """Return a package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def conclusion(output: str, errors: str, expected: int) -> tuple[int, str]:
    """Return exit code and message for what pip-audit printed of so many packages."""
    try:
        dependencies: list[dict[str, Any]] = list(json.loads(output)["dependencies"])
    except (ValueError, KeyError, TypeError):
        last = next(iter(errors.strip().splitlines()[-1:]), "no reason given")
        return NOT_CHECKED, (
            f"No source of advisories answered, so NOTHING WAS CHECKED ({last}).\n"
            "Run this where https://pypi.org or https://api.osv.dev can be reached."
        )
    checked = sum("skip_reason" not in d for d in dependencies)
    skipped = [f"{d['name']}: not checked ({d['skip_reason']})" for d in dependencies
               if "skip_reason" in d]  # fmt: skip
    found = [
        f"{d['name']} {d['version']}: {v['id']}, fixed in {', '.join(v['fix_versions']) or 'none'}"
        for d in dependencies
        for v in d.get("vulns", ())
    ]
    if not checked:
        return NOT_CHECKED, "No package was looked up, so NOTHING WAS CHECKED."
    of = f"{checked} of {expected} packages checked"
    message = "\n".join([*skipped, *found, f"{of}, {len(found)} known vulnerabilities."])
    if found:
        return VULNERABLE, message
    return CLEAN if checked == expected else NOT_CHECKED, message


if __name__ == "__main__":
    main()
