"""The monthly edition of monitoring: what was served, what came of it, and what was done."""
