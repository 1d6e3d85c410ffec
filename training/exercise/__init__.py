"""Fits the recogniser of exercises (`fit`), and writes it (`write`)."""
