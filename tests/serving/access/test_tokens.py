"""Every check of a token, by itself: each token is good but for one thing, and refused for it.

Removing a check from `serving.access` makes at least one line of these tables fail.
"""

from __future__ import annotations

import base64
import json
import secrets
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy.exc import OperationalError

from serving.access.access_file import read_access
from serving.access.authentication import authenticate, needs_store
from serving.access.grants import JWT_BEARER, TokenRequestRefused, grant, token_form
from serving.access.keys import Keys
from serving.access.tokens import AccessDenied
from serving.access.trust import Access, Caller
from tests.refusals import refuses

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
T = int(NOW.timestamp())
HERE = "https://rehabcast.test"
IDP = "https://idp.test"
REMOVE = object()


class Once:
    """Marks tokens as the store does: forgets one after its expiry."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def __call__(self, token: str, expires: int, now: datetime) -> bool:
        self.seen = {t: e for t, e in self.seen.items() if e >= now.timestamp()}
        fresh = token not in self.seen
        self.seen.setdefault(token, expires)
        return fresh


def no_store(*_: Any) -> bool:
    raise OperationalError("INSERT", {}, Exception("gone"))


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
P384, P256, OTHER = (
    ec.generate_private_key(curve) for curve in (ec.SECP384R1(), ec.SECP256R1(), ec.SECP384R1())
)
NUMBERS = {"RS256": RSA, "RS384": RSA, "ES384": P384, "ES256": P256}


def new_numbers() -> dict[str, Any]:
    """Make keys of each kind that nobody else has: two callers may not share one."""
    large = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curves = {"ES384": ec.SECP384R1(), "ES256": ec.SECP256R1()}
    made = {alg: ec.generate_private_key(curve) for alg, curve in curves.items()}
    return {"RS256": large, "RS384": large, **made}


NUMBERS_OF = {"idp": new_numbers(), "ehr": NUMBERS, "lab": new_numbers()}


def jwk(key: Any, kid: str | None, **members: Any) -> dict[str, Any]:
    kind = RSAKey if isinstance(key, rsa.RSAPrivateKey) else ECKey
    public = kind.import_key(key.public_key()).as_dict(private=False)
    return {**public, **({} if kid is None else {"kid": kid}), **members}


def jwks(numbers: dict[str, Any]) -> dict[str, Any]:
    named = {"rsa": "RS256", "p384": "ES384", "p256": "ES256"}
    return {"keys": [jwk(numbers[alg], kid) for kid, alg in named.items()]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = ECKey.import_key(OTHER)
    (tmp_path / "own.pem").write_bytes(own.as_pem(private=True))
    for name, numbers in NUMBERS_OF.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(jwks(numbers)))
    (tmp_path / "access.toml").write_text(
        f"""
        audience = "{HERE}"
        token_key = "own.pem"
        [[client]]
        id = "ehr"
        jwks = "ehr.json"
        scopes = ["forecast", "cds"]
        [[client]]
        id = "lab"
        jwks = "lab.json"
        scopes = ["observe"]
        tenant = "north"
        [[issuer]]
        name = "{IDP}"
        jwks = "idp.json"
        """
    )
    return tmp_path


@pytest.fixture
def access(folder: Path) -> Access:
    return read_access(folder / "access.toml")


def signed(owner: str, claims: dict[str, Any], alg: str = "ES384", **header: Any) -> str:
    kid = {"ES384": "p384", "ES256": "p256"}.get(alg, "rsa")
    content = {name: value for name, value in claims.items() if value is not REMOVE}
    names = {name: value for name, value in {"kid": kid, **header}.items() if value is not REMOVE}
    return jwt.encode(content, NUMBERS_OF[owner][alg], algorithm=alg, headers=names)


def issued(alg: str = "ES384", *, head: dict[str, Any] | None = None, **changes: Any) -> str:
    usual = {
        "iss": IDP, "aud": HERE, "sub": "dr", "iat": T, "exp": T + 600, "scope": "forecast",
    }  # fmt: skip
    return signed("idp", {**usual, **changes}, alg, **(head or {}))


def asserted(alg: str = "ES384", *, head: dict[str, Any] | None = None, **changes: Any) -> str:
    usual = {
        "iss": "ehr", "aud": HERE, "sub": "ehr", "iat": T, "exp": T + 60,
        "jti": secrets.token_hex(8),
    }  # fmt: skip
    owner = "lab" if changes.get("iss") == "lab" else "ehr"
    return signed(owner, {**usual, **changes}, alg, **(head or {}))


def who(
    access: Access, token: str, *, now: datetime = NOW, once: Any = None, **request: Any
) -> Caller:
    usual = {"path": "/v1/forecast", "peer": "10.0.0.9"}
    return authenticate(access, token, now=now, use_once=once or Once(), **{**usual, **request})


def denied(access: Access, token: str, **request: Any) -> AccessDenied:
    with refuses(AccessDenied) as refusal:
        who(access, token, **request)
    return refusal.value


@pytest.mark.parametrize("alg", ["RS256", "RS384", "ES256", "ES384"])
def test_each_algorithm_is_taken_of_its_own_key(access: Access, alg: str) -> None:
    assert who(access, issued(alg)).name == "user:https%3A//idp.test:dr"
    assert who(access, asserted(alg)).name == "client:ehr"


# What is wrong with an otherwise good token, of an issuer and signed by a client.
CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"iat": T - 400, "exp": T - 120},
    "no exp": {"exp": REMOVE},
    "exp as text": {"exp": str(T + 60)},
    "exp true": {"exp": True},
    "issued in the future": {"iat": T + 120, "exp": T + 180},
    "no iat": {"iat": REMOVE},
    "iat as text": {"iat": str(T)},
    "not yet valid": {"nbf": T + 120},
    "nbf as text": {"nbf": "tomorrow"},
    "no audience": {"aud": REMOVE},
    "another audience": {"aud": "https://elsewhere.test"},
    "a longer audience": {"aud": f"{HERE}/v1/forecast/"},
    "a part of the audience": {"aud": HERE[:-1]},
    "an audience in capitals": {"aud": HERE.upper()},
    "the audience and more": {"aud": f"{HERE}.evil.test"},
    "no subject": {"sub": REMOVE},
    "a blank subject": {"sub": " "},
    "a subject that is a number": {"sub": 7},
    "a subject with a line end": {"sub": "a\nb"},
    "a very long subject": {"sub": "x" * 256},
    "another issuer": {"iss": "https://evil.test"},
    "no issuer": {"iss": REMOVE},
    "the issuer as a list": {"iss": [IDP]},
    "a part of the issuer": {"iss": IDP[:-1]},
}
HEADERS: dict[str, dict[str, Any]] = {
    "no kid": {"kid": REMOVE},
    "an unknown kid": {"kid": "other"},
    "kid of another key": {"kid": "p256"},
    "kid of an RSA key": {"kid": "rsa"},
    "a critical extension": {"crit": ["exp"], "exp": 1},
    "an empty crit": {"crit": []},
    "unencoded payload": {"crit": ["b64"], "b64": True},
}


@pytest.mark.parametrize("make", [issued, asserted])
@pytest.mark.parametrize("what", [*CLAIMS, *HEADERS])
def test_one_wrong_thing_is_enough(access: Access, make: Callable[..., str], what: str) -> None:
    assert who(access, make()).scopes
    try:
        token = make(head=HEADERS.get(what), **CLAIMS.get(what, {}))
    except (TypeError, ValueError, jwt.PyJWTError):
        # The library that the tests sign with doesn't write this one.
        token = by_hand(make, HEADERS.get(what, {}), CLAIMS.get(what, {}))
    refusal = denied(access, token)
    assert (refusal.status, refusal.code) == (401, "invalid_token")


def part(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def by_hand(make: Callable[..., str], head: dict[str, Any], claims: dict[str, Any]) -> str:
    """Sign what a library would refuse to write."""
    header, payload = (
        json.loads(base64.urlsafe_b64decode(piece + "==")) for piece in make().split(".")[:2]
    )
    signing = f"{part({**header, **head})}.{part({**payload, **claims})}"
    signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA384, ec.SECP384R1).sign(
        signing.encode(), NUMBERS_OF["idp" if make is issued else "ehr"]["ES384"]
    )
    return f"{signing}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_a_token_made_by_hand_is_good_unless_something_is_wrong(access: Access) -> None:
    assert who(access, by_hand(issued, {}, {})).name == "user:https%3A//idp.test:dr"
    for infinite in (float("inf"), float("nan")):
        denied(access, by_hand(issued, {}, {"exp": infinite}))
    huge = by_hand(issued, {}, {"padding": "x" * 9_000})
    assert "too long" in denied(access, huge).reason
    for token in ("", "abc", "a.b", "a.b.c", "a.b.c.d.e", "...", "ü.ü.ü", "[" * 8_000):
        assert denied(access, token).code == ("invalid_token" if token else "")
    for algorithm in ("none", "None", "HS256", "RS512", "PS256", "ES512", "EdDSA", "", None, 5):
        denied(access, by_hand(issued, {"alg": algorithm}, {}))
    denied(access, issued()[:-4] + "AAAA")


@pytest.mark.parametrize("make", [issued, asserted])
def test_clocks_may_differ_by_a_minute_and_no_more(
    access: Access, make: Callable[..., str]
) -> None:
    late = make(iat=T, exp=T + 60)
    for seconds, good in ((119, True), (120, False), (121, False), (-60, True), (-61, False)):
        at = NOW + timedelta(seconds=seconds)
        if good:
            assert who(access, late, now=at).scopes
        else:
            denied(access, late, now=at)
    assert who(access, make(nbf=T + 60)).scopes
    denied(access, make(nbf=T + 61))


# What is wrong with a token that a client signed itself, and would be right in an issuer's.
OWN_CLAIMS: dict[str, dict[str, Any]] = {
    "valid for 301 s": {"exp": T + 301},
    "valid for long, issued long ago": {"iat": T - 260, "exp": T + 41},
    "expires before it was issued": {"iat": T + 30, "exp": T + 20},
    "no jti": {"jti": REMOVE},
    "a blank jti": {"jti": " "},
    "a jti that is a number": {"jti": 5},
    "a very long jti": {"jti": "x" * 201},
    "another subject": {"sub": "lab"},
    "two audiences": {"aud": [HERE, "https://elsewhere.test"]},
    "a list of one audience": {"aud": [HERE]},
    "another route's address": {"aud": f"{HERE}/v1/model"},
}


@pytest.mark.parametrize("what", OWN_CLAIMS)
def test_a_client_that_signs_for_itself_is_held_to_more(access: Access, what: str) -> None:
    once = Once()
    denied(access, asserted(**OWN_CLAIMS[what]), once=once)
    assert not once.seen
    assert who(access, asserted(iat=T, exp=T + 300)).name == "client:ehr"
    assert who(access, asserted(aud=f"{HERE}/v1/forecast")).name == "client:ehr"


def test_a_self_signed_token_is_used_once_as_long_as_it_is_accepted(access: Access) -> None:
    """Also within the leeway after its expiry, when a store that forgot it would take it again."""
    once, token = Once(), asserted(jti="one")
    assert who(access, token, once=once).name == "client:ehr"
    for seconds in (0, 59, 61, 119):
        late = NOW + timedelta(seconds=seconds)
        assert "used before" in denied(access, token, once=once, now=late).reason
    # The same jti of another client is another token.
    other = asserted(iss="lab", sub="lab", jti="one")
    assert who(access, other, once=once) == Caller("client:lab", frozenset({"observe"}), "north")


def test_without_the_store_only_tokens_that_need_it_are_not_checked(access: Access) -> None:
    assert who(access, issued(), once=no_store).name == "user:https%3A//idp.test:dr"
    assert not needs_store(access, issued())
    assert needs_store(access, asserted())
    with pytest.raises(OperationalError):
        who(access, asserted(), once=no_store)
    # What is wrong anyway is refused without asking the store.
    denied(access, asserted(exp=T - 120, iat=T - 200), once=no_store)
    own = granted(access)["access_token"]
    assert who(access, own, once=no_store).name == "client:ehr"


def form(**changes: Any) -> dict[str, str]:
    usual = {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": asserted(aud=f"{HERE}/auth/token"),
    }
    return {k: v for k, v in {**usual, **changes}.items() if v is not REMOVE}


def granted(access: Access, once: Any = None, **changes: Any) -> dict[str, Any]:
    return grant(access, form(**changes), path="/auth/token", now=NOW, use_once=once or Once())


REQUESTS: dict[str, tuple[dict[str, Any], str, int]] = {
    "no grant_type": ({"grant_type": REMOVE}, "invalid_request", 400),
    "another grant_type": ({"grant_type": "password"}, "unsupported_grant_type", 400),
    "no assertion": ({"client_assertion": REMOVE}, "invalid_client", 401),
    "not a JWT": ({"client_assertion": "x"}, "invalid_client", 401),
    "no assertion type": ({"client_assertion_type": REMOVE}, "invalid_client", 401),
    "another assertion type": ({"client_assertion_type": "x"}, "invalid_client", 401),
    "a secret beside": ({"client_secret": "x"}, "invalid_client", 401),
    "another client's id": ({"client_id": "lab"}, "invalid_client", 401),
    "the service as audience": ({"client_assertion": asserted(aud=HERE)}, "invalid_client", 401),
    "another route": (
        {"client_assertion": asserted(aud=f"{HERE}/v1/model")}, "invalid_client", 401,
    ),
    "an issuer's token": (
        {"client_assertion": issued(aud=f"{HERE}/auth/token")}, "invalid_client", 401,
    ),
    "another's scope": ({"scope": "forecast observe"}, "invalid_scope", 400),
    "an unknown scope": ({"scope": "all"}, "invalid_scope", 400),
}  # fmt: skip


@pytest.mark.parametrize("what", REQUESTS)
def test_a_token_request_is_refused_by_the_book(access: Access, what: str) -> None:
    changes, code, status = REQUESTS[what]
    with refuses(TokenRequestRefused) as refusal:
        granted(access, **changes)
    assert (refusal.value.code, refusal.value.status) == (code, status)


def test_the_service_own_token_is_its_clients_and_lasts_five_minutes(access: Access) -> None:
    answer = granted(access, scope="cds", client_id="ehr")
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 300)
    token = answer["access_token"]
    for _ in range(2):
        assert who(access, token) == Caller("client:ehr", frozenset({"cds"}), "ehr")
    denied(access, token, now=NOW + timedelta(seconds=360))
    # Neither with a client's key, nor of another type, nor for a client that is gone.
    claims = {"iss": HERE, "aud": HERE, "sub": "ehr", "iat": T, "exp": T + 60, "scope": "cds"}
    denied(access, signed("ehr", claims, kid="rehabcast", typ="at+jwt"))
    for header in ({"kid": "rehabcast"}, {"kid": "x", "typ": "at+jwt"}):
        denied(access, jwt.encode(claims, OTHER, algorithm="ES384", headers=header))
    good = {"kid": "rehabcast", "typ": "at+jwt"}
    assert who(access, jwt.encode(claims, OTHER, "ES384", good)).name == "client:ehr"
    more = {**claims, "scope": "cds observe metrics"}
    assert who(access, jwt.encode(more, OTHER, "ES384", good)).scopes == {"cds"}
    denied(access, jwt.encode({**claims, "sub": "gone"}, OTHER, "ES384", good))
    without = Access(audience=HERE, clients=access.clients)
    denied(without, token)
    with refuses(TokenRequestRefused) as refusal:
        granted(without)
    assert refusal.value.code == "unsupported_grant_type"


def test_a_form_is_read_by_the_book() -> None:
    assert token_form(b"a=1&b=&c=%20x") == {"a": "1", "c": " x"}
    assert token_form(b"") == {}
    for body in (
        b"a=1&a=1",
        b"a=1&a=",
        b"a=1&%61=2",
        b"\xff=1",
        b"a",
        b"a=%ff",
        b"&".join([b"a=1"] * 21),
    ):
        with refuses(TokenRequestRefused) as refusal:
            token_form(body)
        assert (refusal.value.code, refusal.value.status) == ("invalid_request", 400)


WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
SMALL = rsa.generate_private_key(public_exponent=3, key_size=2048)
P521 = ec.generate_private_key(ec.SECP521R1())
PRIVATE = ECKey.import_key(P384).as_dict(private=True)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", SecurityWarning)
    WEAK_JWK = jwk(WEAK, "k")
UNUSABLE: dict[str, Any] = {
    "for encryption": jwk(P384, "k", use="enc"),
    "to sign only": jwk(P384, "k", key_ops=["sign"]),
    "no operation": jwk(P384, "k", key_ops=[]),
    "of another algorithm": jwk(P384, "k", alg="ES256"),
    "of an algorithm that is not taken": jwk(RSA, "k", alg="PS256"),
    "without id": jwk(P384, None),
    "an id that is a number": {**jwk(P384, "k"), "kid": 5},
    "small RSA": WEAK_JWK,
    "a small exponent": jwk(SMALL, "k"),
    "a curve that is not taken": jwk(P521, "k"),
    "private": {**PRIVATE, "kid": "k"},
    "symmetric": {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k"},
    "a point off the curve": {**jwk(P384, "k"), "x": jwk(OTHER, "k")["x"]},
    "no kty": {"kid": "k"},
    "text": "k",
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("what", UNUSABLE)
def test_a_key_that_is_not_for_signatures_or_too_weak_is_not_used(
    tmp_path: Path, what: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [jwk(P256, "good"), UNUSABLE[what]]}))
    keys = Keys(str(file))
    assert keys.find("k") is None
    assert keys.find("good") is not None


def test_a_key_that_names_its_algorithm_and_use_is_used(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    members = {"alg": "ES384", "use": "sig", "key_ops": ["verify"]}
    file.write_text(json.dumps({"keys": [jwk(P384, "k", **members)]}))
    assert Keys(str(file)).find("k") is not None
    file.write_text(json.dumps({"keys": [jwk(P384, "k"), jwk(P256, "k")]}))
    assert Keys(str(file)).find("k") is None, "two keys of one id"
