"""Alembic's migrations of the ledger: never edited once released, only added to."""
