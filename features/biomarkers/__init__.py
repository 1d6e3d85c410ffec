"""Signals to digital biomarkers: one module each. Wear comes first, everything else follows it."""
