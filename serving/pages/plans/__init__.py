"""The page on which other plans of therapy are compared, and next week's dose is decided."""
