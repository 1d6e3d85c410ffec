"""Of which day a forecast is: that of a question, and the newest of each person of a cohort."""
