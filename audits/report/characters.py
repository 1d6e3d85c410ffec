"""Names and labels are anybody's text: how it is shown where it can't be shown as it is.

A character that would act on what shows it (a terminal's escape, an override of the direction of
writing) or that nobody could see (a zero-width blank) is written as its Unicode number, such as
[U+202E]; so is one for which a PDF has no glyph. Nothing is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

FAMILY = "DejaVu Sans"
"""Font that matplotlib brings: Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian, Georgian and many
signs. Chinese, Japanese, Korean, Thai and the scripts of India are not in it."""

NO_GLYPH = (
    "Characters that the fonts of this PDF do not have are written as their Unicode numbers, such"
    " as [U+4E2D]. report.json and the HTML page have them as they are."
)

_SEEN_BY_NOBODY = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's general categories: control, format, surrogate, private, not assigned, separators."""

_JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners, which Persian, Hindi and emoji are written with."""

_LAYOUT = "\n\t"
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


class _Table(dict[int, str]):
    """A translation that is worked out for each character once."""

    def __init__(self, is_shown: Callable[[str], bool]) -> None:
        super().__init__()
        self._is_shown = is_shown

    def __missing__(self, code: int) -> str:
        character = chr(code)
        shown = character if self._is_shown(character) else f"[U+{code:04X}]"
        self[code] = shown
        return shown


def _is_visible(character: str) -> bool:
    if character in _JOINERS or character in _LAYOUT:
        return True
    return unicodedata.category(character) not in _SEEN_BY_NOBODY


_VISIBLE = _Table(_is_visible)


def visible(text: str) -> str:
    """Return a text with every character that acts or can't be seen as its Unicode number."""
    return text.translate(_VISIBLE)


def printable(text: str) -> str:
    """Return a text as a PDF can show it: what its fonts do not have as Unicode numbers."""
    return _joined(visible(text).translate(_in_pdf()))


def drawable(text: str) -> str:
    """Return a text as a figure can show it: without letters that are joined or run to the left."""
    return _joined(visible(text).translate(_in_figure()))


def in_every_text(value: Any, write: Callable[[str], str]) -> Any:
    """Return a record with all its texts written in another way."""
    if isinstance(value, str):
        return write(value)
    if isinstance(value, dict):
        return {name: in_every_text(item, write) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [in_every_text(item, write) for item in value]
    return value


def _joined(text: str) -> str:
    """Write neighbours in one pair of brackets: [U+4E2D U+6587]."""
    return re.sub(r"(?<=[0-9A-F])\]\[(?=U\+[0-9A-F]{4})", " ", text)


def fonts() -> Path:
    """Return the folder of the font files."""
    # Every command prints, few draw.
    import matplotlib as mpl

    return Path(mpl.get_data_path(), "fonts", "ttf")


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    regular, bold = (
        FT2Font(str(fonts() / f"{name}.ttf")).get_charmap()
        for name in ("DejaVuSans", "DejaVuSans-Bold")
    )
    return frozenset(regular) & frozenset(bold)


@cache
def _in_pdf() -> _Table:
    return _Table(lambda character: character in _LAYOUT or ord(character) in _glyphs())


@cache
def _in_figure() -> _Table:
    return _Table(
        lambda character: (
            ord(character) in _glyphs()
            and unicodedata.bidirectional(character) not in _RIGHT_TO_LEFT
            and character not in _JOINERS
        )
    )
