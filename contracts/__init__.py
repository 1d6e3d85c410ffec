"""The data that packages exchange, checked where it enters; nothing here computes a result."""
