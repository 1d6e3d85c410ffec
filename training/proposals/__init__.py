"""A task as a cohort suggests it; a person decides what it is for."""
