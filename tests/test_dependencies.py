"""What is declared, what is imported, what is documented and what is installed are one list."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from contracts.digests import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXCEPTIONS = tomllib.loads((ROOT / "deploy" / "licences.toml").read_text("utf-8"))["exceptions"]
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
SCRIPTS = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
MADE_HERE = {*PACKAGES, *SCRIPTS, "support", "tests"}

NEVER_IMPORTED = {
    "httptools": "uvicorn.protocols.http.httptools_impl",
    "onnx": "torch.onnx",
    "openpyxl": "pandas.read_excel",
    "psycopg": "SQLAlchemy, by the scheme of an address",
    "pyopenssl": "model_signing",
}
"""Dependencies of the product that somebody else imports for us."""

TOOLS = {
    "cyclonedx-bom": "cyclonedx-py",
    "import-linter": "lint-imports",
    "ipykernel": 'kernel_name="python3"',
    "mkdocs": "mkdocs build",
    "mkdocs-material": "name: material",
    "mkdocstrings": "- mkdocstrings:",
    "mypy": "mypy",
    "pip-audit": "pip-audit",
    "pip-licenses": "pip-licenses",
    "pip-tools": "pip-compile",
    "pre-commit": "pre-commit install",
    "pytest-cov": "--cov ",
    "pytest-xdist": "-n auto",
    "ruff": "ruff check",
}
"""Dependencies of development that are run, and what runs them (`RUN_BY`)."""

RUN_BY = (
    "Makefile", "mkdocs.yml", "CONTRIBUTING.md", "tests/examples/test_example.py",
)  # fmt: skip

NOT_ON_313 = {"agcounts", "libcst", "mutmut"}

TYPES_ONLY = {"pandas-stubs", "types-openpyxl"}

SPDX = {
    "3-Clause BSD License": {"BSD-3-Clause"},
    "Apache": {"Apache-2.0"},
    "Apache 2.0": {"Apache-2.0"},
    "Apache Software License": {"Apache-2.0"},
    "BSD License": {"BSD-2-Clause", "BSD-3-Clause"},
    "GNU General Public License v3 or later (GPLv3+)": {"GPL-3.0-or-later"},
    "MIT License": {"MIT"},
    "Python Software Foundation License": {"PSF-2.0"},
}
"""What older metadata say, in the words of SPDX."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: Iterable[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {canonical(match.group()) for match in found if match}


SECTIONS = {
    "Always installed": declared(PROJECT["dependencies"]),
    **{
        f"Extra `{extra}`": declared(requirements)
        for extra, requirements in PROJECT["optional-dependencies"].items()
    },
}
IMAGES = SECTIONS["Always installed"] | SECTIONS["Extra `full`"]
PRODUCT = IMAGES | SECTIONS["Extra `signals`"] | SECTIONS["Extra `scale`"]
DEVELOPMENT = SECTIONS["Extra `dev`"]


def rows(section: str) -> list[list[str]]:
    _, _, after = PAGE.partition(f"## {section}\n")
    table = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[2:]]


def imported(*folders: str) -> dict[str, str]:
    """Return the distribution of each module from elsewhere, by a file that imports it."""
    distributions = importlib.metadata.packages_distributions()
    found = {}
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            else:
                continue
            for module in {module.split(".")[0] for module in modules}:
                if module not in sys.stdlib_module_names | MADE_HERE:
                    names = {canonical(name) for name in distributions.get(module, [])}
                    # A module may come in parts: whoever declares one of them declares it.
                    for name in names & (PRODUCT | DEVELOPMENT) or names or {module}:
                        found[name] = str(path.relative_to(ROOT))
    return found


def test_the_page_has_each_direct_dependency_and_no_other() -> None:
    assert set(re.findall(r"^## (.*)$", PAGE, re.MULTILINE)) == set(SECTIONS)
    for section, names in SECTIONS.items():
        listed = [canonical(row[0]) for row in rows(section)]
        assert listed == sorted(names), section


@pytest.mark.parametrize("row", [row for section in SECTIONS for row in rows(section)], ids=str)
def test_a_row_has_a_reason_a_licence_and_what_is_lost_without_it(row: list[str]) -> None:
    name, reason, licence, lost = row
    if name in NOT_ON_313 and sys.version_info >= (3, 13):
        pytest.skip(f"{name} is not installed on Python 3.13")
    assert min(len(reason), len(licence), len(lost)) > 2
    assert licence in stated_licences(name)


def stated_licences(name: str) -> set[str]:
    """Return how a package's licence may be written, by what its metadata say."""
    metadata = importlib.metadata.metadata(name)
    if expression := metadata.get("License-Expression"):
        return {expression}
    exception = EXCEPTIONS.get(canonical(name), {})
    if exception.get("licence") == "UNKNOWN":
        return {exception["reason"].split(",")[0]}
    said = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    licences = [*said, metadata.get("License") or ""]
    return set().union(*(SPDX.get(licence, {licence}) for licence in licences))


def test_the_product_imports_what_is_declared_and_all_of_it() -> None:
    used = imported(*PACKAGES)
    assert {name: file for name, file in used.items() if name not in PRODUCT} == {}
    assert PRODUCT - set(used) == set(NEVER_IMPORTED)


def test_tests_and_benchmarks_import_what_is_declared_and_all_of_it() -> None:
    used = imported("tests", "benchmarks", "deploy")
    assert {n: file for n, file in used.items() if n not in PRODUCT | DEVELOPMENT} == {}
    assert DEVELOPMENT - set(used) == {*TOOLS, *TYPES_ONLY}


def test_a_tool_that_is_declared_is_run() -> None:
    places = [*(ROOT / name for name in RUN_BY), *sorted((ROOT / "deploy").glob("*.py"))]
    text = "\n".join(place.read_text("utf-8") for place in places)
    assert [name for name, program in TOOLS.items() if program not in text] == []


def pinned(lock: str) -> dict[str, str]:
    """Return each package of a lock file, with its version and hashes."""
    text = (ROOT / lock).read_text("utf-8")
    found = re.findall(
        r"^([A-Za-z0-9._-]+)(==\S+ (?:; \S+ < \S+ )?\\\n(?:    --hash=sha256:\S+(?: \\)?\n)+)",
        text,
        re.MULTILINE,
    )
    return {canonical(name): pin for name, pin in found}


def test_the_lock_files_have_each_direct_dependency_by_hash() -> None:
    # The build of torch depends on the machine (Makefile).
    assert (PRODUCT | DEVELOPMENT) - set(pinned("requirements.lock")) == {"torch"}
    assert IMAGES - set(pinned("deploy/requirements.lock")) == {"torch"}
    assert SECTIONS["Always installed"] <= set(pinned("deploy/runtime.lock"))


def test_an_image_has_the_same_versions_and_no_tool_of_development() -> None:
    all_pins, image = pinned("requirements.lock"), pinned("deploy/requirements.lock")
    assert image.items() <= all_pins.items()
    # What the product's own dependencies bring with them.
    brought = {"click", "psutil", "pyjwt", "pyyaml"}
    assert set(image) & ((PRODUCT - IMAGES) | DEVELOPMENT) <= brought


def test_the_image_of_the_service_has_nothing_that_trains_or_audits() -> None:
    image, service = pinned("deploy/requirements.lock"), pinned("deploy/runtime.lock")
    assert service.items() <= image.items()
    trains = {"torch", "lightning", "ray", "numba"} | SECTIONS["Extra `full`"]
    # Requests brings it.
    assert set(service) & trains == {"charset-normalizer"}
