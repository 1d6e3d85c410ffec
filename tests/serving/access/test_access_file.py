"""An access file in which two could be taken for each other is refused when it is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from contracts.errors import ContractError
from serving.access.access_file import AccessFile, ClientEntry, read_access, written_as_toml
from serving.access.trust import client_name, user_name
from stores.private_files import ReadableByOthers
from tests.refusals import refuses

HEAD = 'audience = "https://here.test"\n'


def client(name: str = "ehr", keys: str = "a.json", more: str = "") -> str:
    return f'[[client]]\nid = "{name}"\njwks = "{keys}"\nscopes = ["forecast"]\n{more}\n'


def issuer(name: str = "https://idp.test", keys: str = "b.json", more: str = "") -> str:
    return f'[[issuer]]\nname = "{name}"\njwks = "{keys}"\n{more}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / name).write_text('{"keys": []}')
    return tmp_path / "access.toml"


BAD = {
    "two clients of one id": client() + client(keys="b.json"),
    "of one id but for capitals": client() + client("EHR", keys="b.json"),
    "two issuers of one name": issuer() + issuer(keys="a.json"),
    "an issuer named like a client": client() + issuer("ehr"),
    "an issuer named like a client, in capitals": client() + issuer("Ehr"),
    "a client named development": client("development"),
    "an issuer named development": issuer("development"),
    "an issuer named like the service": issuer("https://here.test"),
    "one file of keys for two": client() + client("lab"),
    "one file of keys for a client and an issuer": client() + issuer(keys="a.json"),
    "the tenant of another client": client() + client("lab", "b.json", 'tenant = "ehr"'),
    "the tenant of another client, in capitals": client()
    + client("lab", "b.json", 'tenant = "EHR"'),
    "an issuer with a client's tenant": client() + issuer(more='tenant = "ehr"'),
    "an issuer that may name a client's tenant": client()
    + issuer(more='tenant_claim = "t"\ntenants = ["north", "ehr"]'),
    "the tenant development": client(more='tenant = "development"'),
    "a blank tenant": client(more='tenant = " "'),
    "an empty tenant": client(more='tenant = ""'),
    "a tenant claim without a list": issuer(more='tenant_claim = "t"'),
    "a blank tenant claim": issuer(more='tenant_claim = ""\ntenants = ["north"]'),
    "tenants without a claim": issuer(more='tenants = ["north"]'),
    "a tenant and a claim": issuer(more='tenant = "n"\ntenant_claim = "t"\ntenants = ["n"]'),
    "a blank id": client(" "),
    "an id with a colon": client("a:b"),
    "an id with a line end": client("a\\n"),
    "a blank issuer": issuer(" "),
    "a padded issuer": issuer("https://idp.test "),
    "an unknown scope": client().replace("forecast", "fly"),
    "no scopes": client().replace('"forecast"', ""),
    "scopes as text": client().replace('["forecast"]', '"forecast"'),
    "a misspelt field": client(more='tenat = "x"'),
    "a misspelt table": client().replace("client", "clients"),
    "keys at a strange place": client(keys="http://127.0.0.1.evil.test/"),
    "no keys": client(keys="missing.json"),
    "not TOML": "nothing",
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_is_wrong_is_refused(file: Path, what: str) -> None:
    file.write_text(HEAD + client("other", "c.json"))
    assert read_access(file).clients
    file.write_text(HEAD + BAD[what])
    with refuses(ContractError):
        read_access(file)


@pytest.mark.parametrize(
    "audience",
    ["", " ", "here", "ftp://h", "https://", "https://h/", "https://h?x", "https://h#x",
     "https://u:p@h", "https://a b"],
)  # fmt: skip
def test_an_audience_that_is_no_address_is_refused(file: Path, audience: str) -> None:
    file.write_text(f'audience = "{audience}"\n')
    with refuses(ContractError, match="audience"):
        read_access(file)


def test_tenants_are_their_own_unless_both_say_so(file: Path) -> None:
    file.write_text(HEAD + client() + issuer())
    access = read_access(file)
    assert access.clients["ehr"].tenant == "ehr"
    assert access.issuers["https://idp.test"].tenant == "https://idp.test"
    shared = 'tenant = "north"'
    file.write_text(HEAD + client(more=shared) + issuer(more=shared))
    access = read_access(file)
    assert access.clients["ehr"].tenant == access.issuers["https://idp.test"].tenant == "north"


def test_a_token_key_is_private_and_of_the_right_kind(file: Path) -> None:
    key = file.with_name("own.pem")
    file.write_text(HEAD + 'token_key = "own.pem"\n')
    with refuses(ContractError, match="cannot be read"):
        read_access(file)
    for curve, private in (("P-256", True), ("P-384", False), ("P-521", True)):
        key.write_bytes(ECKey.generate_key(curve).as_pem(private=private))
        with refuses(ContractError, match="curve P-384"):
            read_access(file)
    key.write_bytes(ECKey.generate_key("P-384").as_pem(private=True))
    assert read_access(file).own_key is not None
    for path in (key, file):
        path.chmod(0o640)
        with refuses(ReadableByOthers, match=rf"{path.name} .*mode 0640.*chmod"):
            read_access(file)
        path.chmod(0o600)
    file.parent.chmod(0o770)
    with refuses(ReadableByOthers, match="mode 0770"):
        read_access(file)
    file.parent.chmod(0o700)


@given(st.lists(st.tuples(st.text(), st.text()), min_size=2, max_size=2, unique=True))
def test_two_people_never_share_a_name(people: list[tuple[str, str]]) -> None:
    first, second = (user_name(*person) for person in people)
    assert first != second
    assert client_name(people[0][0]) not in {first, "development"}


def test_a_person_has_the_same_name_for_ever() -> None:
    """Names are on record: another spelling would be another person."""
    assert user_name("https://idp.test", "dr a") == "user:https%3A//idp.test:dr a"
    long = user_name("https://idp.test", "x" * 600)
    assert long == "user::" + LONG
    assert client_name("ehr") == "client:ehr"


LONG = "df82e00ec6c44acb1f85e698d9b18bd5f1a11c8f61873009dc94e8398f9945b8"


def test_what_is_written_is_read_again(file: Path) -> None:
    entry = ClientEntry(id="ehr", jwks='a "quoted" \\ näme.json', scopes=["cds"], tenant="n")
    written = AccessFile(audience="https://here.test", client=[entry])
    import tomllib

    assert tomllib.loads(written_as_toml(written))["client"][0]["jwks"] == entry.jwks


def jwks(*keys: ECKey, kid: str = "k") -> str:
    listed = [{**key.as_dict(private=False), "kid": f"{kid}{n}"} for n, key in enumerate(keys)]
    return json.dumps({"keys": listed})


ONE, OTHER, OWN = (ECKey.generate_key("P-384") for _ in range(3))


@pytest.mark.parametrize("second", [client("lab", "b.json"), issuer()])
@pytest.mark.parametrize("b", [jwks(ONE, kid="another"), jwks(OTHER, ONE)])
def test_one_key_in_two_files_is_refused_whatever_its_id(file: Path, second: str, b: str) -> None:
    file.with_name("a.json").write_text(jwks(ONE))
    file.with_name("b.json").write_text(b)
    file.write_text(HEAD + client() + second)
    with pytest.raises(ContractError, match="have the same key"):
        read_access(file)
    file.with_name("b.json").write_text(jwks(OTHER))
    assert read_access(file).clients
    # One entry may have one key under two ids.
    file.with_name("b.json").write_text(jwks(OTHER, OTHER))
    assert read_access(file).clients


def test_nobody_has_the_key_that_the_service_signs_with(file: Path) -> None:
    key = file.with_name("own")
    key.write_bytes(OWN.as_pem(private=True))
    key.chmod(0o600)
    file.with_name("a.json").write_text(jwks(ONE, OWN))
    file.write_text(HEAD + 'token_key = "own"\n' + client())
    with pytest.raises(ContractError, match="the service itself and the client 'ehr'"):
        read_access(file)


@pytest.mark.parametrize("content", ["", "no JSON", '{"keys": 1}', "[" * 100_000])
def test_keys_that_cannot_be_read_are_nobodys(file: Path, content: str) -> None:
    for name in ("a.json", "b.json"):
        file.with_name(name).write_text(content)
    file.write_text(HEAD + client() + client("lab", "b.json"))
    assert len(read_access(file).clients) == 2


def test_two_issuers_whose_long_names_begin_alike_are_still_two(file: Path) -> None:
    for name in ("a.json", "b.json"):
        file.with_name(name).write_text(jwks(ONE))
    long = "https://identity.the-hospital.example/realms/"
    file.write_text(HEAD + issuer(f"{long}north", "a.json") + issuer(f"{long}south", "b.json"))
    with pytest.raises(ContractError, match="have the same key"):
        read_access(file)


def test_a_private_key_below_other_text_is_compared_too(file: Path) -> None:
    key = file.with_name("own")
    key.write_bytes(b"made for the ward\n" + OWN.as_pem(private=True))
    key.chmod(0o600)
    file.with_name("a.json").write_text(jwks(OWN))
    file.write_text(HEAD + 'token_key = "own"\n' + client())
    with pytest.raises(ContractError, match="have the same key"):
        read_access(file)


@pytest.mark.parametrize(
    "pem",
    [
        RSAKey.generate_key(2048).as_pem(private=True),
        OWN.as_pem(private=True, password="secret"),  # noqa: S106
    ],
    ids=["RSA", "encrypted"],
)
def test_a_token_key_of_another_kind_is_refused_with_what_to_do(file: Path, pem: bytes) -> None:
    key = file.with_name("own")
    key.write_bytes(pem)
    key.chmod(0o600)
    file.write_text(HEAD + 'token_key = "own"\n' + client())
    with pytest.raises(ContractError, match="access init"):
        read_access(file)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("more", ["", ', "note": "-----BEGIN"'])
def test_keys_are_compared_however_their_file_is_written(
    file: Path, encoding: str, more: str
) -> None:
    file.with_name("a.json").write_text(jwks(ONE))
    file.with_name("b.json").write_text(f"{jwks(ONE)[:-1]}{more}}}", encoding=encoding)
    file.write_text(HEAD + client() + client("lab", "b.json"))
    with pytest.raises(ContractError, match="have the same key"):
        read_access(file)
