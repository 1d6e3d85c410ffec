"""One connection: uvicorn's HTTP/1.1 on llhttp, with deadlines and without leniency."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.schemas import Refusal
from serving.server.connections import Connections, Phase
from serving.server.framing import Framing, Malformed

BY_THE_BOOK = "send HTTP/1.1 as RFC 9112 has it, one request at a time"
TOO_SLOW = Malformed(408, "the request did not arrive in time")
NO_ROOM = Malformed(503, "too many connections")
OUT_OF_STEP = Malformed(400, "the request is not HTTP/1.1")


class Connection(HttpToolsProtocol):
    """Takes one request at a time, each within its deadlines.

    Parameters
    ----------
    all_connections
        Of this worker.
    settings
        As uvicorn gives them.
    """

    def __init__(self, all_connections: Connections, **settings: Any) -> None:
        super().__init__(**settings)
        self._all = all_connections
        self._framing = Framing()
        self._refused = False
        self._received = False
        self.peer = ""
        self.phase = Phase.NEW
        self.since = self.loop.time()
        self.unsent_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if there is room."""
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        if not self._all.add(self):
            self._refuse(NO_ROOM)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._all.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, part by part: what llhttp and we call the end must be the same byte."""
        while data and not self._refused and not self.transport.is_closing():
            if self._framing.ended:
                # Sent before the answer: it is not read, and may be sent again elsewhere.
                self.cycle.keep_alive = False
                self.flow.pause_reading()
                return
            try:
                count = self._framing.cut(data)
            except Malformed as malformed:
                self._refuse(malformed)
                return
            piece, data = data[:count], data[count:]
            super().data_received(piece)
            if self._received is not self._framing.ended and not self._refused:
                self._refuse(OUT_OF_STEP)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._received = False
        self._enter(Phase.HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; after the head there are none."""
        if self.phase is not Phase.HEAD:
            raise Malformed(400, "the request has fields after its body")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        try:
            self._framing.begin_body(self.parser.get_http_version(), self.headers)
        except Malformed as malformed:
            self._refuse(malformed)
            raise
        self._enter(Phase.BODY)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the whole request is there."""
        self._received = True
        super().on_message_complete()
        if self.cycle.response_complete:
            self._await_next()
        else:
            self._enter(Phase.ANSWERING)

    def on_response_complete(self) -> None:
        """Await the next request, or first the end of this one."""
        super().on_response_complete()
        if self._received:
            self._await_next()

    def _await_next(self) -> None:
        self._framing.next_request()
        self._received = False
        self._enter(Phase.IDLE)

    def _enter(self, phase: Phase) -> None:
        self.phase, self.since = phase, self.loop.time()

    def send_400_response(self, msg: str) -> None:
        """Refuse what llhttp does not take; called by uvicorn, whose text says less."""
        self._refuse(OUT_OF_STEP)

    def _refuse(self, why: Malformed) -> None:
        """Answer with a refusal, unless something was answered already, and close."""
        if self._refused:
            return
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            started = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if started:
                self.transport.abort()
                return
        if self.phase is Phase.BODY and self.cycle is not None and self.cycle.response_complete:
            # Its answer was sent before its body had come.
            self.transport.abort()
            return
        body = msgspec.json.encode(
            Refusal(error=f"{why.reason}: {BY_THE_BOOK}", reason=why.reason, what_to_do=BY_THE_BOOK)
        )
        status = HTTPStatus(why.status)
        self.transport.write(
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\n"
            "connection: close\r\n\r\n".encode()
            + body
        )
        self.transport.close()

    def unsent(self) -> bool:
        """Say whether bytes of an answer wait for the caller to take them."""
        return self.transport.get_write_buffer_size() > 0

    def time_out(self) -> None:
        """End the connection; a caller who had begun a request is told why."""
        if self.phase in {Phase.HEAD, Phase.BODY} and not self._refused:
            self._refuse(TOO_SLOW)
        elif not self.transport.is_closing():
            self.transport.close()

    def drop(self) -> None:
        """End the connection without a word."""
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.abort()
