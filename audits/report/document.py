"""A document as a list of blocks, so that one HTML and one PDF template render every edition."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading; level 1 is a chapter, under the document's title."""

    kind: ClassVar[str] = "heading"
    level: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Plain text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets:
    """A list."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A framed text that must not be missed; `tone` is an outcome's name or `simulated`."""

    kind: ClassVar[str] = "notice"
    tone: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisker:
    """A dot with its interval beside limits, drawn in a cell of a table: an ornament.

    Whoever cannot see it misses nothing, because the cell beside it says the same in words.

    Parameters
    ----------
    value, low, high, limits
        Where they are, from 0 (left) to 1 (right).
    is_cut_low, is_cut_high
        Whether the interval goes on beyond the drawing.
    """

    value: float
    low: float
    high: float
    is_cut_low: bool
    is_cut_high: bool
    limits: tuple[float, ...]


Cell = str | Whisker


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a caption; the first column heads its rows. `widths` are relative."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[int, ...]
    small: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture beside the document, described in words by `alt`."""

    kind: ClassVar[str] = "figure"
    file: str
    alt: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """Lines for signatures, one per role, on one page with what is signed."""

    kind: ClassVar[str] = "sign-off"
    texts: tuple[str, ...]
    roles: tuple[str, ...]


Block = Heading | Paragraph | Bullets | Notice | Table | Figure | SignOff


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The content of an edition, in order."""

    title: str
    subtitle: str
    blocks: tuple[Block, ...]

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON can carry it, each block with its kind."""
        return {
            "title": self.title,
            "subtitle": self.subtitle,
            "blocks": [{"kind": block.kind, **asdict(block)} for block in self.blocks],
        }
