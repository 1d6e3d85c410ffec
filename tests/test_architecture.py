from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.digests import PACKAGES
from tests.conftest import pytest_collection_modifyitems

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    module.relative_to(ROOT) for package in PACKAGES for module in (ROOT / package).rglob("*.py")
)
LONGEST_MODULE = 300
TEXTS = {module: (ROOT / module).read_text("utf-8") for module in MODULES}
SOURCE = "\n".join(TEXTS.values())


def test_every_package_on_disk_is_under_the_import_rules() -> None:
    on_disk = {place.parent.name for place in ROOT.glob("*/__init__.py")}
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert on_disk == set(PACKAGES) == set(rules["root_packages"])


def test_types_are_checked_of_every_package_and_of_benchmarks() -> None:
    # Benchmarks run seldom: only their types show early that a name or an argument is gone.
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    assert rules["strict"]
    assert set(rules["files"]) == {*PACKAGES, "benchmarks"}
    assert not {"exclude", "ignore_errors"} & {*rules, *(k for o in rules["overrides"] for k in o)}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_of_ours_resolves_inside_the_checkout(package: str) -> None:
    found = importlib.import_module(package)
    assert found.__file__ is not None
    assert Path(found.__file__).resolve().is_relative_to(ROOT)


def test_what_make_test_fast_leaves_out_is_there() -> None:
    listed = (ROOT / "tests" / "slow_modules.txt").read_text("utf-8").splitlines()
    assert listed == sorted(set(listed))
    assert [path for path in listed if not (ROOT / path).is_file()] == []


def test_what_takes_long_is_begun_with() -> None:
    quick, slow = "tests/test_architecture.py", "tests/end_to_end/test_whole_way.py"
    named = [f"{file}::{test}" for file in (quick, slow) for test in ("one", "two")]
    items: list[Any] = [SimpleNamespace(nodeid=name) for name in named]
    config: Any = SimpleNamespace(option=SimpleNamespace(markexpr=""))
    pytest_collection_modifyitems(config, items)
    assert [item.nodeid for item in items] == [*named[2:], *named[:2]]


def test_a_module_fits_in_one_sitting() -> None:
    lengths = {str(module): len(text.splitlines()) for module, text in TEXTS.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


OWN_WORDS = re.compile(r"traceback\.(?:print|format)_|exc_info|\blog(?:ger)?\.exception\(")


def test_the_service_writes_no_error_in_its_own_words() -> None:
    """They may hold an address with a password: `serving.faults.place_of` says where it was."""
    serving = [module for module in MODULES if module.parts[0] == "serving"]
    assert [str(module) for module in serving if OWN_WORDS.search(TEXTS[module])] == []


def test_what_only_linux_has_is_asked_for_in_one_place() -> None:
    """A forecast with reasons asked for the cores, which macOS does not tell."""
    linux = re.compile(r"\bos\.(?:sched_|memfd_|eventfd|splice|pidfd_)|\bprctl\b|[\"']/proc/")
    assert [str(m) for m in MODULES if linux.search(TEXTS[m])] == ["stores/cores.py"]


WORDED = frozenset({"reason", "what_to_do", "found", "advice", "in_words", "msg", "message"})
"""Fields that hold a sentence."""

READS = frozenset({
    "startswith", "endswith", "removeprefix", "partition", "rpartition", "split", "index", "find",
    "match", "fullmatch", "search", "findall",
})  # fmt: skip
"""What looks into a text for what it says."""

OF_OTHERS = {
    "audits/ledger/signing.py": "model-signing names the files that differ in its message only",
    "rehabcast/commands/rules/options.py": "click names a day that no calendar has in its message only",
    "serving/http/decoding/__init__.py": "msgspec's message is shown without what was sent",
    "training/tracking.py": "MLflow has one code for every fault of its database",
}
"""Modules that read a sentence of a library, which tells it in no other way."""


def is_sentence(node: ast.expr, caught: set[str]) -> bool:
    """Say whether it is the text of one of the errors that were caught, or a field that is one."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "str" and node.args:
        return bool({n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & caught)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return node.slice.value == "msg"
    return isinstance(node, ast.Attribute) and node.attr in WORDED


def reads_sentence(node: ast.AST, caught: set[str]) -> bool:
    """Say whether a comparison or a call looks into a sentence."""
    if isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
        sentences = [is_sentence(part, caught) for part in parts]
        words = [
            isinstance(p, ast.Constant) and isinstance(p.value, str) and p.value for p in parts
        ]
        searched = isinstance(node.ops[0], ast.In | ast.NotIn) and sentences[-1]
        return searched or (any(sentences) and any(words))
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute):
        # To split at blanks counts words, or writes them on one line.
        reads = node.func.attr in READS and (node.args or node.func.attr != "split")
        return bool(reads) and any(is_sentence(n, caught) for n in [node.func.value, *node.args])
    # A function of the module's own may read it; a class of its own is another error.
    own = isinstance(node.func, ast.Name) and re.match("_[a-z]", node.func.id)
    return bool(own) and any(isinstance(a, ast.Call) and is_sentence(a, caught) for a in node.args)


def sentences_read(module: ast.Module) -> list[int]:
    """Return the lines of a module that look into a sentence."""
    caught = {n.name for n in ast.walk(module) if isinstance(n, ast.ExceptHandler) and n.name}
    return [n.lineno for n in ast.walk(module)
            if isinstance(n, ast.Compare | ast.Call) and reads_sentence(n, caught)]  # fmt: skip


def test_nothing_reads_back_what_was_worded() -> None:
    found = {str(m): sentences_read(ast.parse(text)) for m, text in TEXTS.items()}
    assert {name: lines for name, lines in found.items() if lines}.keys() == OF_OTHERS.keys()


@pytest.mark.parametrize(
    "read",
    [
        "if 'gone' in str(error): pass", "str(error).startswith('gone')", "_kind_of(str(error))",
        "PATTERN.search(str(error.orig))", "any(w in str(error.orig) for w in WORDS)",
        "if refusal.reason == 'it is gone': pass", "problem.found.partition(': ')",
        "if 'subject ' in self.found: pass", "fault['msg'].removeprefix('Value error, ')",
    ],
)  # fmt: skip
def test_reading_back_what_was_worded_is_noticed(read: str) -> None:
    module = f"try:\n    pass\nexcept ValueError as error:\n    {read}\n"
    assert sentences_read(ast.parse(module)) == [4]


def loaded(modules: str, *heavy: str) -> list[str]:
    """Return which of the heavy modules a process has that imported only those."""
    program = f"import sys, {modules}; print(*(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return done.stdout.split()


def test_serving_and_features_load_without_the_training_frameworks() -> None:
    modules = "inference.bundle, serving.forecast.explain, serving.forecast.respond"
    assert loaded(modules, "torch", "lightning", "mlflow") == []


def test_what_each_process_of_the_tests_reads_first_is_light() -> None:
    assert loaded("tests.conftest", "torch", "mlflow", "sklearn", "onnxruntime") == []


def test_nothing_served_is_unpickled() -> None:
    forbidden = ("torch.load", "pickle", "joblib", "cloudpickle", "yaml.load(")
    for module in MODULES:
        if module.parts[0] in {"contracts", "stores", "inference", "audits", "serving"}:
            text = TEXTS[module]
            code = "\n".join(line for line in text.splitlines() if "import" in line or "(" in line)
            assert not [
                word for word in forbidden if f"{word}(" in code or f"import {word}" in code
            ]


PLANTED = {
    "Imports point down only; trainer, auditor and service never meet": (
        "training/planted.py", "import serving",
    ),
    "Audits see prediction tables, never signals, models or registries": (
        "audits/planted.py", "import mlflow",
    ),
    "Who judges and who keeps the ledger know nothing of each other": (
        "audits/ledger/planted.py", "import audits.judging.policy",
    ),
    "An audit measures, then judges, then reports": (
        "audits/measure/planted.py", "import audits.report.content",
    ),
    "A service speaks HTTP around formats and state, and these around the forecast": (
        "serving/forecast/planted.py", "import serving.http.limits",
    ),
    "Models are fitted, then compared and registered": (
        "training/models/planted.py", "import training.fitting.network_fit",
    ),
    "Sources are read, reduced and put together in that order": (
        "features/biomarkers/planted.py", "import features.sources.formats",
    ),
    "Contracts, stores and features stay free of frameworks": (
        "features/planted.py", "import torch",
    ),
    "A service needs nothing that trains, audits or plots": (
        "inference/planted.py", "import shap",
    ),
    "Settings are read at the top only": ("serving/planted.py", "import typer"),
    "No circle: neither modules nor folders import each other in a ring": (
        "contracts/planted.py", "import contracts.planted_too",
    ),
}  # fmt: skip
"""For each import contract the import that it forbids."""

RING = {"contracts/planted_too.py": "import contracts.planted"}


def test_every_import_contract_was_seen_to_break(tmp_path: Path) -> None:
    """A guard that nobody saw refuse is decoration: plant one forbidden import per contract."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert {contract["name"] for contract in rules["contracts"]} == set(PLANTED)
    assert "0 broken" in linted(tmp_path / "sound", {})
    output = linted(tmp_path / "broken", {**dict(PLANTED.values()), **RING})
    assert [name for name in PLANTED if f"{name} BROKEN" not in output] == []


def linted(copy: Path, planted: dict[str, str]) -> str:
    """Return what the import linter says of a copy of the source with modules planted in it."""
    for package in PACKAGES:
        for module in (ROOT / package).rglob("*.py"):
            target = copy / module.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(module.read_text("utf-8"), "utf-8")
    (copy / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    for name, text in planted.items():
        (copy / name).write_text(f"{text}\n", "utf-8")
    lint = Path(sys.executable).with_name("lint-imports")
    # The copy comes before the checkout, which is installed as editable.
    environment = {**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"}
    done = subprocess.run(
        [lint, "--no-cache"], capture_output=True, text=True, cwd=copy, env=environment, check=False
    )
    assert (done.returncode != 0) == bool(planted), done.stdout + done.stderr
    return done.stdout


def test_no_import_contract_has_exceptions() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    allowed = {"name", "type", "layers", "containers", "modules", "ancestors", "source_modules",
               "forbidden_modules"}  # fmt: skip
    assert [c["name"] for c in rules["contracts"] if set(c) - allowed] == []


FULLEST_FOLDER = 15
LARGE_FOLDERS = {Path("features/simulate")}
"""The simulator has one module a part of the patient; it may be larger."""


@pytest.mark.parametrize(
    "folder", sorted({module.parent for module in MODULES} - LARGE_FOLDERS), ids=str
)
def test_a_folder_can_be_seen_at_a_glance(folder: Path) -> None:
    assert len(list((ROOT / folder).glob("[!_]*.py"))) <= FULLEST_FOLDER


UNMIRRORED = {Path("tests/end_to_end"), Path("tests/benchmarks"), Path("tests/stories")}


def test_test_folders_mirror_the_packages() -> None:
    folders = {module.parent.relative_to(ROOT) for module in (ROOT / "tests").rglob("test_*.py")}
    mirrored = {folder for folder in folders if folder != Path("tests")} - UNMIRRORED
    assert [f for f in sorted(mirrored) if not (ROOT / f.relative_to("tests")).is_dir()] == []


PAGES = sorted({ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")})
A_PATH = re.compile(r"(?<![\w/.-])(?:[a-z_]+/)+[a-z_0-9-]+\.(?:py|sql|toml|md)\b")


def missing_files(text: str) -> list[str]:
    """Return the files of ours that a text names and that there are not."""
    ours = [path for path in A_PATH.findall(text) if (ROOT / path.split("/")[0]).is_dir()]
    return [path for path in ours if not (ROOT / path).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_files_that_exist(page: Path) -> None:
    assert missing_files(page.read_text("utf-8")) == []


def test_a_message_or_a_comment_names_only_files_that_exist() -> None:
    named = {module: missing_files(text) for module, text in TEXTS.items()}
    assert {str(module): missing for module, missing in named.items() if missing} == {}


A_MODULE = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_0-9]+)+)`")


def is_ours(name: str) -> bool:
    """Tell whether a dotted name is a module of ours, or something defined in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:end])
        module = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if module.is_file():
            return (
                end == len(parts)
                or re.search(rf"\b{parts[end]}\b", module.read_text("utf-8")) is not None
            )
    return False


def test_a_docstring_names_only_modules_that_exist() -> None:
    named = {(str(module), name) for module in MODULES for name in A_MODULE.findall(TEXTS[module])}
    assert [place for place in sorted(named) if not is_ours(place[1])] == []


def glossary() -> list[tuple[str, str]]:
    """Return the words of the glossary, each with the names that it has in code."""
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    return [(row[0], name) for row in rows for name in re.findall("`([^`]+)`", row[2])]


@pytest.mark.parametrize(("word", "name"), glossary())
def test_a_word_of_the_glossary_has_its_name_in_the_code(word: str, name: str) -> None:
    if "/" in name or name.endswith(".py"):
        assert (ROOT / name).exists() or [m for m in MODULES if m.name == name], word
    else:
        known = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        assert known.search(SOURCE), word


PRIVATE_WORDS = {"told", "desk", "door", "ending", "foretold", "stranger", "yardstick", "opinion"}
"""Words that once named things here, and that a newcomer had to ask about."""


def words_of(node: ast.AST) -> set[str]:
    """Return the words of the names that a piece of code gives or uses."""
    names = (getattr(node, field, None) for field in ("name", "arg", "id"))
    return {part for name in names if isinstance(name, str) for part in name.lower().split("_")}


def imported_by(node: ast.AST) -> set[str]:
    """Return the packages that a piece of code imports."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {(node.module or "").split(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def test_no_name_is_a_word_that_only_we_use_and_nothing_imports_what_only_judges_it() -> None:
    found = [
        (str(module), word)
        for module, text in TEXTS.items()
        for node in ast.walk(ast.parse(text))
        for word in sorted(
            words_of(node) & PRIVATE_WORDS | imported_by(node) & {"support", "benchmarks", "tests"}
        )
    ]
    assert found == []
