"""Whatever is typed, a command answers in a sentence with its exit code: never with a traceback."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from rehabcast.commands.learning.training import SHIPPED_TASKS
from rehabcast.main import app
from tests.rehabcast.command_line import run, words_of

TASK = str(SHIPPED_TASKS / "stroke-upper-limb.toml")
NEEDED = f"--cohort COHORT --task {TASK}"
TRAIN = f"train {NEEDED} --model arm"
REASON = "--reason 'It was read and discussed.'"

# Where COHORT stands, a sound cohort of three is meant; junk is binary, table.toml is another TOML.
CASES = f"""
cohort validate missing
cohort validate junk
cohort validate folder
cohort validate nothing
cohort validate ''
cohort import auto missing out
cohort import auto junk out
cohort import auto folder out
cohort import auto nothing out
cohort import unheard-of COHORT out
cohort import auto junk COHORT
cohort import tables junk out
cohort import tables table.toml out
cohort import tables broken.toml out
cohort import tables folder out
cohort import tables nested.toml out
cohort import auto table.toml out --map broken.toml
cohort import auto table.toml out --map junk
cohort import auto table.toml out --map folder
cohort import stroke-specs folder out
cohort import ist junk out
cohort import depresjon folder out
cohort import nhanes-wrist junk out
cohort import auto table.toml junk/out
cohort simulate COHORT --subjects 3
cohort simulate out --subjects 0
cohort simulate out --subjects -3
cohort simulate out --subjects many
cohort simulate out --subjects 3 --seed -1
cohort simulate out --subjects 3 --workers 0
cohort simulate junk/out --subjects 3
cohort simulate out --scenario junk
cohort simulate out --scenario folder
cohort simulate out --scenario table.toml
cohort simulate out --scenario nan.toml
cohort simulate out --scenario negative.toml
cohort simulate out --scenario nested.toml
cohort draw empty x.png
cohort floor empty --task {TASK}
cohort trace empty --task {TASK}
cohort export empty out
features report empty
features extract empty
cohort floor nobody-known --task {TASK}
search --cohort empty --task {TASK} --output x.toml
benchmark --cohort empty --task {TASK}
forecast --subject 1 --cohort empty
cohort draw COHORT x.xyz
cohort draw COHORT x
cohort draw COHORT missing/x.png
cohort draw COHORT folder
cohort draw COHORT x.png --subjects 0
cohort draw folder x.png
cohort draw COHORT-truth x.png
cohort floor COHORT --task junk
cohort floor COHORT --task table.toml
cohort floor folder --task {TASK}
cohort floor COHORT --task {TASK} --subjects 0
cohort floor COHORT --task {TASK} --seed -1
cohort trace COHORT --task {TASK} --share nan
cohort trace COHORT --task {TASK} --share -0.3
cohort trace COHORT --task {TASK} --seed -1
cohort trace COHORT --task {TASK} --output missing/x.csv
cohort trace COHORT --task {TASK} --output folder
cohort trace COHORT --task folder
cohort export COHORT out --format xml
cohort export COHORT COHORT
cohort export COHORT junk/out
cohort export folder out
features extract folder
features extract junk
features report COHORT --output missing/x.html
features report COHORT --output folder
features report folder
{TRAIN}
{TRAIN} --config table.toml
{TRAIN} --config broken.toml
{TRAIN} --config junk
{TRAIN} --config folder
{TRAIN} --config missing
{TRAIN} --config folds.toml
{TRAIN} --config shares.toml
{TRAIN} --seed -1
{TRAIN} --seed 4294967296
{TRAIN} --without missing
{TRAIN} --without junk
{TRAIN} --pretrain-on folder
{TRAIN} --engine ray --ray-address nonsense://x
train {NEEDED} --model ''
train {NEEDED} --model a/b
train --cohort COHORT --task broken.toml --model arm
train --cohort COHORT --task folder --model arm
train --cohort COHORT --task unheard-of --model arm
train --cohort empty --task {TASK} --model arm
train --cohort nobody-known --task {TASK} --model arm
train --cohort no-score --task {TASK} --model arm
search --cohort no-score --task {TASK} --output x.toml
benchmark --cohort no-score --task {TASK}
search {NEEDED} --output missing/x.toml
search {NEEDED} --output folder
search {NEEDED} --output x.toml --trials 0
search {NEEDED} --output x.toml
benchmark {NEEDED} --by hour
benchmark {NEEDED} --folds 1
benchmark {NEEDED} --repeats 0
benchmark {NEEDED} --models oracle
benchmark {NEEDED} --output junk
benchmark {NEEDED}
evaluate arm --cohort COHORT
evaluate arm/1 --cohort COHORT
evaluate arm/1 --cohort COHORT --output missing/x.parquet
audit arm
audit ''
audit arm/1 --policy junk
audit arm/1 --champion-predictions missing
audit arm/1 --mitigate
audit arm/1 --proposal x
approve arm/1 --role nobody {REASON}
approve arm --role governance {REASON}
promote arm/1 --approver me
promote arm/1 --until 2026-13-01
rollback arm --to-epoch 0 {REASON}
revoke '' {REASON}
policy check junk
policy check folder
policy check broken.toml
policy check table.toml
policy check missing
policy check nothing
policy explain junk
policy diff junk table.toml
policy new junk
policy new missing/x.toml
policy new folder
ledger verify --head junk
ledger head missing/x.json
ledger show extra
record forget --days 0
record consent P --tenant t perhaps
backup folder
backup x --without ledger
restore folder
restore junk
restore missing
restore nested
restore null
forecast --subject 1 --cohort folder
forecast --subject nobody --cohort COHORT
forecast --subject 1 --cohort COHORT --url nonsense
forecast --subject 1 --cohort COHORT --url http://127.0.0.1:9
forecast --subject 1 --cohort COHORT --as-of-day soon
forecast --subject 1 --cohort nobody-known --url http://127.0.0.1:9
people add Mia --key mia.pem
access init junk
access list --access junk
access list --access table.toml
access list --access nested.toml
access token x --access missing
demo --cohort folder
demo --cohort COHORT --task missing
demo --cohort empty
cohort map missing --output out.toml
cohort map junk --output out.toml
cohort map folder --output out.toml
cohort map COHORT --output junk/out.toml
task new missing --output out.toml
task new junk --output out.toml
task new COHORT --output junk/out.toml
task new COHORT --output out.toml --target nonsense
task check missing.toml
task check junk
task check broken.toml
task check table.toml
task check nested.toml
task check {TASK} --cohort junk
plan new junk/out.toml --line arm
plan new out.toml --line ''
plan check missing.toml
plan check junk
plan check broken.toml
plan check table.toml
plan check nested.toml
plan register missing.toml
plan register table.toml
plan approve missing.toml --role ml-owner {REASON}
plan approve table.toml --role boss {REASON}
plan show nobody
federate offer arm/1 --site '' --round r
federate offer nobody --site s --round r --cohort junk
federate export arm/1 --site s --offer junk
federate export arm/1 --site s --offer missing.toml
federate join missing
federate join junk table.toml
whatif missing.toml --subject 1 --cohort COHORT
whatif junk --subject 1 --cohort COHORT
whatif table.toml --subject 1 --cohort COHORT
whatif table.toml --subject 1 --cohort junk
serve --port 99999
serve --host 0.0.0.0 --development
serve
ledger mirror
monitor run nobody
monitor run arm/01
monitor run arm --output junk/out.parquet
monitor run arm --metrics missing/arm.prom
serve --shadow arm
ledger schema more
people list more
people retire nobody
exercise check junk
exercise check table.toml
exercise check folder
exercise report junk --programme table.toml
exercise report missing --programme junk
exercise report nothing --programme broken.toml --language xx
exercise days junk --programme table.toml --subject P-1 --output junk/out.csv
exercise days folder --programme missing --subject '' --output out.csv
exercise send junk --programme table.toml --subject P-1 --onset 2025-01-01
exercise send missing --programme table.toml --subject P-1 --onset 2025-13-41
exercise groups COHORT --task {TASK}
exercise groups junk --task junk
exercise train junk --map table.toml --output x
exercise train nothing --map broken.toml --output missing/x
exercise enrol junk --map junk --recogniser junk --exercise '' --output x
exercise enrol missing --map table.toml --recogniser junk --exercise a --output x
exercise audit junk
exercise audit other-tensors
exercise audit nested/tensors
exercise audit nothing --sets missing --map table.toml
exercise recognise junk --map table.toml --recogniser junk --output x
exercise recognise folder --map missing --recogniser nothing --output x
monitor compare arm
monitor compare nobody/1
monitor compare arm/01
monitor compare arm/2 --output junk/out.parquet
audit arm/1 --served junk
retrain nobody --cohort COHORT
retrain arm --cohort junk
retrain arm --cohort COHORT --config junk
retrain arm --cohort COHORT --seed -1
retrain arm --cohort COHORT --without missing
monitor edition nobody --output out
monitor trace nobody --tenant ward --output calls.csv
monitor trace arm --tenant ward --output missing/calls.csv
monitor trace arm --tenant ward --output junk
monitor trace arm --tenant ward --output calls.csv --share 2
monitor traced arm junk --tenant ward
monitor traced arm missing.csv --tenant ''
monitor edition arm --output junk --month 2025-13
record decisions --tenant ''
record decisions --tenant nobody
record verify --head missing.json
record verify --head junk
record head junk/out.json
record erase nobody --tenant '' {REASON}
record export nobody --tenant ward junk/out.json
record withdrawn --tenant ''
access add-client '' --scopes forecast
access add-client x --scopes everything
access add-issuer x --jwks nested/manifest.json
access add-issuer x --jwks nowhere
access remove-client nobody
access add-cds-client x --jwks nowhere
"""

WORDS_OF_LIBRARIES = (
    "Traceback",
    "pydantic",
    "errors.html",
    "ValidationError",
    "DBAPI",
    "KeyError",
)

NESTED = "[" * 5000


def tensors(dtype: str, about: str) -> bytes:
    """Return a file of one number, as other libraries write them."""
    size = 2 if dtype == "BF16" else 4
    facts = {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}
    header = json.dumps({"a": facts, "__metadata__": {"about": about}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cohort and with things that are none."""
    from features.simulate.scenario import Scenario
    from features.simulate.write import write_simulated

    folder = tmp_path_factory.mktemp("inputs")
    write_simulated(folder / "COHORT", subjects=3, seed=0, scenario=Scenario())
    kept = {
        "empty": lambda rows: rows.iloc[:0],
        "nobody-known": lambda rows: rows[rows["time"].notna()],
        "no-score": lambda rows: rows[rows["code"] != "REHABCAST//FUGL_MEYER_UE"],
    }
    for name, keep in kept.items():
        shutil.copytree(folder / "COHORT", folder / name)
        for file in (folder / name / "data").glob("*.parquet"):
            keep(pd.read_parquet(file)).to_parquet(file, index=False)
    (folder / "junk").write_bytes(bytes(range(256)) * 40)
    (folder / "nothing").touch()
    (folder / "folder").mkdir()
    (folder / "nested").mkdir()
    (folder / "null").mkdir()
    (folder / "null" / "manifest.json").write_text("null")
    (folder / "nested" / "manifest.json").write_text(NESTED)
    (folder / "nested" / "tensors").write_bytes(tensors("F32", NESTED))
    (folder / "other-tensors").write_bytes(tensors("BF16", "{}"))
    for name, content in {
        "table": 'title = "of something else"\n[part]\nnumber = 1\n',
        "broken": "= =\n",
        "folds": "folds = 0\n",
        "shares": "held_out_share = -0.1\nvalidation_share = nan\n",
        "nested": f"a = {NESTED}",
        "nan": "[wear]\ndropout = nan\n",
        "negative": "[visits]\nlate_share = -0.1\n",
    }.items():
        (folder / f"{name}.toml").write_text(content)
    return folder


def test_every_command_is_given_wrong_inputs() -> None:
    known = {" ".join(words) for words in words_of(get_command(app))}
    given = {
        name for name in known for line in CASES.splitlines() if f"{line} ".startswith(f"{name} ")
    }
    assert known - given == set()


def test_no_wrong_input_ends_in_a_traceback(
    inputs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs)
    lines = CASES.strip().splitlines()
    assert len(lines) > 100
    wrong = []
    for line in lines:
        said = run(capsys, monkeypatch, *shlex.split(line))
        named = [word for word in WORDS_OF_LIBRARIES if word in said.text]
        if said.code in {0, 1} or named or not said.text.strip():
            wrong.append(f"{line}: {said.code} {named} {said.text[-600:]}")
    assert wrong == [], "\n\n".join(wrong)
