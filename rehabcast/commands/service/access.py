"""`rehabcast access`: keys, clients and identity providers of the service."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer
from joserfc import jwt
from joserfc.jwk import ECKey

from contracts.errors import ContractError, EvidenceMissing, ServiceUnavailable
from rehabcast.commands.service.access_files import (
    AccessPath,
    ChangedAccess,
    access_path,
    copy_public_keys,
    free_file,
    source_of,
)
from rehabcast.output import AsJson, emit
from serving.access.access_file import (
    AccessFile,
    ClientEntry,
    IssuerEntry,
    check_access_file,
    read_access,
    read_access_file,
    written_as_toml,
)
from serving.access.grants import JWT_BEARER
from stores.private_files import require_private, write_private

app = typer.Typer(no_args_is_help=True, help="Who may use the service: keys, clients, issuers.")

ACCESS_FILE, TOKEN_KEY = "access.toml", "token-key.pem"
ASSERTION_SECONDS, WAIT_SECONDS = 60, 10.0

ClientId = Annotated[str, typer.Argument(metavar="ID", help="The client's id.")]
Jwks = Annotated[
    str | None,
    typer.Option(help="Its public keys: a JWKS file, or an https address. Without, a key is made."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedParty:
    """One client or issuer of an access file."""

    kind: str
    name: str
    tenant: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedParties:
    """All clients and issuers of an access file."""

    audience: str
    trusted: tuple[TrustedParty, ...]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New folder of the access file and its keys.")],
    audience: Annotated[
        str, typer.Option(help="The service's address as its callers know it.")
    ] = "http://127.0.0.1:3000",
    as_json: AsJson = False,
) -> None:
    """Make an access file, and the key that the service signs its tokens with."""
    path, key = folder / ACCESS_FILE, folder / TOKEN_KEY
    for existing in (path, key):
        if existing.exists():
            raise ContractError(f"{existing} exists already", "choose another folder")
    written = AccessFile(audience=audience, token_key=TOKEN_KEY)
    check_access_file(path, written)
    write_private(key, ECKey.generate_key("P-384").as_pem(private=True))
    write_private(path, written_as_toml(written))
    emit(
        ChangedAccess(access=str(path), made=(str(key),)),
        f"Made {path}. Use it: export REHABCAST_ACCESS={path.absolute()}",
        as_json=as_json,
    )


@app.command()
def add_client(
    client: ClientId,
    scopes: Annotated[str, typer.Option(help="What it may do, such as 'forecast cds'.")],
    jwks: Jwks = None,
    tenant: Annotated[
        str | None,
        typer.Option(help="Hospital or ward whose patients it sees; by default its own."),
    ] = None,
    access: AccessPath = None,
    as_json: AsJson = False,
) -> None:
    """Let a program use the service; makes its key pair unless it sent its public keys."""
    path = access_path(access)
    written = read_access_file(path)
    private, public = path.parent / f"{client}.pem", path.parent / f"{client}.json"
    source = source_of(jwks, public)
    entry = ClientEntry(id=client, jwks=source, scopes=scopes.split(), tenant=tenant)
    changed = msgspec.structs.replace(written, client=[*written.client, entry])
    check_access_file(path, changed)
    made: tuple[str, ...] = ()
    if jwks is None:
        made = _make_key_pair(client, private, public)
    elif "://" not in jwks:
        made = copy_public_keys(Path(jwks), public, path, changed)
    write_private(path, written_as_toml(changed))
    handed_over = (
        f"; its private key is {private}: give it to the client only" if jwks is None else ""
    )
    emit(
        ChangedAccess(access=str(path), made=made), f"Added {client}{handed_over}.", as_json=as_json
    )


@app.command()
def add_issuer(
    name: Annotated[str, typer.Argument(help="The issuer as its tokens name it (iss).")],
    jwks: Annotated[str, typer.Option(help="Its public keys: an https address, or a JWKS file.")],
    tenant: Annotated[
        str | None, typer.Option(help="Hospital or ward that its people see.")
    ] = None,
    tenant_claim: Annotated[
        str | None, typer.Option(help="Claim of its tokens that names the tenant instead.")
    ] = None,
    tenants: Annotated[str, typer.Option(help="Tenants that this claim may name.")] = "",
    access: AccessPath = None,
    as_json: AsJson = False,
) -> None:
    """Trust the tokens of an identity provider."""
    path = access_path(access)
    written = read_access_file(path)
    public = free_file(path, "issuer", written.issuer)
    entry = IssuerEntry(
        name=name,
        jwks=source_of(jwks, public),
        tenant=tenant,
        tenant_claim=tenant_claim,
        tenants=tenants.split(),
    )
    changed = msgspec.structs.replace(written, issuer=[*written.issuer, entry])
    check_access_file(path, changed)
    made = () if "://" in jwks else copy_public_keys(Path(jwks), public, path, changed)
    write_private(path, written_as_toml(changed))
    emit(ChangedAccess(access=str(path), made=made), f"Added {name}.", as_json=as_json)


@app.command()
def remove_client(client: ClientId, access: AccessPath = None, as_json: AsJson = False) -> None:
    """Let a program no longer use the service, from its next start on."""
    path = access_path(access)
    written = read_access_file(path)
    rest = [entry for entry in written.client if entry.id != client]
    systems = [entry for entry in written.cds_client if entry.issuer != client]
    if (rest, systems) == (written.client, written.cds_client):
        raise EvidenceMissing(f"there is no client {client}", "see `rehabcast access list`")
    changed = msgspec.structs.replace(written, client=rest, cds_client=systems)
    write_private(path, written_as_toml(changed))
    removed = [entry.jwks for entry in written.client if entry.id == client]
    removed += [entry.jwks for entry in written.cds_client if entry.issuer == client]
    files = ", ".join(jwks for jwks in removed if "://" not in jwks)
    of_keys = f" Its file of keys, {files}, can be deleted." if files else ""
    message = f"Removed {client}. Restart the service.{of_keys}"
    emit(ChangedAccess(access=str(path), made=()), message, as_json=as_json)


@app.command("list")
def list_trusted(access: AccessPath = None, as_json: AsJson = False) -> None:
    """List who may use the service."""
    path = access_path(access)
    trusted = read_access(path)
    parties = [
        TrustedParty(kind="client", name=name, tenant=c.tenant, scopes=tuple(sorted(c.scopes)))
        for name, c in trusted.clients.items()
    ] + [
        TrustedParty(
            kind="issuer",
            name=name,
            tenant=issuer.tenant or f"{issuer.claim}: {' '.join(sorted(issuer.tenants))}",
            scopes=("as its tokens say",),
        )
        for name, issuer in trusted.issuers.items()
    ]
    for name, c in trusted.cds_clients.items():
        parties.append(TrustedParty(kind="CDS client", name=name, tenant=c.tenant, scopes=("cds",)))
    lines = [f"{p.kind} {p.name}, tenant {p.tenant}: {' '.join(p.scopes)}" for p in parties]
    text = "\n".join([f"audience {trusted.audience}", *lines])
    emit(TrustedParties(audience=trusted.audience, trusted=tuple(parties)), text, as_json=as_json)


@app.command()
def token(
    client: ClientId,
    scopes: Annotated[str, typer.Option(help="What for; by default all it may do.")] = "",
    key: Annotated[
        Path | None, typer.Option(help="Its private key; by default ID.pem beside the access file.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of the service; by default the audience.")
    ] = None,
    access: AccessPath = None,
) -> None:
    """Get a token as a client, and print it: it is valid for five minutes."""
    path = access_path(access)
    audience = read_access_file(path).audience
    private = path.parent / f"{client}.pem" if key is None else key
    require_private(private)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": _assertion(client, f"{audience}/auth/token", private),
        "scope": scopes,
    }
    try:
        answer = httpx.post(f"{url or audience}/auth/token", data=form, timeout=WAIT_SECONDS)
        content = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise ServiceUnavailable(
            "the service does not answer", "start it with `rehabcast serve`, or give its --url"
        ) from None
    if answer.status_code != httpx.codes.OK:
        said = content.get("error_description") or content.get("error", "")
        raise ContractError(f"the service gives no token: {said}", "correct the request")
    typer.echo(content["access_token"])


def _assertion(client: str, endpoint: str, private: Path) -> str:
    try:
        key = ECKey.import_key(private.read_bytes())
    except OSError as error:
        raise EvidenceMissing(
            f"{private} cannot be read ({error.strerror})", "give the client's key by --key"
        ) from None
    now = int(time.time())
    claims = {
        "iss": client,
        "sub": client,
        "aud": endpoint,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode({"alg": "ES384", "kid": client}, claims, key, algorithms=["ES384"])


def _make_key_pair(client: str, private: Path, public: Path) -> tuple[str, ...]:
    for existing in (private, public):
        if existing.exists():
            raise ContractError(
                f"{existing} exists already", "move it away: a key is never replaced unseen"
            )
    key = ECKey.generate_key("P-384", {"kid": client, "alg": "ES384", "use": "sig"})
    write_private(private, key.as_pem(private=True))
    write_private(public, json.dumps({"keys": [key.as_dict(private=False)]}))
    return str(private), str(public)
