"""What is measured: metrics, groups and intervals of a prediction table."""
