"""Pages that people open in a browser: made here from the answers of the service's own routes."""
