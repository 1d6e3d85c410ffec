"""One audit over many sites of which no row, and no number about few people, leaves any."""
