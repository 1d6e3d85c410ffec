"""CDS Hooks: discovery, prefetch, cards, and what is said of them afterwards."""
