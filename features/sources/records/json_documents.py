"""JSON files of one document, a list of documents, or one document a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from contracts.errors import SourceUnreadable
from features.recording import SourceFile


def documents(file: SourceFile) -> Iterator[tuple[str, Any]]:
    """Yield each document with its place: `line N`, `[N]`, or `*` for a single one.

    Raises
    ------
    SourceUnreadable
        Not UTF-8, not JSON, or a line that is not JSON: a truncated file is not read in part.
    """
    try:
        text = file.path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnreadable(
            file.name, "*", f"not UTF-8 text ({error})", "save it as UTF-8"
        ) from error
    # Not splitlines: a text within JSON may hold other characters that end a line (U+2028).
    lines = [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if len(lines) > 1 and _stands_alone(lines[0][1]):
        for number, line in lines:
            yield f"line {number}", _loaded(file, f"line {number}", line)
        return
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
