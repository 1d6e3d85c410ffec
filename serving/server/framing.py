"""Where a request's head ends and its body: decided twice, here and by llhttp, and both must agree.

What a proxy in front of the service could read in another way is refused: two lengths, a length
beside a transfer coding, any coding but `chunked`, chunk extensions and trailer fields. Sources:
RFC 9112 (6.1, 6.3, 7.1, 11.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto

MAX_HEAD_BYTES = 32 * 1024
"""Request line and fields together; a signed token is about 1 KiB, some providers' 8 KiB."""

MAX_FIELDS = 100

END_OF_HEAD = b"\r\n\r\n"

_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}\r\n")
_LONGEST_SIZE_LINE = 10


class Malformed(Exception):
    """A request that is refused for its form, with the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Part(Enum):
    """What the next byte belongs to."""

    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    LAST_LINE = auto()
    END = auto()


class Framing:
    """Follows one request at a time; `cut` says how many of the bytes at hand belong together."""

    def __init__(self) -> None:
        self.part = Part.HEAD
        self._bytes_of_head = 0
        self._left = 0
        # The last bytes, where the end of the head or of a line may be in two pieces.
        self._seen = b""

    @property
    def ended(self) -> bool:
        """Whether all of the request is there."""
        return self.part is Part.END

    def next_request(self) -> None:
        """Expect the head of another request."""
        self.part, self._bytes_of_head, self._seen = Part.HEAD, 0, b""

    def begin_body(self, version: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the fields of a head that is complete.

        Raises
        ------
        Malformed
            They do not say in one way only where the body ends.
        """
        fields = list(headers)
        lengths = [value for name, value in fields if name == b"content-length"]
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        hosts = [value for name, value in fields if name == b"host"]
        if version not in {"1.0", "1.1"}:
            raise Malformed(505, "the request is not HTTP/1.1")
        if len(fields) > MAX_FIELDS:
            raise Malformed(431, f"the request has more than {MAX_FIELDS} header fields")
        if len(hosts) > 1 or (version == "1.1" and not hosts):
            raise Malformed(400, "the request does not name one Host")
        if len(lengths) + len(codings) > 1:
            raise Malformed(400, "the request says more than once how long its body is")
        self._seen = b""
        if codings:
            if codings[0].lower() != b"chunked" or version == "1.0":
                raise Malformed(400, "the request has a Transfer-Encoding other than chunked")
            self.part = Part.CHUNK_SIZE
        elif lengths:
            if not _LENGTH.fullmatch(lengths[0]):
                raise Malformed(400, "the request's Content-Length is not a number")
            self._expect(Part.BODY, int(lengths[0]))
        else:
            self.part = Part.END

    def cut(self, data: bytes) -> int:
        """Return how many of these bytes belong to the next part.

        Raises
        ------
        Malformed
            They cannot.
        """
        match self.part:
            case Part.HEAD:
                return self._cut_head(data)
            case Part.CHUNK_SIZE:
                return self._cut_line(data)
            case Part.LAST_LINE:
                count = min(len(data), self._left)
                if data[:count] != b"\r\n"[2 - self._left :][:count]:
                    raise Malformed(400, "the request has fields after its body")
                return self._counted(count)
            case Part.BODY | Part.CHUNK:
                return self._counted(min(len(data), self._left))
            case Part.END:
                return 0

    def _cut_head(self, data: bytes) -> int:
        known = self._seen + data
        found = known.find(END_OF_HEAD)
        count = len(data) if found < 0 else found + len(END_OF_HEAD) - len(self._seen)
        self._bytes_of_head += count
        if self._bytes_of_head > MAX_HEAD_BYTES:
            raise Malformed(431, f"the request's head is larger than {MAX_HEAD_BYTES // 1024} KiB")
        # Blank lines may come before a request: then the head has not ended, and all counts.
        self._seen = known[-3:] if found < 0 else b""
        return count

    def _cut_line(self, data: bytes) -> int:
        end = data.find(b"\n") + 1
        count = end or len(data)
        self._seen += data[: min(count, _LONGEST_SIZE_LINE + 1)]
        if len(self._seen) > _LONGEST_SIZE_LINE or (end and not _CHUNK_SIZE.fullmatch(self._seen)):
            raise Malformed(400, "a chunk of the body has more than its size in front of it")
        if end:
            size = int(self._seen, 16)
            self._seen = b""
            self._expect(Part.CHUNK, size + 2) if size else self._expect(Part.LAST_LINE, 2)
        return count

    def _expect(self, part: Part, left: int) -> None:
        self.part, self._left = part, left
        if left == 0:
            self.part = Part.END

    def _counted(self, count: int) -> int:
        self._left -= count
        if self._left == 0:
            self.part = Part.CHUNK_SIZE if self.part is Part.CHUNK else Part.END
        return count
