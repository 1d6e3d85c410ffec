"""Style sheets and pictures: read once, under an address that changes with what they hold."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
PREFIX = "/pages/assets/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file, its type, and the same compressed."""

    content: bytes
    compressed: bytes
    content_type: str


@cache
def assets() -> dict[str, Asset]:
    """Return every asset by its address."""
    return {_address(path): _read(path) for path in sorted(FOLDER.iterdir()) if _type(path)}


@cache
def address_of(name: str) -> str:
    """Return the address of an asset by the name of its file."""
    return _address(FOLDER / name)


def _type(path: Path) -> str:
    return TYPES.get(path.suffix, "")


def _address(path: Path) -> str:
    return f"{PREFIX}{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}-{path.name}"


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content=content, compressed=gzip.compress(content, 9), content_type=_type(path))
