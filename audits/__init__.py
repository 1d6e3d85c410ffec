"""Audits a prediction table by subgroup, judges it by a policy, and keeps the ledger."""
