"""How a command asks a running service: at which address, with which token, and its refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import httpx
import msgspec
import typer

from contracts.errors import ContractError, ServiceUnavailable
from rehabcast.settings import PREFIX, Settings

if TYPE_CHECKING:
    from serving.http.client import Client
    from serving.instruments import InstrumentsAnswer
    from serving.schemas import ForecastAnswer, ForecastRequest

UrlOption = Annotated[str | None, typer.Option(help="Address of the service.")]


def address_of(host: str, port: int) -> str:
    """Return the address of a service that listens on a host of this machine."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def service_of(settings: Settings, url: str | None) -> tuple[str, str | None]:
    """Return the address of the service and the token that it is asked with."""
    token = None if settings.token is None else settings.token.get_secret_value()
    return url or address_of(settings.host, settings.port), token


@contextmanager
def asking(address: str, token: str | None) -> Iterator[Client]:
    """Yield a client of the service at an address; what it raises says what to do.

    Raises
    ------
    ServiceUnavailable
        No service answers at the address.
    NotAnswered
        The service refused the request; it says why, and what to do.
    """
    from serving.http.client import Client, NotAnswered

    try:
        with Client(address, token) as client:
            yield client
    except NotAnswered as refused:
        if token is not None or refused.status != httpx.codes.UNAUTHORIZED:
            raise
        raise NotAnswered(
            refused.reason, f"set {PREFIX}TOKEN to a token of the service", status=refused.status,
            retry_after=refused.retry_after,
        ) from None  # fmt: skip
    except httpx.TransportError as error:
        raise ServiceUnavailable(
            f"no service answers at {address}", "start it with `rehabcast serve`"
        ) from error


def request_forecast(address: str, token: str | None, request: ForecastRequest) -> ForecastAnswer:
    """Send a request to the service: of a forecast, or of one under other plans.

    Raises
    ------
    ServiceUnavailable
        No service answers at the address.
    NotAnswered
        The service refused the request; it says why, and what to do.
    """
    from serving.schemas import WhatIfRequest

    with asking(address, token) as client:
        if isinstance(request, WhatIfRequest):
            return client.what_if(request)
        return client.forecast(request)


def request_instruments(
    address: str, token: str | None, request: ForecastRequest
) -> InstrumentsAnswer:
    """Send the record of a request to every model in service; raises as `request_forecast`."""
    from serving.instruments import InstrumentsRequest

    given = {name: getattr(request, name) for name in InstrumentsRequest.__struct_fields__}
    with asking(address, token) as client:
        return client.instruments(InstrumentsRequest(**given))


def require_pseudonym(subject: str) -> None:
    """Refuse what the service knows nobody by, without saying it: it may be a name.

    Raises
    ------
    ContractError
        It is no pseudonym.
    """
    from serving.schemas import SubjectId

    try:
        msgspec.convert(subject, SubjectId)
    except msgspec.ValidationError:
        raise ContractError(
            "--subject is no pseudonym", "use up to 64 letters, digits, - and _, and no name"
        ) from None
