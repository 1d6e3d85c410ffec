"""The commands, one module a noun of the work."""
