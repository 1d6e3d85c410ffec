"""`rehabcast record`: the service's forecast log, verified and kept as long as it must be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from rehabcast.output import AsJson, emit
from rehabcast.settings import Settings
from serving.state.forecast_log import forget as erase
from serving.state.forecast_log import verify_chain
from serving.state.store import Store

app = typer.Typer(no_args_is_help=True, help="The service's log of forecasts.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedForecastLog:
    """A forecast log whose chain is intact: how many forecasts it holds."""

    forecasts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenAnswers:
    """How many stored answers were erased."""

    emptied: int


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Recompute the forecast log's hash chain; an entry edited, lost or moved is an error."""
    length = verify_chain(Store(Settings().store_url))
    message = f"{length} forecasts, the chain is intact."
    emit(VerifiedForecastLog(forecasts=length), message, as_json=as_json)


@app.command()
def forget(
    days: Annotated[int, typer.Option(min=1, help="How many days of answers to keep.")],
    as_json: AsJson = False,
) -> None:
    """Erase older answers; when each was given and by which model can still be proved."""
    emptied = erase(Store(Settings().store_url), datetime.now(UTC) - timedelta(days=days))
    message = f"{emptied} answers were erased."
    emit(ForgottenAnswers(emptied=emptied), message, as_json=as_json)
