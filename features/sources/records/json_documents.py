"""JSON files of one document, a list of documents, or one document a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import chain
from typing import Any

from contracts.errors import SourceUnreadable
from features.recording import SourceFile
from features.tables.packed import UNPACKING, opened


def documents(file: SourceFile) -> Iterator[tuple[str, Any]]:
    """Yield each document with its place: `line N`, `[N]`, or `*` for a single one.

    Raises
    ------
    SourceUnreadable
        Unpacks to more than may be, not UTF-8, not JSON, or a line that is not JSON: a truncated
        file is not read in part.
    """
    try:
        # No other line end: a text within JSON may hold characters that end one (U+2028).
        with (
            opened(file.path, file.name) as raw,
            TextIOWrapper(raw, "utf-8-sig", newline="\n") as stream,
        ):
            # A bulk export may be larger than the memory: its lines are read one by one.
            lines = ((n, line) for n, line in enumerate(stream, start=1) if line.strip())
            first, second = next(lines, None), next(lines, None)
            if first and second and _stands_alone(first[1]):
                for number, line in chain((first, second), lines):
                    yield f"line {number}", _loaded(file, f"line {number}", line)
                return
            stream.seek(0)
            text = stream.read()
    except (*UNPACKING, UnicodeDecodeError) as error:
        raise SourceUnreadable(
            file.name, "*", f"not UTF-8 text ({error})", "save it as UTF-8"
        ) from error
    document = _loaded(file, "JSON", text)
    if isinstance(document, list):
        yield from ((f"[{number}]", item) for number, item in enumerate(document))
    else:
        yield "*", document


def _stands_alone(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _loaded(file: SourceFile, where: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise SourceUnreadable(
            file.name,
            where,
            f"not JSON ({error}), the file is damaged or cut short",
            "export it again",
        ) from error


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")
