"""A document of a later form is refused in a sentence that says what to do; earlier ones are read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audits.judging.policy import PACKAGED, load_policy
from audits.ledger.ledger import Ledger
from contracts.errors import ContractError, IntegrityError, ServiceUnavailable, TaskInvalid
from contracts.naming.formats import KEY, NEWEST, name_of, require_known_form
from inference.bundle import verify_bundle
from serving.state.store import Store
from tests.conftest import ROOT
from training.task import read_task, task_digest

TASK = ROOT / "tasks" / "stroke-upper-limb.toml"
ADVICE = "use the version of rehabcast that wrote it, or a later one"


@pytest.mark.parametrize("kind", NEWEST)
def test_forms_up_to_the_newest_are_read_and_no_other(kind: str) -> None:
    for number in range(NEWEST[kind]):
        require_known_form({KEY: name_of(kind, number + 1)}, kind, "it", ContractError)
    for content in ({}, [], None, b"no JSON", b"{}"):
        require_known_form(content, kind, "it", ContractError)
    later = name_of(kind, NEWEST[kind] + 1)
    for said in (later, name_of(kind, 0), 2, ["x"], "another", ""):
        for content in ({KEY: said}, json.dumps({KEY: said}).encode()):
            with pytest.raises(ContractError, match=ADVICE):
                require_known_form(content, kind, "it", ContractError)


def test_a_task_may_say_its_form_and_is_the_same_task(tmp_path: Path) -> None:
    file = tmp_path / "task.toml"
    for number, is_read in ((1, True), (2, False)):
        file.write_text(f'format = "rehabcast-task/{number}"\n' + TASK.read_text("utf-8"), "utf-8")
        if is_read:
            assert task_digest(read_task(file)) == task_digest(read_task(TASK))
        else:
            with pytest.raises(TaskInvalid, match=f"rehabcast-task/2.*{ADVICE}"):
                read_task(file)


def test_a_policy_may_say_its_form_and_is_the_same_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    text = PACKAGED.read_text("utf-8")
    file.write_text('format = "rehabcast-audit-policy/1"\n' + text, "utf-8")
    assert load_policy(file).digest == load_policy().digest
    file.write_text('format = "rehabcast-audit-policy/9"\n' + text, "utf-8")
    with pytest.raises(ContractError, match=f"rehabcast-audit-policy/9.*{ADVICE}"):
        load_policy(file)


def test_a_policy_that_requires_no_attribute_is_refused_where_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    lines, skipped = ["required = []"], False
    for line in PACKAGED.read_text("utf-8").splitlines():
        if line.startswith("["):
            skipped = line.strip() == "[[required]]"
        if not skipped:
            lines.append(line)
    file.write_text("\n".join(lines), "utf-8")
    with pytest.raises(ContractError, match="required names no attribute"):
        load_policy(file)


def test_a_bundle_of_a_later_form_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": "rehabcast-bundle/9", "more": 1}')
    with pytest.raises(IntegrityError, match=f"rehabcast-bundle/9.*{ADVICE}"):
        verify_bundle(tmp_path)


@pytest.mark.parametrize(
    ("opened", "statement"),
    [
        (Ledger, "UPDATE alembic_version SET version_num = '9999'"),
        (Store, "UPDATE service_form SET number = 9999"),
    ],
    ids=["ledger", "record"],
)
def test_a_database_of_a_later_version_is_refused_and_left_as_it_is(
    tmp_path: Path, opened: type[Ledger | Store], statement: str
) -> None:
    file = tmp_path / "kept.db"
    opened(f"sqlite:///{file}").close()
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()
    before = file.read_bytes()
    for make in (True, False):
        with pytest.raises(ServiceUnavailable, match=f"9999.*{ADVICE}"):
            opened(f"sqlite:///{file}", make=make)
    assert file.read_bytes() == before
