"""What one more score of a patient would be worth: how much narrower the range would be."""
