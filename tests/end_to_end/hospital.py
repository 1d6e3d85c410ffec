"""A hospital that works by commands alone, and asks a service of its own over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import QUICK_TRAINING, CommandLine
from tests.service_only import as_in_its_image

Answers = dict[str, list[tuple[int, Any]]]
"""Status and document of each answer, by place."""


def small_and_whole(
    small: object, whole: object, called: str, *marks: pytest.MarkDecorator
) -> list[Any]:
    """Return the forms of a walk as a fixture's parameters: the whole one only in the soak."""
    return [
        pytest.param(small, id="small"),
        pytest.param(whole, id=called, marks=[pytest.mark.soak, *marks]),
    ]


class Hospital:
    """Works in one folder.

    Parameters
    ----------
    quick_training
        Whether its trainings are `QUICK_TRAINING`.
    """

    def __init__(
        self, folder: Path, command_line: CommandLine, *, quick_training: bool = False
    ) -> None:
        self.folder, self.command_line, self.quick_training = folder, command_line, quick_training

    def environment(self, actor: str = "tester") -> dict[str, str]:
        return {**os.environ, "REHABCAST_ACTOR": actor, "COLUMNS": "100", "OMP_NUM_THREADS": "1"}

    def run(self, *words: str, actor: str = "tester", code: int = 0) -> str:
        done = self.done(*words, actor=actor, code=code)
        return done.stdout + done.stderr

    def record(self, *words: str, actor: str = "tester", code: int = 0) -> dict[str, Any]:
        done = self.done(*words, "--json", actor=actor, code=code)
        record: dict[str, Any] = json.loads(done.stdout)
        return record

    def done(self, *words: str, actor: str, code: int) -> subprocess.CompletedProcess[str]:
        quick = self.quick_training and words[0] in {"train", "benchmark"}
        done = self.command_line.run(
            list(words), cwd=self.folder, env=self.environment(actor), umask=0o077,
            before=QUICK_TRAINING if quick else "",
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done


SERVE = """
import json, os, subprocess, sys
from pathlib import Path
import httpx
from rehabcast.commands.demo import _free_port
from rehabcast.commands.service.serve import running_service

everything = os.environ.get("PYTHONPATH", "")
os.environ["PYTHONPATH"] = sys.argv[1] + os.pathsep + everything
with running_service(_free_port(), Path("service.log"), "a-token-of-our-hospital") as address:
    sent = json.loads(Path("requests.json").read_text("utf-8"))
    headers = {"Authorization": "Bearer a-token-of-our-hospital"}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        answers = {}
        for place, body in sent:
            said = client.request("GET" if body is None else "POST", place, json=body)
            answers.setdefault(place, []).append([said.status_code, said.json()])
print(json.dumps(answers))
"""


def ask_service(hospital: Hospital, sent: list[list[Any]]) -> Answers:
    """Start the service of the champion, which is given no file, and send it requests.

    Parameters
    ----------
    sent
        Place and document of each; a document that is None is asked for by GET.
    """
    (hospital.folder / "requests.json").write_text(json.dumps(sent), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, as_in_its_image(hospital.folder)],
        capture_output=True, text=True, cwd=hospital.folder, env=hospital.environment(),
        check=False, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answered: Answers = json.loads(done.stdout)
    return answered
