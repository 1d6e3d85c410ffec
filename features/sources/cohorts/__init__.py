"""One module for each published cohort with a layout of its own."""
