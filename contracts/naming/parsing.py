"""Text of JSON and TOML as data; what is nested too deeply is a fault of the file, like any other.

Parsers of Python call themselves for each level, and what they raise at their limit is no error of
parsing: whoever reads a file that people give would have to think of it each time.
"""

from __future__ import annotations

import json
import tomllib
from typing import Any

TOO_DEEP = "it is nested too deeply"


def parsed_toml(text: str) -> dict[str, Any]:
    """Return what a text of TOML says.

    Raises
    ------
    tomllib.TOMLDecodeError
        It is none, or is nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError(TOO_DEEP) from None


def parsed_json(text: str | bytes) -> Any:
    """Return what a text of JSON says.

    Raises
    ------
    ValueError
        It is none, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
