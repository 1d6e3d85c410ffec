"""Names of people and models: their spelling, and when two are one."""
