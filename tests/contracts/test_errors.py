from __future__ import annotations

import ast
import pickle
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import errors
from contracts.digests import PACKAGES
from contracts.errors import (
    CohortInvalid,
    Problem,
    RehabcastError,
    SourceUnreadable,
    by_cause,
    counts_by_reason,
    grouped,
)

ROOT = Path(__file__).resolve().parents[2]
TEXT = st.text(min_size=1, max_size=40)
OWN_CALL = {CohortInvalid, SourceUnreadable}
"""Errors that are made of problems, and not of a reason and an advice."""

SIMPLE = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, RehabcastError) and error not in OWN_CALL
]


@given(reason=TEXT, what_to_do=TEXT)
@pytest.mark.parametrize("kind", SIMPLE, ids=lambda kind: kind.__name__)
def test_reason_and_advice_stay_apart_whatever_is_in_them(
    kind: type[RehabcastError], reason: str, what_to_do: str
) -> None:
    error = pickle.loads(pickle.dumps(kind(reason, what_to_do)))  # noqa: S301  (our own bytes)
    assert (error.reason, error.what_to_do) == (reason, what_to_do)
    assert str(error) in {f"{reason}: {what_to_do}", f"{reason}\n{what_to_do}"}


def test_an_error_without_advice_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="what_to_do"):
        RehabcastError("something is wrong")  # type: ignore[call-arg]


@given(found=TEXT, advice=TEXT, row=st.none() | st.integers(1, 99))
def test_a_problem_crosses_processes_with_its_parts(
    found: str, advice: str, row: int | None
) -> None:
    """A fit or an import on another machine raises there and is worded here."""
    problem = Problem(file="a.csv", row=row, field="score", found=found, advice=advice)
    for error in (CohortInvalid([problem]), SourceUnreadable("a.csv", "score", found, advice)):
        same = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own bytes)
        assert str(same) == str(error)
        assert (same.reason, same.what_to_do) == (error.reason, error.what_to_do)
    assert str(problem).endswith(f"score: {found}: {advice}")


def own_errors() -> set[str]:
    """Return the names of all error classes of ours, those of the packages too."""
    bases: dict[str, set[str]] = {}
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {getattr(base, "id", "") for base in node.bases}
    names = {"RehabcastError"}
    while more := {name for name, of in bases.items() if of & names} - names:
        names |= more
    return names


@cache
def trees() -> dict[Path, ast.Module]:
    return {
        module: ast.parse(module.read_text("utf-8"))
        for package in PACKAGES
        for module in (ROOT / package).rglob("*.py")
    }


def test_no_sentence_of_ours_is_split_into_reason_and_advice() -> None:
    """Wherever an error is caught, its parts are read and not its words."""
    split = []
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                separators = [a.value for a in node.args if isinstance(a, ast.Constant)]
                if node.func.attr in {"split", "partition", "rpartition", "rsplit"} and (
                    ": " in separators or " & " in separators
                ):
                    split.append(f"{module.relative_to(ROOT)}:{node.lineno}")
    assert split == []


def test_every_error_is_raised_with_an_advice_of_its_own() -> None:
    names = own_errors() - {error.__name__ for error in OWN_CALL}
    faulty = []
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                given = len(node.args) + len(node.keywords)
                starred = any(isinstance(argument, ast.Starred) for argument in node.args)
                own = getattr(node.func, "id", "") in {"RequestInvalid", "PrefetchMissing"}
                if given < 2 and not starred and not own:
                    faulty.append(f"{module.relative_to(ROOT)}:{node.lineno}")
    assert faulty == []


ADVISING = (
    "use", "check", "send", "run", "set", "give", "add", "split", "train", "ask", "write", "name",
    "declare", "export", "import", "choose", "install", "remove", "correct", "try", "restore",
)  # fmt: skip


def test_no_reason_ends_in_an_advice() -> None:
    """`raise X("what is wrong: use another", ...)` would show the advice as a reason."""
    names = own_errors() | {"Problem", "problem", "Refusal", "RequestRefused", "Fault"}
    advising = re.compile(rf": ({'|'.join(ADVISING)}) ")
    faulty = []
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                reasons = [*node.args[:1], *(k.value for k in node.keywords if k.arg in REASONS)]
                text = " ".join(
                    part.value
                    for reason in reasons
                    for part in ast.walk(reason)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )
                if advising.search(text):
                    faulty.append(f"{module.relative_to(ROOT)}:{node.lineno}: {text}")
    assert faulty == []


REASONS = {"reason", "found"}


def row_problem(file: str, row: int, cause: str = "bad dates", found: str = "") -> Problem:
    return Problem(
        file=file, row=row, field="day", found=found or f"row {row} is bad", advice="mend it",
        cause=cause,
    )  # fmt: skip


PLACED = st.lists(
    st.tuples(st.sampled_from(["a.csv", "b.csv"]), st.integers(2, 99), st.sampled_from("xyz")),
    max_size=40,
).map(lambda rows: [row_problem(file, row, cause) for file, row, cause in rows])


@given(PLACED)
def test_grouping_counts_everything_once_and_again_changes_nothing(
    problems: list[Problem],
) -> None:
    once = grouped(problems)
    assert sum(problem.count for problem in once) == len(problems)
    assert len(once) == len({(problem.file, problem.cause) for problem in problems})
    assert grouped(once) == once
    over_files = by_cause(problems)
    assert len(over_files) == len({problem.cause for problem in problems})
    assert sum(problem.count for problem in over_files) == len(problems)
    counts = {reason.reason: reason.count for reason in counts_by_reason(problems)}
    assert counts == {problem.cause: problem.count for problem in over_files}


@given(PLACED)
def test_a_group_names_the_first_places_and_of_several_files_the_files(
    problems: list[Problem],
) -> None:
    for problem in by_cause(problems):
        own = [p for p in problems if p.cause == problem.cause]
        files = list(dict.fromkeys(p.file for p in own))
        in_order = [p for file in files for p in own if p.file == file]
        named = [f"{p.file} row {p.row}" if len(files) > 1 else f"row {p.row}" for p in in_order]
        if len(own) > 1:
            assert list(problem.places) == list(dict.fromkeys(named))[:3]
            assert f"{len(own)} of these" in problem.message


def test_what_has_no_cause_in_common_stays_apart() -> None:
    columns = [
        Problem(file="a", row=1, field=name, found="no such column", advice="add it")
        for name in ("age", "sex")
    ]
    assert by_cause(columns) == tuple(columns)


def test_an_invalid_cohort_prints_at_most_twenty_lines_and_the_true_count() -> None:
    many = [row_problem("a.csv", 2, cause=f"cause {n % 30}", found="two\nlines") for n in range(95)]
    lines = str(CohortInvalid(many)).splitlines()
    assert lines[0].startswith("95 problem(s)")
    assert len(lines) == 1 + 20
    shown = sum(4 if n < 5 else 3 for n in range(19))
    assert lines[-1] == f"  ... and {95 - shown} more (--json lists all)"


def test_a_mere_note_needs_no_action_and_is_not_counted() -> None:
    note = Problem(file="a", row=None, field="*", found="a copy of b")
    assert not note.needs_action
    assert counts_by_reason([note, row_problem("a", 3)])[0].count == 1
    assert Problem(file="a", row=None, field="*", found="x", places=["row 3"]).places == ("row 3",)  # type: ignore[arg-type]
