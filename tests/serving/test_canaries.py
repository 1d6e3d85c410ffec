"""A running service whose stores go away says nothing of their addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa


def test_a_service_whose_database_goes_away_says_nothing_of_its_address(
    serve: Any, until_ready: Any, bundle_folder: Path, tmp_path: Path, start_postgresql: Any
) -> None:
    """A real process: answers, /readyz, metrics and log."""
    database = start_postgresql()
    url = sa.make_url(database.get_uri()).update_query_dict({"application_name": "CANARYQUERY"})
    url = url.set(password="CANARYPASS")  # noqa: S106
    address = url.render_as_string(hide_password=False)
    folder = tmp_path / "CANARYFOLDER"
    folder.mkdir()
    try:
        with serve(folder, bundle_folder, store=address) as server:
            assert until_ready(server), server.log
            database.stop()
            said = [
                server.http.post("/v1/forecast", json={"subject": "x"}).text,
                server.http.post(
                    "/v1/feedback", json={"forecast_id": "0" * 32, "outcome": "accepted"}
                ).text,
                server.http.post("/auth/token", data={"grant_type": "x"}).text,
            ]
            (folder / "champion.txt").unlink()
            for _ in range(30):
                ready = server.http.get("/readyz")
                said.append(ready.text)
                if ready.status_code == httpx.codes.SERVICE_UNAVAILABLE and "ledger" in ready.text:
                    break
            said += [server.http.get("/metrics").text, server.log]
    finally:
        database.cleanup()
    places = ["CANARY", url.query.get("host", "CANARY"), str(tmp_path)]
    assert [text[-500:] for text in said for place in places if str(place) in text] == []
