"""Whatever a library logs or raises, no secret of the settings is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehabcast.redaction import cleaner

ADDRESS = "postgresql://someone:CANARY-password@127.0.0.1:9/d"

LIBRARIES = f"""
import logging, threading, sys
from rehabcast.redaction import cleaner, install
install(cleaner(["CANARY-password", "CANARY token"]))
install(cleaner([]))  # a second time changes nothing
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import sqlalchemy as sa
for name in ("mlflow", "alembic.runtime.migration", "sqlalchemy.engine.Engine", "httpx", "root"):
    log = logging.getLogger(name)
    log.error("opening {ADDRESS} failed")
    log.error("opening %s failed for %r", "{ADDRESS}", {{"token": "CANARY token"}})
    log.error("bad %d", "CANARY-password")
    try:
        raise OSError("{ADDRESS}") from ValueError("http://u:CANARY-other@h/x")
    except OSError:
        log.exception("failed with Bearer CANARY.to-ken_of_a_caller")
def fail():
    raise RuntimeError("{ADDRESS}")
thread = threading.Thread(target=fail); thread.start(); thread.join()
try:
    sa.create_engine("{ADDRESS}".replace("postgresql", "postgresql+psycopg")).connect()
except sa.exc.OperationalError:
    logging.getLogger("sqlalchemy.pool").exception("lost")
raise RuntimeError("{ADDRESS}")
"""


def test_no_log_record_or_traceback_of_any_library_holds_a_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIBRARIES], capture_output=True, text=True, check=False, timeout=60,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    # The line that the logging module writes of a wrong call repeats our source line, no value.
    said = "\n".join(line for line in done.stderr.splitlines() if "log.error(" not in line)
    assert done.returncode == 1
    assert said.count("***") >= 20
    assert "Traceback" in said
    assert "CANARY" not in said.replace("Arguments: ('CANARY-password',)", "")


@given(st.text(min_size=4).filter(lambda s: "*" not in s), st.text(), st.text())
def test_a_secret_in_any_text_is_replaced(secret: str, before: str, after: str) -> None:
    assert secret not in cleaner([secret])(f"{before}{secret}{after}")


@pytest.mark.parametrize("text", ["nothing here", "an e-mail a@b.test", "https://host/path"])
def test_a_text_without_secrets_stays(text: str) -> None:
    assert cleaner(["secret"])(text) == text
