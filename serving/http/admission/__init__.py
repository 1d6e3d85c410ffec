"""What happens to a request before anything is computed for it."""
