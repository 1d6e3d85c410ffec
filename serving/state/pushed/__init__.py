"""Pushed points become days of the running record."""
