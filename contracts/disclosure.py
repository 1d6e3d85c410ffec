"""How many people must stand behind a number that is shown to readers."""

MINIMUM_SHOWN = 11
"""A number about fewer people is not shown: the customary bound for published health statistics."""
