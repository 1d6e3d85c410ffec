"""What is concluded: policy, findings and verdict."""
