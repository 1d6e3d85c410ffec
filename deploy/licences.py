"""Compare the licence of every installed package with those that are allowed (`make licences`)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

ALLOWED = Path(__file__).with_name("licences.toml")
OURS = "rehabcast"


def main() -> None:
    """Print what is not allowed; end with 1 where there is anything."""
    declared = tomllib.loads(ALLOWED.read_text("utf-8"))
    packages = installed()
    faults = refused(packages, declared["allowed"], declared["exceptions"])
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    sys.stdout.write(f"{len(packages)} packages, {len(faults)} not allowed.\n")
    # A list of nothing shows nothing.
    sys.exit(bool(faults) or not packages)


def installed() -> dict[str, str]:
    """Return the licence of every installed package but ours, as its metadata states it."""
    program = Path(sys.executable).with_name("pip-licenses")
    done = subprocess.run(  # noqa: S603  (a program of our own environment)
        [program, f"--python={sys.executable}", "--with-system", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    packages: list[dict[str, Any]] = json.loads(done.stdout)
    return {p["Name"].lower(): p["License"] for p in packages if p["Name"] != OURS}


def refused(
    packages: Mapping[str, str],
    allowed: Collection[str],
    exceptions: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """Return one line for each package whose licence is not allowed, nor excepted as it is."""
    return [
        f"{name}: {licence or 'no licence'}"
        for name, licence in sorted(packages.items())
        if exceptions.get(name, {}).get("licence") != licence and not is_allowed(licence, allowed)
    ]


def is_allowed(licence: str, allowed: Collection[str]) -> bool:
    """Say whether a licence, or each part of an expression that counts, is allowed."""
    # A list of classifiers is separated by semicolons: all of them hold.
    parts = re.split(r"\s+AND\s+|;\s*", licence.strip())
    return all(
        any(choice.strip("() ") in allowed or choice in allowed
            for choice in re.split(r"\s+OR\s+", part))
        for part in parts
    )  # fmt: skip


if __name__ == "__main__":
    main()
