"""No command writes over what is not its own: one rule, over every output of every command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from audits.ledger.records import LedgerState
from audits.ledger.signing import SIGNATURE, make_key, written_signed
from audits.report.monthly.content import FORMAT
from contracts.errors import ContractError
from contracts.exercise import SetFile, write_sets
from contracts.exercise.recogniser_audit import RecogniserAudit, write_recogniser_audit
from contracts.naming.formats import KEY, name_of
from features.adherence.days import as_table
from inference.exercise.recogniser import ABOUT
from inference.exercise.templates import TemplateFile, write_template
from rehabcast.commands.rules import kinds
from rehabcast.commands.rules.kinds import Kind
from rehabcast.commands.rules.outputs import OUTPUTS, Output, require_outputs
from rehabcast.evidence.in_prometheus import ABOUT as ABOUT_METRICS
from rehabcast.signed_heads import write_head
from tests.conftest import ROOT
from tests.rehabcast.command_line import run
from tests.rehabcast.commands.rules.test_options import COMMANDS, parameters, value_of
from training.fitting.config import TrainingConfig

READ = {
    "access", "calls", "champion_predictions", "cohort", "config", "external", "file", "files",
    "first", "folder", "head", "into", "last_weeks", "map_file", "offers", "plans", "policy",
    "pretrain_on", "programme", "public_key", "recogniser", "recording", "second", "served",
    "sets", "source", "sources", "task", "trunk", "without", "scenario", "key",
}  # fmt: skip
"""Parameters that name what a command reads, unless `OUTPUTS` has them."""

FOREIGN = b"Somebody's notes; there is no other copy of them.\n"
EVERY = [(name, output) for name, outputs in OUTPUTS.items() for output in outputs]


def paths(name: str) -> Iterator[str]:
    """Yield the parameters of a command that name a file or folder."""
    for parameter in parameters(name).values():
        if "Path" in str(parameter.type_descriptor.annotation) or parameter.name == "output":
            yield parameter.name


def test_every_path_of_a_command_is_known_as_read_or_as_written() -> None:
    assert OUTPUTS.keys() <= COMMANDS.keys()
    unknown = [
        (name, path)
        for name in COMMANDS
        for path in paths(name)
        if path not in READ | {each.parameter for each in OUTPUTS.get(name, ())}
    ]
    assert unknown == []
    for name, output in EVERY:
        assert output.parameter in {"", *paths(name)}, name


def test_what_the_help_says_is_written_is_an_output() -> None:
    """An option that says that it writes, or names something new, is in the table."""
    for name in COMMANDS:
        for parameter in parameters(name).values():
            said = (getattr(parameter, "help", None) or "").lower()
            writes = any(word in said for word in (" to write", "must not exist", "also write"))
            if writes and "Path" in str(parameter.type_descriptor.annotation):
                assert parameter.name in {each.parameter for each in OUTPUTS.get(name, ())}, name


def line(name: str, output: Output, place: Path) -> list[str]:
    """Return a command as it is typed, with one of its outputs at a place."""
    typed = [*COMMANDS[name]]
    for option, parameter in parameters(name).items():
        here = parameter.name == output.parameter
        is_argument = parameter.param_type_name == "argument"
        if here or parameter.required or is_argument:
            value = [str(place)] if here else value_of(option)
            typed += value if is_argument else [option, *value]
    return typed


@pytest.mark.parametrize(("name", "output"), EVERY)
def test_a_file_of_somebody_else_is_refused_before_anything_is_done(
    name: str, output: Output, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A head of the ledger was written over any file, and so was what exercise made."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "theirs.png"
    if name == "features report":
        (tmp_path / "nowhere").mkdir()
    files = output.files(place)
    if output.parameter == "":
        place = tmp_path / "nowhere.audit.json"
        files = (place,)
    if output.folder:
        place.mkdir()
        files = (place / "theirs",) if files == (place,) else files
    for file in files:
        file.write_bytes(FOREIGN)
        extra = ["--sets", "x", "--map", "y"] if output.parameter == "" else []
        said = run(capsys, monkeypatch, *line(name, output, place), *extra)
        assert (said.code, "exists already" in said.text) == (3, True), (name, said.text)
        assert file.read_bytes() == FOREIGN
        file.unlink()


def context(name: str, given: dict[str, Any]) -> Any:
    """Return a command as it is called, with some values."""
    return SimpleNamespace(
        params=given, command=SimpleNamespace(params=list(parameters(name).values()))
    )


def test_no_command_writes_over_what_it_reads(tmp_path: Path) -> None:
    file, other = tmp_path / "day.csv", tmp_path / "other.csv"
    file.write_text("what a sensor measured")
    (tmp_path / "again.csv").symlink_to(file)
    pairs = 0
    for name, output in EVERY:
        if output.folder or not output.parameter:
            continue
        written = {each.parameter for each in OUTPUTS[name]}
        for each in parameters(name).values():
            if each.name in written:
                continue
            for read in (file, [other, tmp_path / "again.csv"]):
                with pytest.raises(ContractError, match="would be written over"):
                    require_outputs(name, context(name, {output.parameter: file, each.name: read}))
            require_outputs(name, context(name, {output.parameter: other, each.name: file}))
            pairs += 1
    assert pairs > 60


def test_a_recording_is_not_replaced_by_what_is_read_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    day, other = tmp_path / "day.csv", tmp_path / "other"
    for each in (day, other):
        each.write_text("what a sensor measured")
    options = ["--map", str(other), "--recogniser", str(other), "--output", str(day)]
    said = run(capsys, monkeypatch, "exercise", "recognise", str(day), *options)
    assert (said.code, "would be written over" in said.text) == (3, True), said.text
    assert day.read_text() == "what a sensor measured"


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A benchmark ran for hours, and then had no place for its leaderboard."""
    (tmp_path / "file").touch()
    (tmp_path / "new").mkdir()
    folders = [(name, each) for name, each in EVERY if each.folder]
    assert len(folders) > 5
    for name, output in folders:
        for place in (tmp_path / "file", tmp_path / "file" / "deep" / "board"):
            with pytest.raises(ContractError, match="is no folder"):
                require_outputs(name, context(name, {output.parameter: place}))
        for place in (tmp_path / "new", tmp_path / "new" / "deep" / "board"):
            require_outputs(name, context(name, {output.parameter: place}))
    monkeypatch.setattr("rehabcast.commands.rules.outputs.os.access", lambda *_: False)
    for name, output in folders:
        with pytest.raises(ContractError, match="cannot be written by this user"):
            require_outputs(name, context(name, {output.parameter: tmp_path / "new" / "board"}))


def test_two_outputs_of_a_command_are_two_files(tmp_path: Path) -> None:
    for place in (tmp_path / "new", tmp_path / "there"):
        with pytest.raises(ContractError, match="two files at once"):
            require_outputs(
                "monitor run", context("monitor run", dict.fromkeys(("output", "metrics"), place))
            )
        (tmp_path / "there").touch()


def signed_table(file: Path, about: bytes) -> None:
    pq.write_table(pa.table({"a": [1] * 1000}).replace_schema_metadata({about: b"{}"}), file)


def drawn(file: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "x"}):
        Figure().savefig(file)


def leaderboard(file: Path) -> None:
    from rehabcast.commands.learning.benchmark_tables import BenchmarkRecord

    content = dict.fromkeys((each.name for each in fields(BenchmarkRecord)), "x")
    file.write_text(json.dumps(content, indent=1))


def recogniser(file: Path) -> None:
    about = {KEY: name_of("exercise-recogniser"), "exercises": ["raise"], "people": 5}
    file.write_bytes(save({"a": np.zeros(3)}, {ABOUT: json.dumps(about)}))


def template(file: Path) -> None:
    write_template(file, TemplateFile(
        exercise="raise", side="left", repetitions=3, model_version="1", gyroscope=True,
        place=(0.0,), scores=(1.0,),
    ))  # fmt: skip


@cache
def examples() -> dict[str, Any]:
    """Return who writes a file of each kind: the command's own writer, where it is quick."""
    from rehabcast.auditing import external_validation, served_pairs

    first = next(iter(ABOUT_METRICS))
    return {
        "LEDGER_HEAD": lambda file: write_head(file, asdict(LedgerState(length=7, head="a")), None),
        "RECORD_HEAD": lambda file: write_head(file, {"record": {"length": 7, "head": "a"}}, None),
        "PARAMETERS": TrainingConfig().write,
        "PREDICTIONS": lambda file: signed_table(file, external_validation.METADATA),
        "PAIRS": lambda file: signed_table(file, served_pairs.METADATA),
        "PICTURE": drawn,
        "LEADERBOARD": leaderboard,
        "RECOGNISER": recogniser,
        "EDITION": lambda file: file.write_text(json.dumps({"format": FORMAT}, indent=2)),
        "METRICS": lambda file: file.write_text(f"# HELP rehabcast_evidence_{first} "),
        "FEATURES": lambda file: file.write_text(FEATURES.read_text("utf-8")),
        "EXERCISE_REPORT": lambda file: file.write_text(SHEET.read_text("utf-8")),
        "EXERCISE_DAYS": lambda file: file.write_text(as_table("P", ())),
        "SETS": lambda file: write_sets(file, SetFile(sets=(), recorded=(), simulated=False)),
        "TEMPLATE": template,
        "RECOGNISER_AUDIT": lambda file: write_recogniser_audit(
            file, RecogniserAudit(model_version="1", people=1, sets=1, simulated=True, groups=())
        ),
    }


KINDS = {name: kind for name, kind in vars(kinds).items() if isinstance(kind, Kind)}
SHEET = ROOT / "serving" / "pages" / "templates" / "exercise_sheet.html"
FEATURES = ROOT / "features" / "report" / "report.html"


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf", ".csv", ".json"])
def test_what_a_command_wrote_is_of_its_kind_and_of_no_other(tmp_path: Path, ending: str) -> None:
    assert {*examples(), "SIGNATURE"} == KINDS.keys()
    for name, write in examples().items():
        if (name == "PICTURE") is (ending not in {".png", ".svg", ".pdf"}):
            continue
        file = tmp_path / f"{name}{ending}"
        write(file)
        assert [each for each, kind in KINDS.items() if kind.is_of(file)] == [name], name


def test_a_signature_is_of_its_kind(tmp_path: Path) -> None:
    make_key(tmp_path / "own.pem", tmp_path / "own.pub")
    file = tmp_path / "head.json"
    with written_signed(file, tmp_path / "own.pem") as draft:
        draft.write_text(json.dumps(asdict(LedgerState(length=7, head="a"))))
    assert kinds.SIGNATURE.is_of(tmp_path / f"head.json{SIGNATURE}")
    # So it is replaced, with what it is of.
    require_outputs("ledger head", context("ledger head", {"output": file}))


@given(st.binary(min_size=1, max_size=300))
def test_bytes_of_anything_are_of_no_kind(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "anything"
    file.write_bytes(content)
    assert [name for name, kind in KINDS.items() if kind.is_of(file)] == []
