"""What a treatment did on average, estimated from people who were not randomised to it."""
