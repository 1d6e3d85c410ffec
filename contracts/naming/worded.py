"""A text of ours that remembers what it was made from: it can be said in other languages."""

from __future__ import annotations

from typing import Any, Self


class Worded(str):
    """A text in English, made of a message and what stands in its places.

    Parameters
    ----------
    message
        With `%(name)s` for each of its places.
    values
        What stands there; one that is `Worded` itself is said in the language too.
    """

    message: str
    values: dict[str, Any]

    def __new__(cls, message: str, **values: Any) -> Self:
        """Make the text, and keep what it is made from."""
        made = super().__new__(cls, message % values if values else message)
        made.message, made.values = message, values
        return made
