"""The parts that our networks are built of."""
