"""How requests arrive and answers are sent."""
