"""What a patient did of a programme of home exercise, in words that they read."""
