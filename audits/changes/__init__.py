"""The change plan of a model's line: which later versions may follow, and what is outside of it."""
