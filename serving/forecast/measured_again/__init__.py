"""What would make a patient's range narrower: one more score, or more people to learn from."""
