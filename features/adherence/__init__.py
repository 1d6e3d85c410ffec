"""What was done of a programme of home exercise, and how well: by exercise and week, and by day."""
