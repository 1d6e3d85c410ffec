"""A name that could not be typed again is given to nothing, by no command and not by the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ContractError
from rehabcast.commands.rules.names import MADE, NAMES, require_names
from tests.rehabcast.command_line import run
from tests.rehabcast.commands.rules.test_options import COMMANDS, parameters
from training.registry.model_versions import check_model_name

NO_NAMES = {
    "actor", "as_of", "audience", "attribute", "by", "decision", "form", "format_name", "host",
    "jwks", "language", "models", "ray_address", "reason", "restricted_use", "role", "scopes", "target",
    "task", "tenants", "url", "variant",
}  # fmt: skip
"""Text that is none: one of a few words, an address, a sentence, or a list that is read as such."""

BLANK, INVISIBLE, LONG, DASHED = ("", "  "), ("a\x00b", "a\nb", "a\u200bb"), ("a" * 5000,), ("-x",)


def texts(name: str) -> Iterator[Any]:
    for parameter in parameters(name).values():
        if "str" in str(parameter.type_descriptor.annotation):
            yield parameter


def test_every_text_of_a_command_is_known_as_a_name_or_as_none() -> None:
    found = {each.name for name in COMMANDS for each in texts(name)}
    assert found - NO_NAMES - NAMES == set()
    for name, made in MADE.items():
        assert set(made) <= NAMES & {each.name for each in texts(name)}, name


def context(name: str, given: dict[str, str]) -> Any:
    """Return a command as it is called, with some values."""
    return SimpleNamespace(
        params=given, command=SimpleNamespace(params=list(parameters(name).values()))
    )


def test_no_command_takes_a_name_that_cannot_be_one() -> None:
    count = 0
    for name in COMMANDS:
        for each in texts(name):
            if each.name not in NAMES:
                continue
            made = each.name in MADE.get(name, ())
            for value in (*BLANK, *INVISIBLE, *LONG, *(DASHED if made else ())):
                with pytest.raises(ContractError) as refused:
                    require_names(name, context(name, {each.name: value}))
                shown = each.opts[0] if each.opts[0].startswith("-") else each.opts[0].upper()
                assert refused.value.reason.startswith((shown, f"{each.metavar}: "))
                count += 1
            require_names(name, context(name, {each.name: "Arm unit 3"}))
    assert count > 200


@pytest.mark.parametrize("typed", [
    "train --cohort nowhere --task t.toml --model -x", "plan new p.toml --line -x",
    "people add --key k.pem -- -x", "federate offer a/1 --site -x --round r",
    "access add-issuer --tenant t --jwks https://x.test/ --access a.toml -- -x",
])  # fmt: skip
def test_it_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """A model, a plan, a person, an issuer could be called -x: an option, to other commands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REHABCAST_PEOPLE", str(tmp_path / "people"))
    said = run(capsys, monkeypatch, *typed.split())
    assert (said.code, "begins with a dash" in said.text) == (3, True), said
    assert list(tmp_path.iterdir()) == []


@given(st.text(min_size=3, max_size=300).filter(lambda text: len(text.strip()) > 2))
def test_what_a_patient_is_called_is_never_repeated(subject: str) -> None:
    try:
        require_names("record erase", context("record erase", {"subject": subject}))
    except ContractError as refused:
        said = str(refused)
    else:
        said = ""
    assert subject not in said


def test_the_api_calls_no_model_so_either() -> None:
    registry: Any = SimpleNamespace(search_registered_models=lambda **_: pytest.fail("asked"))
    with pytest.raises(ContractError, match="begins with a dash"):
        check_model_name(registry, "-x")
