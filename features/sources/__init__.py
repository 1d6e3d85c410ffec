"""One importer per source: reads files as they are into readings, or events with provenance."""
