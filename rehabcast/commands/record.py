"""`rehabcast record`: the chain of forecasts, checked and kept for as long as it must be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from rehabcast.commands.output import AsJson, emit
from rehabcast.settings import Settings
from serving.state.forecast_log import forget as empty
from serving.state.forecast_log import verify_chain
from serving.state.store import Store

app = typer.Typer(no_args_is_help=True, help="The service's chain of forecasts.")


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Recompute the chain of forecasts; fails where an entry was edited, lost or moved."""
    length = verify_chain(Store(Settings().store_url))
    emit({"forecasts": length}, f"{length} forecasts, and the chain holds.", as_json=as_json)


@app.command()
def forget(
    days: Annotated[int, typer.Option(min=1, help="Keep the answers of this many days.")],
    as_json: AsJson = False,
) -> None:
    """Empty the answers that are older; that and by which model they were given stays provable."""
    emptied = empty(Store(Settings().store_url), datetime.now(UTC) - timedelta(days=days))
    emit({"emptied": emptied}, f"{emptied} answers were emptied.", as_json=as_json)
