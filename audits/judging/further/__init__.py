"""Judges what is not the training cohort's forecasts: an external cohort, and questions asked."""
