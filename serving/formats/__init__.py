"""How an answer is written for others: CDS Hooks, FHIR, plain text."""
