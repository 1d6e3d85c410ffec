"""The TOML file that names the issuers and clients whom the service trusts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from contracts.errors import ContractError
from contracts.naming.parsing import parsed_toml
from serving.access.access_entries import (
    AccessFile,
    CdsClientEntry,
    ClientEntry,
    IssuerEntry,
    SignInEntry,
    written_as_toml,
)
from serving.access.keys import Keys, algorithms_of, is_allowed_address, require_source
from serving.access.shared_keys import require_own_keys
from serving.access.sign_in import sign_in_of
from serving.access.trust import DEVELOPMENT, SCOPES, Access, CdsClient, Client, Issuer
from stores.private_files import require_private

__all__ = [
    "AccessFile",
    "CdsClientEntry",
    "ClientEntry",
    "IssuerEntry",
    "check_access_file",
    "check_keys",
    "read_access",
    "read_access_file",
    "written_as_toml",
]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Ids of clients, and tenants."""

NAME_RULE = "1 to 64 letters, digits, dots, - and _, beginning with a letter or digit"
LONGEST_ISSUER = 200
LONGEST_SHOWN = 40
MAX_FILE_BYTES = 1024 * 1024


def read_access(path: Path, development_token: str | None = None) -> Access:
    """Read the trusted issuers and clients.

    Raises
    ------
    ContractError
        The file cannot be read, can be read or changed by others, lacks something, or two of its
        entries could be taken for each other, by their names or by a key that both have.
    """
    written = read_access_file(path)
    check_keys(path, written)
    return Access(
        audience=written.audience,
        clients={
            client.id: Client(
                keys=Keys(require_source(client.jwks, path.parent)),
                scopes=frozenset(client.scopes),
                tenant=client.id if client.tenant is None else client.tenant,
            )
            for client in written.client
        },
        issuers={issuer.name: _issuer(issuer, path.parent) for issuer in written.issuer},
        cds_clients={each.issuer: _cds_client(each, path.parent) for each in written.cds_client},
        own_key=None if written.token_key is None else _own_key(path.parent / written.token_key),
        sign_in=None if written.sign_in is None else sign_in_of(written.sign_in, path.parent),
        development_token=development_token,
    )


def read_access_file(path: Path) -> AccessFile:
    """Read the file's entries, and check that they are whole and apart.

    Raises
    ------
    ContractError
        As `read_access`.
    """
    require_private(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError("it is too large")
        content = parsed_toml(path.read_text("utf-8"))
        written = msgspec.convert(content, AccessFile)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise ContractError(
            f"{path.name}: cannot be read as an access file ({said})",
            "write it as docs/operations.md shows, or make one with `rehabcast access init`",
        ) from None
    check_access_file(path, written)
    return written


def check_access_file(path: Path, written: AccessFile) -> None:
    """Check that the entries are whole, and that none can be taken for another.

    Raises
    ------
    ContractError
        Says which is not.
    """
    if (fault := next(iter(_faults(written)), None)) is not None:
        raise ContractError(f"{path.name}: {fault}", "correct the access file")


def check_keys(path: Path, written: AccessFile, unsaved: Mapping[str, str] | None = None) -> None:
    """Check that no two entries have one key, under whatever file names.

    Parameters
    ----------
    unsaved
        Contents of files of keys that are to be written beside it, by name.

    Raises
    ------
    ContractError
        Says which have.
    """
    own = [] if written.token_key is None else [("the service itself", written.token_key)]
    clients = [(f"the client {_shown(client.id)}", client.jwks) for client in written.client]
    issuers = [(f"the issuer {_shown(issuer.name)}", issuer.jwks) for issuer in written.issuer]
    systems = [(f"the CDS client {_shown(each.issuer)}", each.jwks) for each in written.cds_client]
    require_own_keys(path, [*own, *clients, *issuers, *systems], unsaved or {})


def _issuer(issuer: IssuerEntry, folder: Path) -> Issuer:
    keys = Keys(require_source(issuer.jwks, folder))
    if issuer.tenant_claim is not None:
        return Issuer(keys=keys, claim=issuer.tenant_claim, tenants=frozenset(issuer.tenants))
    return Issuer(keys=keys, tenant=issuer.name if issuer.tenant is None else issuer.tenant)


def _cds_client(entry: CdsClientEntry, folder: Path) -> CdsClient:
    return CdsClient(
        keys=Keys(require_source(entry.jwks, folder)),
        tenant=entry.issuer if entry.tenant is None else entry.tenant,
        longest_seconds=entry.longest_seconds,
        jku=entry.jwks if "://" in entry.jwks else "",
    )


def _own_key(path: Path) -> ECKey:
    require_private(path)
    try:
        key = ECKey.import_key(path.read_bytes())
    except (OSError, ValueError, TypeError, JoseError):
        raise ContractError(
            "the token_key cannot be read as an EC key in PEM",
            "make one with `rehabcast access init`",
        ) from None
    if not key.is_private or algorithms_of(key) != ("ES384",):
        raise ContractError(
            "the token_key is not a private key on the curve P-384",
            "make one with `rehabcast access init`",
        )
    return key


def _faults(written: AccessFile) -> Iterable[str]:
    if not _is_address(written.audience):
        yield "audience is not an http or https address without a slash at its end"
    for client in written.client:
        yield from _client_faults(client)
    for issuer in written.issuer:
        yield from _issuer_faults(issuer)
    for system in written.cds_client:
        yield from _issuer_name_faults(system.issuer)
        yield from _address_faults(f"CDS client {_shown(system.issuer)}", system.jwks)
        yield from _tenant_faults([system.tenant])
    if written.sign_in is not None:
        yield from _sign_in_faults(written.sign_in, [issuer.name for issuer in written.issuer])
    yield from _collisions(written)


def _is_address(audience: str) -> bool:
    try:
        url = urlsplit(audience)
    except ValueError:
        return False
    plain = not (url.query or url.fragment or url.username or audience.endswith("/"))
    return url.scheme in {"http", "https"} and bool(url.hostname) and plain and " " not in audience


def _client_faults(client: ClientEntry) -> Iterable[str]:
    if not NAME.fullmatch(client.id):
        yield f"the client id {_shown(client.id)} is not {NAME_RULE}"
    yield from _address_faults(f"client {_shown(client.id)}", client.jwks)
    if unknown := sorted(set(client.scopes) - SCOPES):
        yield f"unknown scopes {unknown}; use some of {sorted(SCOPES)}"
    if not client.scopes:
        yield f"the client {_shown(client.id)} has no scopes"
    yield from _tenant_faults([client.tenant])


def _issuer_name_faults(name: str) -> Iterable[str]:
    if not name.strip() or name != name.strip() or not name.isprintable():
        yield "an issuer's name is blank, or has blanks around it"
    if len(name) > LONGEST_ISSUER:
        yield f"an issuer's name is longer than {LONGEST_ISSUER} characters"


def _issuer_faults(issuer: IssuerEntry) -> Iterable[str]:
    name = issuer.name
    yield from _issuer_name_faults(name)
    if issuer.tenant_claim is not None:
        if issuer.tenant is not None:
            yield f"the issuer {name!r} has both tenant and tenant_claim"
        if not issuer.tenant_claim.strip():
            yield f"the tenant_claim of {name!r} is blank"
        if not issuer.tenants:
            yield f"the issuer {name!r} has a tenant_claim, but no list of tenants that it may name"
    elif issuer.tenants:
        yield f"the issuer {name!r} has tenants, but no tenant_claim"
    yield from _address_faults(f"issuer {_shown(name)}", issuer.jwks)
    yield from _tenant_faults([issuer.tenant, *issuer.tenants])


def _sign_in_faults(entry: SignInEntry, issuers: Iterable[str]) -> Iterable[str]:
    if entry.issuer not in issuers:
        yield f"sign_in names the issuer {_shown(entry.issuer)}, which is none of its issuers"
    if not is_allowed_address(entry.issuer):
        yield "the issuer of sign_in is neither an https address nor http on this machine"
    if not entry.client_id.strip() or not entry.roles_claim.strip():
        yield "sign_in has a blank client_id or roles_claim"
    if not any((entry.clinician, entry.ml_owner, entry.governance, entry.operator)):
        yield "sign_in gives nobody a role: list groups under clinician, for example"
    if not all(is_allowed_address(each) for each in entry.launch_from):
        yield "an address of launch_from is neither https nor http on this machine"


def _address_faults(entry: str, jwks: str) -> Iterable[str]:
    # Asked of the entry, not only when its keys are read: an entry that is added with such an
    # address would keep the service from starting again.
    if "://" in jwks and not is_allowed_address(jwks):
        yield (
            f"the address of the keys of the {entry} is neither https nor http on this machine, or"
            " has a user or password"
        )


def _shown(name: str) -> str:
    cut = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."
    return repr(cut)


def _tenant_faults(tenants: Iterable[str | None]) -> Iterable[str]:
    for tenant in tenants:
        if tenant is not None and not NAME.fullmatch(tenant):
            yield f"the tenant {_shown(tenant)} is not {NAME_RULE}"
        if tenant == DEVELOPMENT:
            yield f"the tenant {DEVELOPMENT!r} is that of the development token"


def _collisions(written: AccessFile) -> Iterable[str]:
    systems = written.cds_client
    names = [c.id for c in written.client] + [i.name for i in written.issuer]
    names += [system.issuer for system in systems]
    for name in _repeated(name.casefold() for name in [*names, written.audience, DEVELOPMENT]):
        yield f"two of the clients, issuers, the audience and 'development' are named {name!r}"
    sources = [*(c.jwks for c in written.client), *(i.jwks for i in written.issuer)]
    for source in _repeated([*sources, *(system.jwks for system in systems)]):
        yield f"two entries have the keys {source!r}, so each could speak as the other"
    # Without a tenant of its own an entry has one by its name, which nobody else may share.
    own = {c.id.casefold(): f"client {c.id!r}" for c in written.client if c.tenant is None}
    own |= {
        each.issuer.casefold(): f"CDS client {each.issuer!r}"
        for each in systems
        if each.tenant is None
    }
    shared = [c.tenant for c in written.client] + [i.tenant for i in written.issuer]
    shared += [system.tenant for system in systems]
    for tenant in [*shared, *(t for issuer in written.issuer for t in issuer.tenants)]:
        if tenant is not None and tenant.casefold() in own:
            yield (
                f"the tenant {tenant!r} is also that of the {own[tenant.casefold()]}: to share"
                " patients, write the tenant in both"
            )


def _repeated(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]
