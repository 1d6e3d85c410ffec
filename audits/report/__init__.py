"""The audit report: one signed JSON, and the editions that are written from it."""
