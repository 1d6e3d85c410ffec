"""Routes of others' standards: FHIR, CDS Hooks, SMART."""
