"""What this service grants, for SMART Backend Services (HL7 SMART App Launch 2.2, Conformance)."""

from __future__ import annotations

from serving.access.keys import CURVE_ALGORITHMS, RSA_ALGORITHMS
from serving.access.smart_scopes import supported
from serving.http.calls import Call, Reply
from serving.http.refusals import RequestRefused

ALGORITHMS = (*RSA_ALGORITHMS, *(each for of in CURVE_ALGORITHMS.values() for each in of))
TOKEN_PATH = "/auth/token"  # noqa: S105  (a path)


def smart_configuration(call: Call) -> Reply:
    """Say where tokens are issued, for what, and how a client authenticates itself.

    Only backend services get tokens here: apps are launched by the hospital's own server.

    Raises
    ------
    RequestRefused
        This service issues no tokens.
    """
    access = call.runtime.access
    if access.own_key is None:
        raise RequestRefused(
            404,
            "this service issues no tokens",
            "get one from the hospital's identity provider",
        )
    granted = {scope for client in access.clients.values() for scope in supported(client.scopes)}
    return Reply(
        {
            "token_endpoint": access.audience + TOKEN_PATH,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": sorted(granted),
            "capabilities": [
                "client-confidential-asymmetric",
                "permission-v1",
                "permission-v2",
            ],
            # Required by the guide also where no code is ever issued.
            "code_challenge_methods_supported": ["S256"],
        }
    )
