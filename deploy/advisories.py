"""Look every installed package up in the advisories of PyPI or OSV (`make audit-dependencies`).

Where no source of advisories can be reached nothing was checked, and that is a failure of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CLEAN, VULNERABLE, NOT_CHECKED = 0, 1, 2


def main() -> None:
    """Run pip-audit; end with 1 for a known vulnerability, with 2 where nothing was checked."""
    program = Path(sys.executable).with_name("pip-audit")
    done = subprocess.run(  # noqa: S603  (a program of our own environment)
        [program, "--skip-editable", "--format=json", "--progress-spinner=off", *sys.argv[1:]],
        capture_output=True,
        text=True,
        check=False,
    )
    code, message = conclusion(done.stdout, done.stderr)
    sys.stdout.write(message + "\n")
    sys.exit(code)


def conclusion(output: str, errors: str) -> tuple[int, str]:
    """Return exit code and message for what pip-audit printed."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = next(iter(errors.strip().splitlines()[-1:]), "no reason given")
        return NOT_CHECKED, (
            f"No source of advisories answered, so NOTHING WAS CHECKED ({last}).\n"
            "Run this where https://pypi.org or https://api.osv.dev can be reached."
        )
    skipped = [f"{d['name']}: not checked ({d['skip_reason']})" for d in dependencies
               if "skip_reason" in d]  # fmt: skip
    found = [
        f"{d['name']} {d['version']}: {v['id']}, fixed in {', '.join(v['fix_versions']) or 'none'}"
        for d in dependencies
        for v in d.get("vulns", ())
    ]
    if not dependencies or len(skipped) == len(dependencies):
        return NOT_CHECKED, "No package was looked up, so NOTHING WAS CHECKED."
    checked = len(dependencies) - len(skipped)
    lines = [*skipped, *found, f"{checked} packages checked, {len(found)} known vulnerabilities."]
    return VULNERABLE if found else CLEAN, "\n".join(lines)


if __name__ == "__main__":
    main()
