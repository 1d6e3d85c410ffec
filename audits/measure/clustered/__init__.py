"""What clusters, such as hospitals, do to the certainty of what is measured."""
