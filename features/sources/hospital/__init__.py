"""Exports of hospitals' own databases: OMOP CDM and REDCap, each with a map of its own."""
