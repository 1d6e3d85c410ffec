"""`rehabcast policy` as other programs call it: a new policy, loosened, is told from the shipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from rehabcast.main import app

Check = Callable[[tuple[str, ...], dict[str, Any]], None]


def test_a_new_policy_asks_what_the_shipped_one_asks_until_a_limit_is_loosened(
    tmp_path: Path, check_fields: Check
) -> None:
    def record(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["policy", *words, "--json"])
        assert done.exit_code == 0, done.output
        answer: dict[str, Any] = json.loads(done.stdout)
        check_fields(("policy", *words), answer)
        return answer

    shipped, loose = tmp_path / "shipped.toml", tmp_path / "loose.toml"
    written = record("new", str(shipped))
    assert record("check", str(shipped)) == {
        "version": record("explain", str(shipped))["version"],
        "digest": written["digest"],
        "looser": [],
    }
    text = shipped.read_text("utf-8")
    loose.write_text(text.replace("limit = 4.25", "limit = 5.0"), "utf-8")
    looser = record("check", str(loose))["looser"]
    assert looser
    assert record("diff", str(shipped), str(loose))["changes"] == looser
    back = record("diff", str(loose), str(shipped))["changes"]
    assert [change["requirement"] for change in back] == [each["requirement"] for each in looser]
    assert not any(change["weakens"] for change in back)


def test_the_stricter_policy_is_written_and_asks_no_less(tmp_path: Path) -> None:
    strict = tmp_path / "strict.toml"
    made = CliRunner().invoke(app, ["policy", "new", str(strict), "--strict", "--json"])
    assert made.exit_code == 0, made.output
    checked = CliRunner().invoke(app, ["policy", "check", str(strict), "--json"])
    answer = json.loads(checked.stdout)
    assert (answer["looser"], answer["version"]) == ([], "6 strict")
    assert answer["digest"] == json.loads(made.stdout)["digest"]
