"""One module per change of the ledger's tables."""
