"""A backup of everything that cannot be made again, tried by restoring it; and the way back."""
