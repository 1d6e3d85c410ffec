"""Commands of those who operate the service."""
