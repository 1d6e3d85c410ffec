"""From a source or the simulator to a validated cohort, and from a cohort to sequences."""
