"""Commands that propose a file for a person to confirm."""
