"""Entries by which outcomes that came later narrow or end the service of a version."""
