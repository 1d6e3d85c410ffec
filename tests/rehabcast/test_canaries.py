"""A secret of any setting reaches no output of any command, whichever way the command fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.main import get_command

from contracts.errors import ServiceUnavailable
from rehabcast.main import app
from rehabcast.settings import PREFIX, Settings
from serving.state.store import Store
from stores.database import cause_of
from tests.rehabcast.command_line import words_of

ROOT = Path(__file__).resolve().parents[2]

SECRETS = ("CANARYPASS", "CANARYQUERY", "CANARYTOKEN", "CANARY%2DDEV", "CANARY-DEV",
           "CANARYWEBHOOK")  # fmt: skip
USER = "u:CANARYPASS@"
QUERY = "password=CANARYQUERY"

# The addresses of ledger, store and registry: nobody listens at port 9 of this machine.
STATES = {
    "servers away": (
        f"postgresql://{USER}127.0.0.1:9/d?{QUERY}",
        f"http://{USER}127.0.0.1:9/x?{QUERY}",
    ),
    "registry's database away": (
        f"postgresql://{USER}127.0.0.1:9/d?{QUERY}",
        f"postgresql://{USER}127.0.0.1:9/d?{QUERY}",
    ),
    "a host that is not known": (
        f"postgresql://{USER}nowhere.invalid/d?{QUERY}",
        f"https://{USER}nowhere.invalid/x?{QUERY}",
    ),
    "not an address": (f"postgresql://{USER}h:CANARYPASS/d", f"http://{USER}h:CANARYPASS/"),
    "another scheme": (f"oracle://{USER}h/d?{QUERY}", f"ftp://{USER}h/d?{QUERY}"),
    "files that are no databases": ("sqlite:///garbage.db", "sqlite:///garbage.db"),
    "a folder that is a file": ("sqlite:////dev/null/x/x.db", "sqlite:////dev/null/x/x.db"),
}

# Every command with enough to get as far as its databases.
COMMANDS = (
    "cohort simulate out --subjects 0", "cohort import auto nowhere out", "cohort validate nowhere",
    "cohort import stroke-specs nowhere out", "cohort import auto nowhere --into out",
    "cohort draw nowhere x.png", "cohort floor nowhere", "ledger schema",
    "cohort trace nowhere --task task.toml", "cohort map nowhere --output map.toml",
    "task new nowhere --output new.toml", "task check nowhere",
    "cohort export nowhere out", "features extract nowhere", "features report nowhere",
    "train --cohort nowhere --task task.toml --model arm",
    "search --cohort nowhere --task task.toml --output x.toml",
    "benchmark --cohort nowhere --task task.toml --output board", "evaluate arm/1 --cohort nowhere",
    "audit arm/1", "federate offer arm/1 --site s --round r",
    "federate export arm/1 --site s --offer nowhere", "federate join nowhere", "policy new x.toml", "policy check nowhere", "policy explain nowhere",
    "policy diff nowhere there", "plan new y.toml --line arm", "plan check nowhere",
    "plan register y.toml", "plan approve y.toml --role governance --reason r", "plan show arm",
    "retrain arm --cohort nowhere",
    "approve arm/1 --role governance --reason r", "promote arm/1",
    "revoke arm --reason r", "rollback arm --to-epoch 1 --reason r",
    "forecast --subject 1 --cohort nowhere", "whatif nowhere.toml --subject 1 --cohort nowhere",
    "ledger status", "ledger verify", "ledger show",
    "ledger head x.json", "ledger mirror", "record verify", "record forget --days 1",
    "record head y.json", "record erase P --tenant t --reason r", "record export P --tenant t e.json",
    "monitor run arm", "monitor edition arm --output board", "monitor compare arm/2", "monitor trace arm --tenant t --output calls.csv",
    "monitor traced arm nowhere --tenant t", "record consent P --tenant t withdrawn", "record withdrawn --tenant t",
    "record decisions --tenant t", "backup there/copy",
    "restore nowhere", "people add Mia --key mia.pem", "people list", "people retire Mia",
    "exercise train nowhere --map map.toml --output m", "exercise enrol nowhere --map map.toml --recogniser m --exercise e --output t",
    "exercise audit nowhere", "exercise recognise nowhere --map map.toml --recogniser m --output s.json",
    "access init there", "access list", "access add-client x --scopes cds",
    "access add-issuer x --jwks https://x.test/", "access remove-client x", "access token x",
    "access add-cds-client x --jwks https://x.test/",
    "exercise groups nowhere --task task.toml", "exercise check nowhere", "exercise report nowhere --programme nowhere",
    "exercise days nowhere --programme nowhere --subject P --output z.csv",
    "exercise send nowhere --programme nowhere --subject P --onset 2026-01-05",
)  # fmt: skip

NOT_RUN = {"demo", "serve"}
"""One simulates a cohort before it opens anything, the other becomes another process."""

DRIVER = """
import contextlib, io, json, os, sys, time
from rehabcast.main import run
done = []
for state, environment in json.load(open("states.json")).items():
    os.environ.update(environment)
    for command in json.load(open("commands.json")):
        out = io.StringIO()
        sys.argv = ["rehabcast", *command.split()]
        code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                run()
            except SystemExit as stop:
                code = stop.code
        done.append((state, command, code, out.getvalue()))
        print(state, command, code, time.monotonic(), flush=True)
json.dump(done, open("done.json", "w"))
"""


def test_the_list_has_every_command() -> None:
    known = {" ".join(words) for words in words_of(get_command(app))}
    listed = {
        command for command in known for line in COMMANDS if f"{line} ".startswith(f"{command} ")
    }
    assert known - listed == NOT_RUN


SAMPLE = ("servers away",)
"""Of the normal run, besides settings that are refused; the rest is for the soak."""


@pytest.mark.parametrize(
    "chosen", [SAMPLE, pytest.param(tuple(STATES), marks=pytest.mark.soak)], ids=["one", "all"]
)
def test_no_command_says_a_secret_however_it_fails(tmp_path: Path, chosen: tuple[str, ...]) -> None:
    (tmp_path / "garbage.db").write_bytes(b"garbage " * 1000)
    (tmp_path / "garbage.db").chmod(0o600)
    states = {
        state: {
            f"{PREFIX}LEDGER_URL": database,
            f"{PREFIX}STORE_URL": database,
            f"{PREFIX}TRACKING_URI": registry,
            f"{PREFIX}TOKEN": "CANARYTOKEN.CANARYTOKEN",
            f"{PREFIX}DEVELOPMENT_TOKEN": "CANARY-DEVELOPMENT-TOKEN",
            f"{PREFIX}ALERT_WEBHOOK": "https://ward.test/CANARYWEBHOOK",
        }
        for state, (database, registry) in STATES.items()
    }
    states = {state: states[state] for state in chosen}
    blank = {**states["servers away"], f"{PREFIX}TOKEN": " CANARYTOKEN two"}
    states["blank token"] = blank
    assert {name for name in Settings.model_fields if "Secret" in str(Settings.model_fields[name])} == {
        "ledger_url", "store_url", "tracking_uri", "token", "development_token", "alert_webhook",
    }  # fmt: skip
    (tmp_path / "states.json").write_text(json.dumps(states))
    (tmp_path / "commands.json").write_text(json.dumps(COMMANDS))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    limits = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        env={**environment, **limits, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert [s for s in SECRETS if s in done.stdout + done.stderr] == []
    results = json.loads((tmp_path / "done.json").read_text())
    assert len(results) == len(states) * len(COMMANDS)
    for state, command, code, said in results:
        assert [s for s in SECRETS if s in said] == [], (state, command)
        assert code != 0 or command in {
            "access init there",
            "ledger schema",
            "policy new x.toml",
            "plan new y.toml --line arm",
        }, (
            state,
            command,
            said,
        )
        assert "Traceback" not in said, (state, command, said[-1500:])
    assert not (tmp_path / "out").exists()


DRIVERS = {
    'connection failed: connection to server at "10.1.2.3", port 5432 failed: FATAL: password'
    ' authentication failed for user "CANARY"': "the database refuses the user or password",
    'connection to server at "CANARY" (10.1.2.3), port 5432 failed: Connection refused': "the"
    " database server does not answer",
    'FATAL: database "CANARY" does not exist': "the database, user or table does not exist",
    "unable to open database file: /CANARY": "the database file cannot be opened",
    "something of CANARY": "Exception",
}


@pytest.mark.parametrize("said", DRIVERS)
def test_what_a_driver_says_is_worded_without_its_places(said: str) -> None:
    error = sa.exc.OperationalError("SELECT 'CANARY'", {"a": "CANARY"}, Exception(said))
    assert cause_of(error) == DRIVERS[said]


def test_a_wrong_password_is_said_without_it(start_postgresql: Any) -> None:
    server = start_postgresql()
    try:
        url = sa.make_url(server.get_uri())
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE ROLE someone LOGIN PASSWORD 'right'"))
        engine.dispose()
        hba = Path(server.pgdata) / "pg_hba.conf"
        hba.write_text(hba.read_text().replace("trust", "scram-sha-256"))
        server.psql("SELECT pg_reload_conf()")
        wrong = url.set(username="someone", password="CANARYPASS")  # noqa: S106
        with pytest.raises(ServiceUnavailable, match="refuses the user or password") as refusal:
            Store(wrong.render_as_string(hide_password=False))
        assert "CANARYPASS" not in str(refusal.value)
        assert "someone" not in str(refusal.value)
        assert refusal.value.__suppress_context__
    finally:
        server.cleanup()
