"""One importer per source: from files as found to events and a provenance."""
