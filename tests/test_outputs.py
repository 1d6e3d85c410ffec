"""What a command writes for a person appears whole, once everything that can refuse has been read.

A file that is opened under its own name is half there while it is written, and has replaced what
was there before. So every output is written by `stores.private_files.written_whole`, or signed by
`audits.ledger.signing.written_signed`, or made in a folder that takes its place as a whole.
"""

from __future__ import annotations

import ast
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.ledger.signing import SIGNATURE, make_key, verify, written_signed
from contracts.digests import PACKAGES
from contracts.errors import EvidenceMissing
from stores.private_files import write_private, written_whole
from tests.conftest import ROOT
from tests.forked import Forked

WRITES = {"write_text", "write_bytes", "to_parquet", "to_csv", "savefig", "save_file", "touch"}
"""Calls that write to a path, beside `open` for writing and `write_table` of Parquet."""

WHOLE = {"written_whole", "written_signed", "drafted", "TemporaryDirectory"}
"""What gives the path of a draft."""

STREAMS = {"sys.stderr.write", "sys.stdout.write", "write"}
"""Calls of the name of a writer (`TrainingConfig.write`) that are none; the last is a variable's."""

NOT_AN_OUTPUT = {
    ("rehabcast/backups/making.py", "_fill"): "a folder that takes its place whole",
    ("rehabcast/backups/manifest.py", "copy_file"): "a folder that takes its place whole",
    ("rehabcast/commands/service/serve.py", "running_service"): "a log, read while it grows",
    ("rehabcast/pages/imports/pages.py", "_read"): "the folder of an upload, of one visit",
    ("rehabcast/pages/imports/questions.py", "proposal_of"): "the folder of an upload",
}
"""Functions of commands and service that write under a name of its own, and why they may."""


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_write(call: ast.Call) -> bool:
    name = name_of(call)
    if name == "write_table":
        return ast.unparse(call.func).startswith("pq.")
    if name != "open":
        return name in WRITES
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    texts = [each.value for each in given if isinstance(each, ast.Constant)]
    return any(
        isinstance(text, str) and len(text) <= 3 and set(text) & set("wax") for text in texts
    )


def bare_calls(node: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Yield each call outside of a block that gives a draft, with the function that it is in."""
    if isinstance(node, ast.FunctionDef):
        function = node.name
    if isinstance(node, ast.With):
        given = [ast.unparse(item.context_expr) for item in node.items]
        if any(text.partition("(")[0] in WHOLE for text in given):
            return
    if isinstance(node, ast.Call):
        yield function, node
    for child in ast.iter_child_nodes(node):
        yield from bare_calls(child, function)


def calls_of(package: str) -> Iterator[tuple[str, str, ast.Call]]:
    for file in sorted((ROOT / package).rglob("*.py")):
        place = str(file.relative_to(ROOT))
        for function, call in bare_calls(ast.parse(file.read_text("utf-8"))):
            yield place, function, call


def target_of(call: ast.Call) -> ast.expr | None:
    """Return what a call writes to."""
    if name_of(call) in {"write_text", "write_bytes", "touch", "open"}:
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    place = 1 if name_of(call) in {"write_table", "save_file"} else 0
    return call.args[place] if len(call.args) > place else None


def writers() -> set[str]:
    """Return the functions below the commands that write to just the path that they are given."""
    found = set()
    for file in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef) or file.is_relative_to(ROOT / "rehabcast"):
                continue
            given = {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}
            targets = [target_of(call) for _, call in bare_calls(node) if is_write(call)]
            if any(isinstance(each, ast.Name) and each.id in given for each in targets):
                found.add(node.name)
    return found


def test_no_command_writes_an_output_under_its_own_name() -> None:
    named = writers()
    found = {
        (place, function): call.lineno
        for place, function, call in calls_of("rehabcast")
        if is_write(call) or (name_of(call) in named and ast.unparse(call.func) not in STREAMS)
    }
    assert {
        "write_sets",
        "write_template",
        "write_recogniser",
        "draw_subjects_of",
        "write",
    } <= named
    assert found.keys() == NOT_AN_OUTPUT.keys(), found


CONTENT = st.binary(max_size=200)


@given(before=st.none() | CONTENT, after=CONTENT, fails=st.booleans(), new=st.booleans())
def test_a_file_is_written_whole_or_stays_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, before: bytes | None, after: bytes, fails: bool,
    new: bool,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("written")
    file = folder / "out.csv"
    if before is not None:
        file.write_bytes(before)

    def write() -> None:
        with written_whole(file, new=new) as draft:
            assert draft.suffix == ".csv"
            assert draft.stat().st_mode & 0o077 == 0
            draft.write_bytes(after)
            assert (file.read_bytes() if file.exists() else None) == before
            if fails:
                raise EvidenceMissing("refused", "nothing")

    if new and before is not None:
        with pytest.raises(FileExistsError, match=r"out\.csv"):
            write()
    elif fails:
        with pytest.raises(EvidenceMissing):
            write()
    else:
        write()
        before = after
    assert (file.read_bytes() if file.exists() else None) == before
    assert [path.name for path in folder.iterdir()] == ([] if before is None else ["out.csv"])


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    whole = written_whole(file, new=True)
    whole.__enter__().write_text("ours")
    file.write_text("theirs")
    with pytest.raises(FileExistsError):
        whole.__exit__(None, None, None)
    assert file.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [file]


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from stores.private_files import written_whole

def work(file, number):
    left = int(number)
    def hook(event, _):
        nonlocal left
        if event in {"open", "os.link", "os.rename", "os.remove"}:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    with written_whole(Path(file), new=True) as draft:
        draft.write_text("whole")
"""


def test_a_new_file_is_whole_or_not_there_wherever_it_is_killed(tmp_path: Path) -> None:
    """The name was reserved and then replaced: killed between the two, an empty file stayed."""
    seen = []
    with Forked(KILLED_AT) as forked:
        for number in range(20):
            file = tmp_path / str(number) / "out.txt"
            file.parent.mkdir()
            forked.start(file, str(number))
            code = forked.ended()
            seen.append(file.read_text() if file.exists() else None)
            if code == 0:
                break
    assert code == 0
    assert len(seen) > 4
    assert seen[0] is None
    assert set(seen) == {None, "whole"}


def test_where_a_disk_has_no_links_a_new_file_is_written_and_none_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_link)
    file = tmp_path / "out.txt"
    with written_whole(file, new=True) as draft:
        draft.write_text("whole")
    whole = written_whole(file.with_name("other.txt"), new=True)
    whole.__enter__().write_text("ours")
    file.with_name("other.txt").write_text("theirs")
    with pytest.raises(FileExistsError, match=r"other\.txt"):
        whole.__exit__(None, None, None)
    assert sorted(each.read_text() for each in tmp_path.iterdir()) == ["theirs", "whole"]


def test_a_refusal_names_the_file_and_not_its_draft(tmp_path: Path) -> None:
    for write in (
        lambda: write_private(tmp_path / "file" / "out.txt", "x"),
        lambda: written_whole(tmp_path / "missing" / "out.txt").__enter__(),
    ):
        (tmp_path / "file").write_text("")
        with pytest.raises((FileNotFoundError, NotADirectoryError)) as refused:
            write()
        assert Path(refused.value.filename).name in {"out.txt", "file"}


def test_what_cannot_be_signed_is_not_written(tmp_path: Path) -> None:
    key, public, file = tmp_path / "own.pem", tmp_path / "own.pub", tmp_path / "out.json"
    make_key(key, public)
    with written_signed(file, key) as draft:
        draft.write_text("first")
    signature = file.with_name(file.name + SIGNATURE)
    kept = signature.read_bytes()
    with pytest.raises(EvidenceMissing), written_signed(file, tmp_path / "none.pem") as draft:
        draft.write_text("second")
    assert (file.read_text(), signature.read_bytes()) == ("first", kept)
    verify(file, signature, [public])
    assert len(list(tmp_path.iterdir())) == 4
