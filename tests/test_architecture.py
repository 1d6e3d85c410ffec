from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from contracts.digests import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    module.relative_to(ROOT) for package in PACKAGES for module in (ROOT / package).rglob("*.py")
)
LONGEST_MODULE = 300


def test_every_package_on_disk_is_under_the_import_rules() -> None:
    on_disk = {place.parent.name for place in ROOT.glob("*/__init__.py")}
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert on_disk == set(PACKAGES) == set(rules["root_packages"])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_of_ours_resolves_inside_the_checkout(package: str) -> None:
    found = importlib.import_module(package)
    assert found.__file__ is not None
    assert Path(found.__file__).resolve().is_relative_to(ROOT)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_fits_in_one_sitting(module: Path) -> None:
    assert len((ROOT / module).read_text("utf-8").splitlines()) <= LONGEST_MODULE


def test_serving_and_features_load_without_the_training_frameworks() -> None:
    program = (
        "import sys, inference.bundle, serving.forecast.explain, serving.forecast.respond;"
        "print([m for m in ('torch', 'lightning', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_nothing_served_is_unpickled() -> None:
    forbidden = ("torch.load", "pickle", "joblib", "cloudpickle", "yaml.load(")
    for module in MODULES:
        if module.parts[0] in {"serving", "contracts", "audits"}:
            text = (ROOT / module).read_text("utf-8")
            code = "\n".join(line for line in text.splitlines() if "import" in line or "(" in line)
            assert not [
                word for word in forbidden if f"{word}(" in code or f"import {word}" in code
            ]


def test_every_import_contract_was_seen_to_break(tmp_path: Path) -> None:
    """A guard that nobody saw refuse is decoration: plant one forbidden import per contract."""
    planted = {
        "audits/planted.py": "import mlflow\n",
        "training/planted.py": "import audits\n",
        "features/planted.py": "import torch\n",
        "serving/planted.py": "import typer\n",
    }
    copy = tmp_path / "tree"
    copy.mkdir()
    for package in PACKAGES:
        for module in (ROOT / package).rglob("*.py"):
            target = copy / module.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(module.read_text("utf-8"), "utf-8")
    (copy / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    for name, text in planted.items():
        (copy / name).write_text(text, "utf-8")
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], capture_output=True, text=True, cwd=copy, check=False
    )
    assert done.returncode != 0
    assert "0 kept, 4 broken" in done.stdout
