"""A registered bundle is fetched in one place only, which verifies its signature."""

from __future__ import annotations

import ast
from pathlib import Path

from contracts.digests import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = {"training/registry/model_versions.py", "rehabcast/signed_artifacts.py"}


def names_in(module: Path) -> set[str]:
    tree = ast.parse(module.read_text("utf-8"))
    return {
        node.id
        if isinstance(node, ast.Name)
        else node.name
        if isinstance(node, ast.alias)
        else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.alias | ast.Attribute)
    }


def modules_that_name(*names: str) -> set[str]:
    return {
        str(module.relative_to(ROOT))
        for package in PACKAGES
        for module in (ROOT / package).rglob("*.py")
        if names_in(module) & set(names)
    }


def test_only_the_signed_loader_fetches_a_registered_bundle() -> None:
    assert modules_that_name("BUNDLE_FOLDER") == REGISTRY


def test_a_bundle_is_loaded_by_the_signed_loader_or_from_the_folder_that_it_verified() -> None:
    users = {"rehabcast/signed_artifacts.py", "rehabcast/ledger_source.py"}
    assert modules_that_name("load_bundle") == users


def test_only_the_signed_loader_reads_the_predictions_of_a_registered_version() -> None:
    assert modules_that_name("PREDICTIONS_FILE") == {
        *REGISTRY,
        "training/train.py",
        "training/logged_evidence.py",
    }
