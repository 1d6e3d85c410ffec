"""Tests that may be looked at every week: whether a model in service still keeps its policy."""
