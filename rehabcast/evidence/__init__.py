"""Puts together record, matching, tests and ledger: evidence over time."""
