"""How a fitted model becomes a registered version."""
