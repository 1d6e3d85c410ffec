"""What training and the service both compute with a model."""
