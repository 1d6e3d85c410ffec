"""Measures subgroup performance of a prediction table, decides, and keeps the ledger."""
