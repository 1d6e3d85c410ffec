"""The entries of an access file, as they are written in TOML."""

from __future__ import annotations

import json
from typing import Annotated

import msgspec

# The file, with everything that it may hold:
#
# audience = "https://rehabcast.hospital.example"
# token_key = "token-key.pem"          # where the service issues tokens itself
# [[client]]
# id = "ehr"
# jwks = "ehr.json"                    # or an https address
# scopes = ["forecast", "cds"]
# tenant = "north"                     # whose patients; by default its own, "ehr"
# [[issuer]]
# name = "https://login.hospital.example"
# jwks = "https://login.hospital.example/keys"
# tenant_claim = "hospital"            # or tenant = "..."; by default the issuer's own
# tenants = ["north", "south"]         # which tenants that claim may name
# [[cds_client]]                       # a record system that calls CDS Hooks
# issuer = "https://ehr.hospital.example"
# jwks = "https://ehr.hospital.example/jwks.json"
# tenant = "north"
# longest_seconds = 900                # of its tokens; by default 300
# [sign_in]                            # people sign in to the pages
# issuer = "https://login.hospital.example"   # one of the issuers
# client_id = "rehabcast"
# client_secret = "pages.secret"       # a file; left out for a public client
# roles_claim = "groups"
# clinician = ["physiotherapy"]        # which of the claim's groups have which role
# ml_owner = ["data-science"]
# governance = ["ai-board"]
# operator = ["it"]
# launch_from = ["https://fhir.hospital.example/r4"]   # may open a patient's page (SMART launch)


class ClientEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[[client]]` as written."""

    id: str
    jwks: str
    scopes: list[str]
    tenant: str | None = None


class IssuerEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An `[[issuer]]` as written."""

    name: str
    jwks: str
    tenant: str | None = None
    tenant_claim: str | None = None
    tenants: list[str] = []


class CdsClientEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `[[cds_client]]` as written."""

    issuer: str
    jwks: str
    tenant: str | None = None
    longest_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 300


class SignInEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[sign_in]` as written."""

    issuer: str
    client_id: str
    client_secret: str | None = None
    roles_claim: str
    clinician: list[str] = []
    ml_owner: list[str] = []
    governance: list[str] = []
    operator: list[str] = []
    launch_from: list[str] = []


class AccessFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as written."""

    audience: str
    token_key: str | None = None
    client: list[ClientEntry] = []
    issuer: list[IssuerEntry] = []
    cds_client: list[CdsClientEntry] = []
    sign_in: SignInEntry | None = None


def written_as_toml(access: AccessFile) -> str:
    """Return a file's text; reading it gives the same entries."""
    lines = _toml_lines(access, ("audience", "token_key"))
    for entry in access.client:
        lines += ["", "[[client]]", *_toml_lines(entry, ("id", "jwks", "scopes", "tenant"))]
    for issuer in access.issuer:
        names = ("name", "jwks", "tenant", "tenant_claim", "tenants")
        lines += ["", "[[issuer]]", *_toml_lines(issuer, names)]
    for cds_client in access.cds_client:
        own = ("issuer", "jwks", "tenant", "longest_seconds")
        lines += ["", "[[cds_client]]", *_toml_lines(cds_client, own)]
    if access.sign_in is not None:
        lines += ["", "[sign_in]", *_toml_lines(access.sign_in, SignInEntry.__struct_fields__)]
    return "\n".join([*lines, ""])


def _toml_lines(entry: msgspec.Struct, names: tuple[str, ...]) -> list[str]:
    # A string or list of strings in JSON is one in TOML, where its characters can be printed.
    values = {name: getattr(entry, name) for name in names}
    return [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in values.items()
        if value not in (None, [])
    ]
