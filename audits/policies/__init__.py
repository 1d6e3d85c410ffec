"""What a policy means: what differs from another one, and what few people can show under it."""
