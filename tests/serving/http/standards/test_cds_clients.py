"""Tokens of record systems that call CDS Hooks, as the standard and two systems write them."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from serving.access.authentication import read_access
from tests.serving.http.standards.shapes import sandbox

HOOK = "/cds-services/recovery-forecast"
HERE = "https://here.test"
SANDBOX, EPIC = "https://sandbox.cds-hooks.test", "https://epic.hospital.test/oauth2"
JKU = f"{SANDBOX}/.well-known/jwks.json"
ACCESS = f"""
audience = "{HERE}"
[[cds_client]]
issuer = "{SANDBOX}"
jwks = "sandbox.json"
tenant = "trial"
[[cds_client]]
issuer = "{EPIC}"
jwks = "epic.json"
longest_seconds = 900
"""


@pytest.fixture
def trusting(application: Any, signers: Any, tmp_path: Path) -> Any:
    keys = {
        "sandbox": {**ECAlgorithm.to_jwk(signers.ec.public_key(), as_dict=True), "kid": "k"},
        "epic": {**RSAAlgorithm.to_jwk(signers.rsa.public_key(), as_dict=True), "kid": "k"},
    }
    for name, key in keys.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"keys": [key]}))
    (tmp_path / "access.toml").write_text(ACCESS)
    application.runtime.access = read_access(tmp_path / "access.toml")
    return application


def signed(signers: Any, *, epic: bool = False, jku: str = JKU, **claims: Any) -> dict[str, str]:
    """Sign a token as the sandbox does, whose `sub` is no caller, or as Epic does.

    Claims that are moments (`iat`, `exp`) are given in seconds from now.
    """
    now = int(time.time())
    usual = {
        "iss": SANDBOX, "sub": "48163c5e-88b5-4cb3-92d3-23b800caa927", "aud": f"{HERE}{HOOK}",
        "iat": now, "exp": now + 300, "jti": secrets.token_hex(8),
    }  # fmt: skip
    if epic:
        usual |= {"iss": EPIC, "nbf": now, "exp": now + 900}
    moments = {name: now + claims[name] for name in ("iat", "exp") if name in claims}
    content = {**usual, **claims, **moments}
    content = {name: value for name, value in content.items() if value is not None}
    key, algorithm = (signers.rsa, "RS384") if epic else (signers.ec, "ES256")
    headers = {"kid": "k"} if epic else {"kid": "k", "jku": jku}
    return {"Authorization": f"Bearer {jwt.encode(content, key, algorithm, headers=headers)}"}


@pytest.mark.parametrize(
    ("epic", "claims"),
    [
        (False, {}),
        (False, {"sub": None}),
        (False, {"aud": [f"{HERE}{HOOK}", "https://other.test"]}),
        (True, {}),
    ],
)
def test_a_registered_system_gets_cards(
    trusting: Any, signers: Any, epic: bool, claims: dict[str, Any]
) -> None:
    answer = trusting.ask(HOOK, sandbox(), **signed(signers, epic=epic, **claims))
    assert answer.status_code == 200, answer.text
    (row,) = trusting.on_record("forecast")
    assert (row.actor, row.tenant) == (
        (f"cds:{EPIC}", EPIC) if epic else (f"cds:{SANDBOX}", "trial")
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": HERE},
        {"aud": f"{HERE}{HOOK}/feedback"},
        {"aud": f"{HERE}/cds-services"},
        {"exp": 901},
        {"exp": -100, "iat": -300},
        {"jti": None},
        {"iss": EPIC},
        {"iss": "https://nobody.test"},
    ],
)
def test_a_token_for_another_address_or_too_long_or_anothers_is_refused(
    trusting: Any, signers: Any, claims: dict[str, Any]
) -> None:
    answer = trusting.ask(HOOK, sandbox(), **signed(signers, **claims))
    assert answer.status_code == 401


def test_a_token_is_used_once_and_for_hooks_only(trusting: Any, signers: Any) -> None:
    once = signed(signers)
    assert trusting.ask(HOOK, sandbox(), **once).status_code == 200
    assert trusting.ask(HOOK, sandbox(), **once).status_code == 401
    elsewhere = signed(signers, aud=f"{HERE}/v1/model")
    assert trusting.ask("/v1/model", **elsewhere).status_code == 401


def test_keys_are_never_fetched_from_where_a_token_says(trusting: Any, signers: Any) -> None:
    """The keys of this system are in a file; another address in the token changes nothing."""
    answer = trusting.ask(HOOK, sandbox(), **signed(signers, jku="https://evil.test/keys"))
    assert answer.status_code == 200
    system = trusting.runtime.access.cds_clients[SANDBOX]
    object.__setattr__(system, "jku", JKU)
    assert trusting.ask(HOOK, sandbox(), **signed(signers)).status_code == 200
    answer = trusting.ask(HOOK, sandbox(), **signed(signers, jku="https://evil.test/keys"))
    assert answer.status_code == 401
