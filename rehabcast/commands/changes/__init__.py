"""Commands on change plans."""
