"""The audit report: one signed JSON, and the editions for people that are made from it."""
