"""One module a published cohort with a layout of its own."""
