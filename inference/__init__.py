"""What a trainer and a service both compute with a model."""
