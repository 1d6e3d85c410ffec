"""The XML of a phone's health export, streamed and mended where phones are known to break it.

What some versions of the phone's software write is not XML: since iOS 16 the description of the
document type in front of the data is malformed, and names of devices and apps may hold characters
that XML forbids. Neither says anything about the data: the description is skipped, and a forbidden
character is replaced by U+FFFD. Anything else that is not well-formed is refused. A chunk of the
file is in memory at a time.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import IO, Protocol
from xml.parsers import expat

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from contracts.errors import SourceUnreadable
from features.recording import SourceFile

CUT_SHORT = {expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
             expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]}  # fmt: skip
"""What the parser says where a file ends within an element or a tag."""

CHUNK_BYTES = 1 << 20
LONGEST_PROLOG = 4 << 20
"""What may stand in front of the data; that of a phone has some kilobytes."""

REPLACEMENT = "\ufffd".encode()
ROOT = re.compile(rb"<HealthData[\s/>]")
_FORBIDDEN = bytes(set(range(32)) - set(b"\t\n\r"))
_FORBIDDEN_LATER = re.compile(b"[" + re.escape(_FORBIDDEN) + rb"]|\xef\xbf[\xbe\xbf]")
_REFERENCE = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")


class Elements(Protocol):
    """What is called for each element, as by `xml.etree.ElementTree.XMLParser`."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""

    def end(self, tag: str) -> None:
        """End an element."""

    def data(self, text: str) -> None:
        """Take text between elements."""

    def close(self) -> None:
        """End the document."""


class HealthXml:
    """Feeds the elements of an export to a target.

    Parameters
    ----------
    file
        The export.

    Attributes
    ----------
    replaced
        How many characters that XML forbids were replaced so far.
    """

    def __init__(self, file: SourceFile) -> None:
        self.file, self.replaced = file, 0
        self._parser: DefusedXMLParser | None = None

    @property
    def line(self) -> int:
        """The line of the file at which the parser stands."""
        return 1 if self._parser is None else int(self._parser.parser.CurrentLineNumber)

    def feed(self, target: Elements) -> None:
        """Parse the whole file.

        Raises
        ------
        SourceUnreadable
            It can't be opened, is not well-formed after mending, is cut short or declares entities.
        """
        # The document type never gets here: it is skipped.
        self._parser = DefusedXMLParser(target=target, forbid_dtd=True)
        try:
            with self.file.path.open("rb") as stream:
                for chunk in self._mended(stream):
                    self._parser.feed(chunk)
            self._parser.close()
        except (ElementTree.ParseError, DefusedXmlException, LookupError, OSError, ValueError) as e:
            raise self._broken(e) from e

    def _broken(self, error: Exception) -> SourceUnreadable:
        where = f"line {self.line}"
        if getattr(error, "code", None) in CUT_SHORT:
            return SourceUnreadable(
                self.file.name, where, "ends here, in the middle of the data: it was cut short",
                "copy the whole export from the phone, better as the zip that the phone wrote, and"
                " compare the sizes; a part of it isn't imported, since its last days are too low",
            )  # fmt: skip
        return SourceUnreadable(
            self.file.name, where, f"is not well-formed XML ({error})",
            "check this line, which something other than the phone may have changed; if nothing"
            " did, write a new export on the phone",
        )  # fmt: skip

    def _mended(self, stream: IO[bytes]) -> Iterator[bytes]:
        head = b""
        while not (root := ROOT.search(head)):
            more = stream.read(CHUNK_BYTES)
            if not more or len(head) > LONGEST_PROLOG:
                raise SourceUnreadable(
                    self.file.name, "*", "has no <HealthData> after its DOCTYPE",
                    "use the export.xml that the phone wrote, unchanged",
                )  # fmt: skip
            head += more
        yield self._without_document_type(head[: root.start()])
        rest = head[root.start() :]
        is_utf8 = _encoding(head) in {"utf-8", "utf8", "us-ascii", "ascii"}
        while more := stream.read(CHUNK_BYTES):
            # A character, or a reference to one, never goes beyond the end of a tag or line.
            end = max(more.rfind(b">"), more.rfind(b"\n")) + 1
            if not end:
                rest += more
                continue
            yield self._allowed(rest + more[:end], is_utf8=is_utf8)
            rest = more[end:]
        yield self._allowed(rest, is_utf8=is_utf8)

    def _without_document_type(self, prolog: bytes) -> bytes:
        if b"<!ENTITY" in prolog:
            raise SourceUnreadable(
                self.file.name, "DOCTYPE", "declares entities, which no phone does",
                "use the export.xml that the phone wrote, unchanged",
            )  # fmt: skip
        begin = prolog.find(b"<!DOCTYPE")
        if begin < 0:
            return prolog
        return prolog[:begin] + b"\n" * prolog.count(b"\n", begin)

    def _allowed(self, chunk: bytes, *, is_utf8: bool) -> bytes:
        if is_utf8:
            try:
                chunk.decode("utf-8")
            except UnicodeDecodeError:
                before = chunk.count(REPLACEMENT)
                chunk = chunk.decode("utf-8", "replace").encode()
                self.replaced += chunk.count(REPLACEMENT) - before
        if len(chunk.translate(None, _FORBIDDEN)) != len(chunk) or b"\xef\xbf" in chunk:
            chunk, count = _FORBIDDEN_LATER.subn(REPLACEMENT, chunk)
            self.replaced += count
        if b"&#" in chunk:
            chunk = _REFERENCE.sub(self._allowed_reference, chunk)
        return chunk

    def _allowed_reference(self, reference: re.Match[bytes]) -> bytes:
        in_hex, in_decimal = reference.groups()
        number = int(in_hex, 16) if in_hex else int(in_decimal)
        if number in {9, 10, 13} or 32 <= number < 0xD800 or 0xE000 <= number < 0xFFFE:
            return reference[0]
        if 0x10000 <= number <= 0x10FFFF:
            return reference[0]
        self.replaced += 1
        return b"&#xFFFD;"


def _encoding(head: bytes) -> str:
    declared = _ENCODING.search(head)
    return declared[1].decode().lower() if declared else "utf-8"
