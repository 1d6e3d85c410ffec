"""What is known of people by a day: their events, their groups, and where a forecast starts."""
