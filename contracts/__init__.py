"""What passes between the packages, checked where it enters; nothing here computes a result."""
