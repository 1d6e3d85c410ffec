"""What is seen of a version in service, as audits read it."""
