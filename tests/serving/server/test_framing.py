"""Where requests end: on any bytes, cut anywhere, we and llhttp agree or the request is refused."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.server.framing import MAX_HEAD_BYTES, Framing, Malformed
from tests.refusals import same_as_kept

FIELD = st.sampled_from(
    [b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 05", b"content-length:5",
     b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: 0x5", b"Content-Length:",
     b"Transfer-Encoding: chunked", b"Transfer-Encoding: Chunked", b"Transfer-Encoding: gzip",
     b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding : chunked",
     b"Transfer-Encoding: chunked\x0b", b"X: a", b"X: a\r\n b", b"Host: b", b"Expect: 100-continue",
     b"Connection: upgrade\r\nUpgrade: h2c"]
)  # fmt: skip
PAYLOAD = st.sampled_from(
    [b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n",
     b"05\r\nhello\r\n000\r\n\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
     b"5\r\nhello\r\n0\r\nX: a\r\n\r\n", b"-1\r\n\r\n", b"FFFFFFFFF\r\n", b"5 \r\nhello\r\n0\r\n\r\n"]
)  # fmt: skip
NEXT = st.sampled_from([b"", b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n", b"x"])


class Seen:
    """What llhttp makes of it."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.headers: list[tuple[bytes, bytes]] = []
        self.body, self.ended = b"", False
        self.parser: Any = httptools.HttpRequestParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.framing.begin_body(self.parser.get_http_version(), self.headers)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended = True


def read(data: bytes, sizes: list[int]) -> tuple[str, bytes, bytes]:
    """Return what became of a request, its body, and what was left unread."""
    framing = Framing()
    seen = Seen(framing)
    start = 0
    for size in [*sizes, len(data)]:
        part = data[start : start + size]
        start += len(part)
        while part and not framing.ended:
            try:
                count = framing.cut(part)
                seen.parser.feed_data(part[:count])
            except (Malformed, httptools.HttpParserError):
                return "refused", b"", b""
            except httptools.HttpParserUpgrade:
                pass
            if seen.ended is not framing.ended:
                return "out of step", b"", b""
            part = part[count:]
        if framing.ended:
            return "whole", seen.body, part + data[start:]
    return "unfinished", b"", b""


def why(data: bytes) -> list[object]:
    """Return status and reason of a refusal; nothing where llhttp refuses it."""
    framing = Framing()
    seen = Seen(framing)
    try:
        while data:
            count = framing.cut(data)
            seen.parser.feed_data(data[:count])
            data = data[count:]
    except Malformed as malformed:
        return [malformed.status, str(malformed)]
    except httptools.HttpParserCallbackError as error:
        why: Any = error.__context__
        return [why.status, str(why)]
    except httptools.HttpParserError:
        return []
    return ["not refused"]


@settings(max_examples=400, deadline=None)
@given(
    fields=st.lists(FIELD, max_size=4), payload=PAYLOAD, after=NEXT,
    sizes=st.lists(st.integers(1, 40), max_size=12), blank=st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]),
)  # fmt: skip
def test_the_cut_does_not_matter_and_nothing_of_one_request_is_read_as_another(
    fields: list[bytes], payload: bytes, after: bytes, sizes: list[int], blank: bytes
) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *fields]) + b"\r\n\r\n"
    data = blank + head + payload + after
    whole = read(data, [])
    assert read(data, sizes) == whole
    assert whole[0] != "out of step" or b"pgrade" in head
    if whole[0] == "whole":
        lengths = [f for f in fields if f.lower().startswith(b"content-length")]
        codings = [f for f in fields if f.lower().startswith(b"transfer-encoding")]
        assert len(lengths) + len(codings) <= 1
        assert b";" not in payload or not codings
        body = b"hello" if b"hello" in payload else b""
        expected = payload[:5] if lengths and b"5" in lengths[0] else body if codings else b""
        assert whole[1] == expected or lengths


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        ([b"Content-Length: 5", b"Content-Length: 5"], b"hello"),
        ([b"Content-Length: 5", b"Content-Length: 6"], b"hello"),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        ([b"Transfer-Encoding: identity, chunked"], b"0\r\n\r\n"),
        ([b"Transfer-Encoding: chunked"], b"5;a=b\r\nhello\r\n0\r\n\r\n"),
        ([b"Transfer-Encoding: chunked"], b"0\r\nAuthorization: Bearer x\r\n\r\n"),
        ([b"Transfer-Encoding: chunked"], b"5\nhello\r\n0\r\n\r\n"),
        ([b"X: a\r\n folded"], b""),
        ([b"X : a"], b""),
        ([b"Host: b"], b""),
        ([b"X: " + b"a" * MAX_HEAD_BYTES], b""),
        ([b"X: a"] * 101, b""),
    ],
    ids=["length and coding", "a length twice", "two lengths", "a coding twice", "two codings",
         "an extension", "a trailer", "a line feed", "a folded field", "a blank", "two hosts",
         "a large field", "many fields"],
)  # fmt: skip
def test_what_two_programs_could_read_in_two_ways_is_refused(
    fields: list[bytes], payload: bytes
) -> None:
    head = b"\r\n".join([b"POST / HTTP/1.1", b"Host: a", *fields]) + b"\r\n\r\n"
    assert read(head + payload, [])[0] == "refused"
    same_as_kept(why(head + payload))
    assert read(head + payload, [1] * len(head + payload))[0] == "refused"


def test_blank_lines_without_end_are_refused() -> None:
    assert read(b"\r\n" * MAX_HEAD_BYTES, [])[0] == "refused"
