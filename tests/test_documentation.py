"""The pages for those who carry on: what they name exists, and nothing is left out of them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from tests.test_ci import run as run_ci

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = ROOT / "docs" / "decisions"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
TO_ADD = CONTRIBUTING.partition("## How to add\n")[2].partition("\n## ")[0]
STEPS = {
    match.group(1): match.group(2)
    for match in re.finditer(r"^\*\*(.+?)\*\*(.*?)(?=^\*\*|\Z)", TO_ADD, re.M | re.S)
}


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md"])
def test_what_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = {*re.findall(r"`([\w./-]+/[\w.-]*)`", text), *re.findall(r"\bdocs/[\w/.-]*\w", text)}
    assert len(named) > 1
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "SECURITY.md", "docs/index.md", "examples/README.md"]
)
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    named = re.findall(r"\bmake ([a-z-]+)", (ROOT / page).read_text("utf-8"))
    assert set(named) <= set(targets)


def test_contributing_has_what_a_newcomer_adds() -> None:
    wanted = {
        "A file format", "A biomarker", "A metric of the audit", "A rule of the policy",
        "A model family", "An instrument", "A page", "A setting or a command",
    }  # fmt: skip
    assert wanted <= set(STEPS)


@pytest.mark.parametrize("thing", STEPS)
def test_each_names_the_files_and_the_test_that_proves_it(thing: str) -> None:
    named = re.findall(r"`([\w./-]+/[\w.-]*)`", STEPS[thing])
    tests = [path for path in named if path.startswith("tests/")]
    assert tests
    assert set(named) - set(tests)
    assert "prove" in STEPS[thing] or "pins" in STEPS[thing]


def test_every_package_has_its_room() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    rooms = CONTRIBUTING.partition("## Which room for what")[2].partition("\n## ")[0]
    assert set(rules["root_packages"]) <= set(re.findall(r"\| `([a-z]+)/` \|", rooms))


def test_every_decision_is_listed_once_by_its_number() -> None:
    listed = re.findall(
        r"\[(\d+)\. [^\]]+\]\((\d{4}-[\w-]+\.md)\)", (DECISIONS / "README.md").read_text()
    )
    assert [file for _, file in listed] == sorted(path.name for path in DECISIONS.glob("0*.md"))
    assert [int(number) for number, _ in listed] == list(range(1, len(listed) + 1))
    for number, file in listed:
        assert (DECISIONS / file).read_text("utf-8").startswith(f"# {number}. ")
        assert int(file[:4]) == int(number)


def places(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [place for part in parts for place in places(part)]  # type: ignore[attr-defined]


def site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    return hooks


def test_every_page_is_in_the_navigation() -> None:
    configured = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    listed = places(configured["nav"])
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(listed) == sorted({*pages, *site().OUTSIDE.values()})


@pytest.mark.parametrize(
    ("here", "written", "made"),
    [
        ("audit.md", "see docs/tasks.md.", "see [docs/tasks.md](tasks.md)."),
        ("decisions/0001.md", "docs/audit.md", "[docs/audit.md](../audit.md)"),
        (
            "readme.md",
            "docs/decisions/README.md",
            "[docs/decisions/README.md](decisions/README.md)",
        ),
        ("audit.md", "CHANGELOG.md says", "[CHANGELOG.md](changelog.md) says"),
        ("audit.md", "`docs/tasks.md` and [docs/tasks.md](tasks.md)", None),
        ("audit.md", "    cat docs/tasks.md\n", None),
        ("audit.md", "    cat\n\ndocs/ist.md\n", "    cat\n\n[docs/ist.md](ist.md)\n"),
        ("audit.md", "```\nx\n```\ndocs/ist.md\n", "```\nx\n```\n[docs/ist.md](ist.md)\n"),
        ("audit.md", "```\ndocs/tasks.md\n```\n", None),
        ("audit.md", "tasks.md alone, other/docs/tasks.md", None),
        ("audit.md", "docs/none.md", "[docs/none.md](none.md)"),
    ],
)
def test_a_page_that_is_named_becomes_a_link(here: str, written: str, made: str | None) -> None:
    page = SimpleNamespace(file=SimpleNamespace(src_uri=here))
    assert site().on_page_markdown(written, page, None) == (written if made is None else made)


def built(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder / "site")],
        cwd=folder, text=True, capture_output=True, check=False,
    )  # fmt: skip


@pytest.mark.soak
def test_a_broken_link_fails_and_no_page_asks_another_server(tmp_path: Path) -> None:
    for name in (
        "docs",
        *(p for p in ("contracts", "features", "training", "audits", "serving", "rehabcast")),
    ):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "mkdocs.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    done = built(tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = re.compile(
        r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\s\">]+"
    )
    asked = [
        (page.name, found)
        for page in (tmp_path / "site").rglob("*.html")
        for found in loaded.findall(page.read_text("utf-8"))
        if "rel=canonical" not in found
    ]
    assert asked == []
    glossary = tmp_path / "docs" / "glossary.md"
    for broken in ("See docs/nowhere.md.", "[here](#nowhere)", "[there](audit.md#nowhere)"):
        before = glossary.read_text("utf-8")
        glossary.write_text(f"{before}\n\n{broken}\n", "utf-8")
        assert built(tmp_path).returncode != 0, broken
        glossary.write_text(before, "utf-8")


def test_the_hooks_before_a_commit_run_what_ci_runs_and_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    configured = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [each["repo"] for each in configured["repos"]] == ["local"]
    hooks = configured["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    _, made = run_ci(tmp_path, failing="nothing")
    words = [word for line in made for word in line.split()[1:]]
    targets = [word for word in words if word != "setup" and not word.startswith("--")]
    assert [hook["entry"] for hook in hooks] == [f"make {target}" for target in targets]


def test_branch_coverage_has_a_floor_for_every_package() -> None:
    coverage = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["coverage"]
    assert coverage["run"]["branch"] is True
    assert coverage["report"]["fail_under"] >= 77
    makefile = (ROOT / "Makefile").read_text("utf-8")
    floors = dict(
        re.findall(r"([a-z]+)=(\d+)", makefile.partition("\nFLOORS :=")[2].split("\n")[0])
    )
    assert sorted(floors) == sorted(coverage["run"]["source"])
    assert all(int(floor) >= 50 for floor in floors.values())
