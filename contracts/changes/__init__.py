"""What a version of a model is, how it differs from another one, and what was compared."""
