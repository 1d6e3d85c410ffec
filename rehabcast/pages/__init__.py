"""Pages that join ledger, registry and service: the governance room and the bench."""
