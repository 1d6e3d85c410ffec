"""The governance edition: what a board reads and signs."""
