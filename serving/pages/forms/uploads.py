"""Files that come with a form, and go on in its next pages: nothing of them is kept here.

The browser sends a file once as it is (multipart/form-data, RFC 7578) and then packed, in a hidden
field: no step needs what another one left behind, so that going back, sending twice and a session
that ended cost nobody a file.
"""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import AsyncGenerator

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from contracts.naming.worded import Worded
from serving.http.decoding import RequestInvalid

MULTIPART = "multipart/form-data"
FILE, NAME = "file", "name"
"""Hidden fields of a form: what a file holds, packed, and what it was called."""

LARGEST_FILE = 512 * 1024
LARGEST_FORM = 2 * LARGEST_FILE
"""A file that cannot be packed any smaller takes four thirds of its size."""

LONGEST_NAME = 120
NOT_A_FORM = RequestInvalid(
    "the file did not come whole", "choose it again; if it happens again, try another browser"
)


def multipart_fields(content_type: str, body: bytes, most: int) -> dict[str, str]:
    """Read a form with a file, which becomes the two fields `FILE` and `NAME`.

    Raises
    ------
    RequestInvalid
        It is not such a form, names a field twice, or a field is no text.
    """

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    headers = Headers({"content-type": content_type})
    parser = MultiPartParser(
        headers, whole(), max_files=1, max_fields=most, max_part_size=LARGEST_FORM
    )
    try:
        sent = asyncio.run(parser.parse()).multi_items()
    except (MultiPartException, KeyError, ValueError, LookupError):
        raise NOT_A_FORM from None
    fields: dict[str, str] = {}
    for name, value in sent:
        if isinstance(value, UploadFile):
            with value.file:
                content = value.file.read()
            found = {FILE: packed(content) if content else "", NAME: _called(value.filename)}
        else:
            found = {name: value}
        if found.keys() & fields.keys():
            raise NOT_A_FORM
        fields |= found
    return fields


def packed(content: bytes) -> str:
    """Return a file as text of a hidden field."""
    return base64.urlsafe_b64encode(zlib.compress(content, 6)).decode("ascii")


def unpacked(text: str) -> bytes:
    """Return the file of a hidden field.

    Raises
    ------
    RequestInvalid
        There is none, it is too large, or it is not what `packed` writes.
    """
    if not text:
        raise RequestInvalid("no file was chosen, or it is empty", "choose a file")
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(
            base64.b64decode(text.encode("ascii"), b"-_", validate=True), LARGEST_FILE + 1
        )
    except (ValueError, zlib.error):
        raise NOT_A_FORM from None
    if len(content) > LARGEST_FILE:
        raise RequestInvalid(
            Worded("the file is larger than %(most)s KiB", most=LARGEST_FILE // 1024),
            "send it in parts, or import it with `rehabcast cohort import`",
        )
    if not unpacking.eof:
        raise NOT_A_FORM
    return content


def _called(name: str | None) -> str:
    """Return the name of a file as it may be shown: without folders and what cannot be seen."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:LONGEST_NAME].strip()
