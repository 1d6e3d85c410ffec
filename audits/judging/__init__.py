"""Judging: policy, evidence, findings and verdict."""
