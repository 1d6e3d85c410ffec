"""`rehabcast access add-cds-client`: a record system that calls CDS Hooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from rehabcast.commands.service.access_files import (
    AccessPath,
    access_path,
    copy_public_keys,
    free_file,
    source_of,
)
from rehabcast.output import AsJson, emit
from serving.access.access_file import (
    CdsClientEntry,
    check_access_file,
    read_access_file,
    written_as_toml,
)
from serving.access.cds_clients import HOOKS
from serving.formats.cds.hooks import SERVICE
from stores.private_files import write_private

LONGEST_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedCdsClient:
    """A record system that was added, and what its operator must be told.

    Parameters
    ----------
    access, made
        The access file, and the file of keys that was made beside it.
    issuer, tenant, longest_seconds
        Of its tokens.
    discovery, service, feedback
        Addresses that it calls; each is the `aud` of the tokens for it.
    """

    access: str
    made: tuple[str, ...]
    issuer: str
    tenant: str
    longest_seconds: int
    discovery: str
    service: str
    feedback: str


def add_cds_client(
    issuer: Annotated[str, typer.Argument(help="The issuer as its tokens name it (iss).")],
    jwks: Annotated[str, typer.Option(help="Its public keys: an https address, or a JWKS file.")],
    tenant: Annotated[
        str | None,
        typer.Option(help="Hospital or ward whose patients it sees; by default its own."),
    ] = None,
    longest_seconds: Annotated[
        int, typer.Option(min=1, max=LONGEST_SECONDS, help="How long its tokens may be valid.")
    ] = 300,
    access: AccessPath = None,
    as_json: AsJson = False,
) -> None:
    """Let a record system call CDS Hooks; says what to enter there."""
    path = access_path(access)
    written = read_access_file(path)
    public = free_file(path, "cds-client", written.cds_client)
    entry = CdsClientEntry(
        issuer=issuer, jwks=source_of(jwks, public), tenant=tenant, longest_seconds=longest_seconds
    )
    changed = msgspec.structs.replace(written, cds_client=[*written.cds_client, entry])
    check_access_file(path, changed)
    made = () if "://" in jwks else copy_public_keys(Path(jwks), public, path, changed)
    write_private(path, written_as_toml(changed))
    hooks = written.audience + HOOKS
    added = AddedCdsClient(
        access=str(path),
        made=made,
        issuer=issuer,
        tenant=issuer if tenant is None else tenant,
        longest_seconds=longest_seconds,
        discovery=hooks,
        service=f"{hooks}/{SERVICE}",
        feedback=f"{hooks}/{SERVICE}/feedback",
    )
    emit(added, _to_hand_over(added, "://" in jwks), as_json=as_json)


def _to_hand_over(added: AddedCdsClient, by_address: bool) -> str:
    lines = [
        f"Added {added.issuer}, tenant {added.tenant}. Restart the service, and enter there:",
        f"  discovery (GET, no token)  {added.discovery}",
        f"  service (patient-view)     {added.service}",
        f"  feedback                   {added.feedback}",
        "  prefetch                   as discovery says; null where there are no such data",
        f"  token: iss                 {added.issuer}",
        "  token: aud                 the address that is called, exactly as above",
        f"  token: exp                 at most {added.longest_seconds} seconds after iat",
        "  token: jti                 a new one for each call",
        "  token: alg                 ES384, RS384, ES256 or RS256, with the kid of the key",
    ]
    if by_address:
        lines.append("  token: jku                 left out, or the registered address of the keys")
    return "\n".join(lines)
