"""The service that the stories are told to, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.conftest import Server, serve, signers, until_ready

__all__ = ["serve", "signers", "until_ready"]


@pytest.fixture(scope="session")
def started(
    serve: Any, until_ready: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path], Server]]:
    """Start a service of one bundle; each is started once."""
    open_ones: dict[Path, tuple[Any, Server]] = {}

    def start(bundle_folder: Path) -> Server:
        if bundle_folder not in open_ones:
            running = serve(tmp_path_factory.mktemp("stories"), bundle_folder)
            server = running.__enter__()
            assert until_ready(server), server.log
            open_ones[bundle_folder] = (running, server)
        return open_ones[bundle_folder][1]

    yield start
    for running, _ in open_ones.values():
        running.__exit__(None, None, None)
