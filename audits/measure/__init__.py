"""Measuring: metrics, groups and intervals of a prediction table."""
